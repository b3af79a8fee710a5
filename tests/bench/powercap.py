"""A tree like /sys/class/powercap with RAPL, whose counters wrap, and a truth that does not."""

from __future__ import annotations

from pathlib import Path

#: Of most packages: 32 bits of 61.04 microjoules.
RANGE_MICROJOULES = 262_143_328_850


class Powercap:
    """Domains by their zone's name: `intel-rapl:0` is a package, `intel-rapl:0:1` a part of one."""

    def __init__(self, root: Path, domains: dict[str, str], largest: int = RANGE_MICROJOULES) -> None:
        """`domains`: zone to name (`package-0`, `dram`, `core`)."""
        self.root = root
        self.largest = largest
        self.truth = dict.fromkeys(domains, 0)  # microjoules since the tree was made
        self._offset = dict.fromkeys(domains, 0)
        self._hidden: set[str] = set()
        for zone, name in domains.items():
            directory = root / zone
            directory.mkdir(parents=True)
            (directory / "name").write_text(f"{name}\n")
            (directory / "max_energy_range_uj").write_text(f"{largest}\n")
            self._show(zone)

    def start_at(self, zone: str, microjoules: int) -> None:
        """Let a counter show so much where nothing is drawn yet."""
        self._offset[zone] = microjoules - self.truth[zone]
        self._show(zone)

    def draw(self, zone: str, microjoules: int) -> None:
        """So much is drawn, and counted."""
        self.truth[zone] += microjoules
        self._show(zone)

    def hide(self, zone: str) -> None:
        """It cannot be read any more."""
        self._hidden.add(zone)
        (self.root / zone / "energy_uj").unlink()

    def _show(self, zone: str) -> None:
        if zone in self._hidden:
            return
        value = (self.truth[zone] + self._offset[zone]) % (self.largest + 1)
        (self.root / zone / "energy_uj").write_text(f"{value}\n")
