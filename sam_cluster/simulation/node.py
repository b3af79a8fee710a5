"""A simulated node under the real agent: what hooks would leave is handed to it as events."""

from __future__ import annotations

import uuid
from dataclasses import replace

from sam_cluster.agent.events import Event
from sam_cluster.agent.journal import Journal
from sam_cluster.agent.node import NodeMeter
from sam_cluster.agent.ports import GpuInfo
from sam_cluster.agent.records import shard_from_records
from sam_cluster.agent.seal import write_file
from sam_cluster.core.config import Config
from sam_cluster.core.model import Flag

from .clock import SimulatedClock
from .gpus import SimulatedGpu, SimulatedReaders

IDLE_MILLIWATTS = 55_000
LIMIT_MILLIWATTS = 400_000


class SimulatedNode:
    """GPUs, a clock that is moved from event to event, and the agent's own state machine."""

    def __init__(
        self, name: str, config: Config, start_microseconds: int, gpus: int, lost_job: int | None = None
    ) -> None:
        self.name = name
        self.sealed = 0
        self.boot_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.boot"))
        self.clock = SimulatedClock(start_microseconds)
        self.gpus = [
            SimulatedGpu(
                GpuInfo(
                    uuid=f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{name}.{index}')}",
                    index=index,
                    name="Simulated GPU 400 W",
                    minor=index,
                    power_limit_milliwatts=LIMIT_MILLIWATTS,
                ),
                self.clock,
                IDLE_MILLIWATTS,
                ring_microseconds=None,
            )
            for index in range(gpus)
        ]
        self._config = config
        self._lost_job = lost_job
        self._inbox = config.store / "inbox" / name
        self._inbox.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(str(config.spool / name))
        self._readers = SimulatedReaders(self.gpus)
        self._agent = self._start_agent()

    def _start_agent(self) -> NodeMeter:
        agent = NodeMeter(
            self._config, self.name, self.boot_id, self.clock, self._readers, self._journal, live_jobs=set
        )
        agent.resume()
        return agent

    def crash(self) -> None:
        """The node reboots: no epilog, another boot, counters that start anew."""
        self._agent.close()
        self.boot_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, self.boot_id))
        for gpu in self.gpus:
            gpu.set_power(IDLE_MILLIWATTS)
            gpu.reset()
        self._agent = self._start_agent()
        self._step()

    def hook(self, kind: str, environ: dict[str, str]) -> None:
        """A prolog or an epilog runs."""
        event = Event(
            name=f"{self.clock.uptime_microseconds()}",
            kind=kind,
            uptime_microseconds=self.clock.uptime_microseconds(),
            at_microseconds=self.clock.now_microseconds(),
            boot_id=self.boot_id,
            environ={"SLURMD_NODENAME": self.name, **environ},
        )
        self._agent.event(event)
        self._step()

    def run_until(self, at_microseconds: int) -> None:
        """Time passes; the agent wakes when it asked to."""
        while (left := at_microseconds - self.clock.now_microseconds()) > 0:
            wait = self._agent.next_step_microseconds() - self.clock.uptime_microseconds()
            self.clock.advance(max(min(wait, left), 1))
            self._step()

    def _seal(self) -> None:
        """Write the shards of complete runs, marked as simulated; those of one job are lost."""
        for name in self._agent.complete.names:
            shard = shard_from_records(self._journal.read(name))
            if shard.key.job_id != self._lost_job:
                flags = tuple(sorted({*shard.flags, Flag.SIMULATED}))
                write_file(replace(shard, flags=flags), str(self._inbox / f"{name}.parquet"))
                self.sealed += 1
            self._agent.complete.sealed(name)

    def _step(self) -> None:
        self._agent.step()  # asks for a reading
        self._agent.step()  # which is there at once
        if not self._agent.flush():
            raise OSError(f"the journal of the simulated node {self.name} cannot be written")
        self._seal()
