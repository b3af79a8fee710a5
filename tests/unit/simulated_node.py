"""A node for tests: the real state machine on a simulated clock and simulated GPUs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sam_cluster.agent.cost import ProcessCost
from sam_cluster.agent.events import Event
from sam_cluster.agent.host import HostMeter
from sam_cluster.agent.journal import Journal
from sam_cluster.agent.node import NodeMeter
from sam_cluster.agent.ports import GpuInfo
from sam_cluster.agent.records import shard_from_records
from sam_cluster.core.config import Config
from sam_cluster.core.model import NO_JOB, Shard
from sam_cluster.simulation.clock import SimulatedClock
from sam_cluster.simulation.gpus import SimulatedGpu, SimulatedReaders

BOOT = "11111111-2222-3333-4444-555555555555"
NOON = 1_790_000_000_000_000 // 3_600_000_000 * 3_600_000_000
SECOND = 1_000_000


def uuid_of(index: int) -> str:
    return f"GPU-00000000-0000-0000-0000-{index:012d}"


class SimulatedNode:
    """Four GPUs, a journal in a directory, and an agent that can be killed and started again."""

    def __init__(self, directory: Path, *, start: int = NOON + 60 * SECOND, gpus: int = 4) -> None:
        self.clock = SimulatedClock(start)
        self.directory = directory
        self.boot_id = BOOT
        self.live: set[int] = set()
        self.config = Config()
        self.gpus = [
            SimulatedGpu(
                GpuInfo(uuid=uuid_of(i), index=i, name="Simulated", minor=i, power_limit_milliwatts=400_000),
                self.clock,
                50_000,
            )
            for i in range(gpus)
        ]
        self.readers = SimulatedReaders(self.gpus)
        self.meter = self.start_agent()
        self._events = 0

    def start_agent(
        self, process: Callable[[], ProcessCost] | None = None, host: HostMeter | None = None
    ) -> NodeMeter:
        journal = Journal(str(self.directory / "journal"))
        self.meter = NodeMeter(
            self.config,
            "n1",
            self.boot_id,
            self.clock,
            self.readers,
            journal,
            lambda: self.live,
            process,
            host,
        )
        self.meter.resume()
        return self.meter

    def kill_agent(self) -> None:
        """kill -9: whatever was not flushed is gone."""
        for part in self.meter.journal_parts():
            part.close()
        self.readers = SimulatedReaders(self.gpus)

    def event(self, kind: str, job: int, devices: str = "0", *, restart: int = 0, **more: str) -> Event:
        self._events += 1
        environ = {
            "SLURM_JOB_ID": str(job),
            "SLURM_JOB_RESTART_COUNT": str(restart),
            "SLURM_CLUSTER_NAME": "bench",
            "SLURMD_NODENAME": "n1",
            "SLURM_JOB_GPUS": devices,
            **more,
        }
        return Event(
            name=f"{self._events}.event",
            kind=kind,
            uptime_microseconds=self.clock.uptime_microseconds(),
            at_microseconds=self.clock.now_microseconds(),
            boot_id=self.boot_id,
            environ={name: value for name, value in environ.items() if value},
        )

    def deliver(self, *events: Event) -> None:
        for event in events:
            self.meter.event(event)
        self.step()

    def prolog(self, job: int, devices: str = "0", **more: object) -> None:
        self.deliver(self.event("prolog", job, devices, **more))  # type: ignore[arg-type]

    def epilog(self, job: int, devices: str = "0", **more: object) -> None:
        self.deliver(self.event("epilog", job, devices, **more))  # type: ignore[arg-type]

    def step(self) -> None:
        self.meter.step()
        self.meter.step()
        assert self.meter.flush()

    def wait(self, seconds: float) -> None:
        """Time passes, and the agent does what it would do meanwhile."""
        until = self.clock.uptime_microseconds() + round(seconds * SECOND)
        while (now := self.clock.uptime_microseconds()) < until:
            wake = max(self.meter.next_step_microseconds(), now + 1)
            self.clock.advance(min(wake, until) - now)
            self.step()

    def pass_unwatched(self, seconds: float) -> None:
        """Time passes while no agent runs."""
        self.clock.advance(round(seconds * SECOND))

    def shards(self) -> list[Shard]:
        """What would be sealed of runs."""
        return [shard for shard in self.sealable() if shard.key.job_id != NO_JOB]

    def sealable(self) -> list[Shard]:
        """All that would be sealed, also readings of GPUs that no run held."""
        journal = Journal(str(self.directory / "journal"))
        return [shard_from_records(journal.read(name)) for name in self.meter.complete.names]


def energy_of(shard: Shard) -> int:
    """Millijoules by the boundaries of a shard, with what was bridged over a reset."""
    return sum(b.bridged_millijoules or 0 for b in shard.boundaries) + sum(
        b.energy_millijoules - b.since_energy_millijoules
        for b in shard.boundaries
        if b.energy_millijoules is not None and b.since_energy_millijoules is not None
    )
