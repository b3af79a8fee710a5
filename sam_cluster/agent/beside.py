"""What is told of a part of a run beside the energy of its GPUs: what the agent cost, what the host drew."""

from __future__ import annotations

from sam_cluster.core.model import AgentCost, HostEnergy

from .cost import CostMeter
from .host import HostMeter
from .run import Instant, OpenRun


class Beside:
    """Both meters of the node, told of the parts that are open. Either may be off."""

    def __init__(self, cost: CostMeter, host: HostMeter | None) -> None:
        self.cost = cost
        self._host = host
        self._open = 0

    def look(self, missed_ticks: int) -> None:
        """Read both; the host's only while a part is open."""
        self.cost.look(missed_ticks)
        if self._host and self._open:
            self._host.look()

    def begin(self, run: OpenRun, at: Instant) -> None:
        """A part of a run begins here and now."""
        self.take_up(run)
        if self._host:
            self._host.begin(run.log.name, at.uptime_microseconds)

    def take_up(self, run: OpenRun) -> None:
        """A part that began without this agent: of its host's energy nothing is known."""
        self._open += 1
        self.cost.begin(run.log.name)

    def stop(self, run: OpenRun, at: Instant) -> None:
        """The run ended, though its part is not complete."""
        if self._host:
            self._host.stop(run.log.name, at.uptime_microseconds)

    def end(self, run: OpenRun, at: Instant) -> tuple[AgentCost | None, HostEnergy | None]:
        """The part is complete."""
        self._open -= 1
        name = run.log.name
        host = self._host.end(name, at.uptime_microseconds) if self._host else None
        return self.cost.end(name), host
