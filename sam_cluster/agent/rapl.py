"""Energy of CPU packages and memory by RAPL, as Linux shows it below /sys/class/powercap.

    intel-rapl:0/name                 package-0         (AMD's as well; -mmio shows the same once more)
    intel-rapl:0/energy_uj            microjoules, from 0 to max_energy_range_uj, then from 0 again
    intel-rapl:0:1/name               dram

As Documentation/power/powercap/powercap.rst of Linux has it. Only root may read energy_uj. A counter moves in
steps (of 61 microjoules on most): a wrap may be off by one, for the range is given without it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from sam_cluster.core.model import Reason

PACKAGE = re.compile(r"intel-rapl:[0-9]+")
#: No package, and no memory of one, draws more: 1 kW. What draws less has not gone round more than once.
MOST_MILLIWATTS = 1_000_000


class RaplDomain:
    """One counter, without its wraps.

    A counter of 32 bits and 61 microjoules goes round after 262 kJ. Where two looks are so far apart that it
    may have gone round more than once, what lies between them is not known, and `breaks` counts it.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.total_microjoules = 0
        self.breaks = 0
        self.reason: Reason | None = None  # why the last look gave nothing
        self._path = path
        self._last: tuple[int, int] | None = None  # uptime and value

    def look(self, uptime: int) -> None:
        """Read it now."""
        try:
            value, largest = (self._number(name) for name in ("energy_uj", "max_energy_range_uj"))
            if not 0 <= value <= largest:
                raise ValueError(value)
        except (OSError, ValueError):
            self.reason, self._last = Reason.HOST_UNREADABLE, None
            self.breaks += 1
            return
        self.reason = None
        if self._last:
            before, counted = self._last
            if MOST_MILLIWATTS * (uptime - before) // 1000 > largest:
                self.breaks += 1
            else:
                self.total_microjoules += (value - counted) % (largest + 1)
        self._last = uptime, value

    def _number(self, name: str) -> int:
        with open(os.path.join(self._path, name), encoding="ascii") as file:
            return int(file.read())


def domains(powercap: str) -> tuple[RaplDomain, ...]:
    """The packages, and the memory of each where it has a counter of its own."""
    return tuple(RaplDomain(name, path) for name, path in sorted(_found(powercap)))


def _found(powercap: str) -> Iterator[tuple[str, str]]:
    try:
        zones = os.listdir(powercap)
    except OSError:
        return
    for zone in filter(PACKAGE.fullmatch, zones):
        package = _name(powercap, zone)
        if not package.startswith("package"):
            continue
        yield package, os.path.join(powercap, zone)
        for part in zones:
            if part.startswith(f"{zone}:") and _name(powercap, part) == "dram":
                yield f"{package}.dram", os.path.join(powercap, part)


def _name(powercap: str, zone: str) -> str:
    try:
        with open(os.path.join(powercap, zone, "name"), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""
