"""Energy of the node beside its GPUs while each part of a run was open. Apart from the GPUs', and optional.

It is that of the whole node: which part of it is a run's is decided where accounting is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from sam_cluster.core.model import HostDomain, HostEnergy, Reason

from .ports import Clock
from .rapl import RaplDomain, domains

#: A look that comes later after an instant than this is no look at it.
LATE_MICROSECONDS = 30_000_000


@dataclass(frozen=True, slots=True)
class _Mark:
    """A domain at an instant: millijoules so far, and how often it was lost sight of."""

    millijoules: int
    breaks: int


Marks = dict[str, _Mark]


class HostMeter:
    """Looked at at each step of the agent, a minute apart at most, so that no wrap is missed."""

    def __init__(self, powercap: str, cpus: int, clock: Clock) -> None:
        """`cpus`: of this node, as Slurm counts them by default: hardware threads."""
        self._powercap = powercap
        self._cpus = cpus
        self._clock = clock
        self._domains: tuple[RaplDomain, ...] = ()
        self._begun: dict[str, Marks] = {}
        self._stopped: dict[str, Marks] = {}

    def look(self) -> None:
        """Read all counters now."""
        self._domains = self._domains or domains(self._powercap)
        uptime = self._clock.uptime_microseconds()
        for domain in self._domains:
            domain.look(uptime)

    def begin(self, part: str, instant: int) -> None:
        """A part of a run began at an instant (uptime) a moment ago."""
        self._begun[part] = self._marks_of(instant)

    def stop(self, part: str, instant: int) -> None:
        """Its run ended, though it is not complete yet."""
        self._stopped[part] = self._marks_of(instant)

    def end(self, part: str, instant: int) -> HostEnergy:
        """It is complete, up to an instant. Of a part that another agent began nothing is known."""
        begun = self._begun.pop(part, {})
        stopped = self._stopped.pop(part) if part in self._stopped else self._marks_of(instant)
        found = [self._between(domain, begun, stopped) for domain in self._domains]
        if not found:
            found.append(HostDomain(name="package", reason=Reason.HOST_ABSENT))
        elif not any(domain.name.endswith("dram") for domain in found):
            found.append(HostDomain(name="dram", reason=Reason.HOST_ABSENT))
        return HostEnergy(cpus=self._cpus, domains=tuple(found))

    def _marks_of(self, instant: int) -> Marks:
        """What the counters show now, unless that is no reading of the instant any more."""
        self.look()
        if self._clock.uptime_microseconds() - instant > LATE_MICROSECONDS:
            return {}
        return {d.name: _Mark(d.total_microjoules // 1000, d.breaks) for d in self._domains}

    def _between(self, domain: RaplDomain, begun: Marks, stopped: Marks) -> HostDomain:
        first, last = begun.get(domain.name), stopped.get(domain.name)
        if first is None or last is None or first.breaks != last.breaks or domain.reason:
            return HostDomain(name=domain.name, reason=domain.reason or Reason.HOST_INTERRUPTED)
        return HostDomain(name=domain.name, energy_millijoules=last.millijoules - first.millijoules)
