"""Random histories of a simulated node, and the laws that hold whatever happened."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sam_cluster.agent.events import Event
from sam_cluster.agent.journal import Journal
from sam_cluster.agent.node import NodeMeter
from sam_cluster.agent.ports import GpuInfo
from sam_cluster.core.config import Config
from sam_cluster.core.model import NO_JOB, Boundary, Flag, Kind, Shard
from sam_cluster.simulation.gpus import SimulatedGpu, SimulatedReaders

from .simulated_node import SECOND, SimulatedNode, uuid_of

LIMIT_MILLIWATTS = 400_000


class Killed(BaseException):
    """kill -9 at this very moment."""


class FusedJournal(Journal):
    """A journal whose process is killed at its n-th look at the disk, and whose disk may be away."""

    fuse = 0  # never
    is_away = False

    def burn(self) -> None:
        self.fuse -= 1
        if self.fuse == 0:
            raise Killed

    def status(self, name: str) -> os.stat_result | None:
        self.burn()
        return None if self.is_away else super().status(name)

    def open_part(self, name: str) -> int:
        self.burn()
        if self.is_away:
            raise OSError("away")
        return super().open_part(name)

    def has_state(self, name: str) -> bool:
        return not self.is_away and super().has_state(name)

    def write_state(self, name: str, document: object) -> bool:
        self.burn()
        return not self.is_away and super().write_state(name, document)


@dataclass
class TrueRun:
    """A run as it truly was: by GPU, the energy that had been drawn at its start and at its end."""

    job: int
    restart: int
    devices: str
    started_uptime: int
    started: dict[int, int]
    ended_uptime: int = 0
    ended: dict[int, int] = field(default_factory=dict)


class HistoryNode(SimulatedNode):
    """A node with a directory of events, whose agent may die at any moment and is started by the next hook.

    Sparse samples make long histories cheap.
    """

    def __init__(self, directory: Path) -> None:
        self.pending: list[Event] = []
        self.runs: dict[int, TrueRun] = {}
        self.restarted: set[int] = set()
        super().__init__(directory)
        self.config = Config(interval_seconds=600)
        self.gpus = [
            SimulatedGpu(
                GpuInfo(
                    uuid=uuid_of(i), index=i, name="S", minor=i, power_limit_milliwatts=LIMIT_MILLIWATTS
                ),
                self.clock, 50_000, ring_microseconds=None,
            )
            for i in range(2)
        ]  # fmt: skip
        self.let_counters_grow()
        self.readers = SimulatedReaders(self.gpus)
        self.alive = False
        self.sealed: list[Shard] = []
        self.idle: list[Shard] = []  # readings of GPUs that no run held
        self.revive()

    def let_counters_grow(self) -> None:
        """So that a counter that restarts does not pass by the value it had."""
        self.clock.advance(10_000_000 * SECOND)

    def start_agent(self) -> NodeMeter:
        self.journal = FusedJournal(str(self.directory / "journal"))
        self.is_on_disk = False
        self.meter = NodeMeter(
            self.config, "n1", self.boot_id, self.clock, self.readers, self.journal, lambda: self.live
        )
        return self.meter

    def die(self) -> None:
        if self.alive:
            self.kill_agent()
            self.alive = False

    def revive(self, fuse: int = 0) -> None:
        if not self.alive:
            self.start_agent()
            self.alive = True
            self._act(self.meter.resume)
            self.journal.fuse = fuse
        self.look()

    def look(self) -> None:
        """What one turn of the agent's loop does."""
        if self.alive:
            self._act(self._turn)

    def _turn(self) -> None:
        taken = list(self.pending)
        for event in taken:
            self.meter.event(event)
        self.meter.step()
        self.meter.step()
        self.is_on_disk = self.meter.flush()
        if self.is_on_disk:
            self.journal.burn()  # killed after the journal is on disk, before the events are removed
            self.pending = [event for event in self.pending if event not in taken]

    def _act(self, action: object) -> None:
        try:
            action()  # type: ignore[operator]
        except Killed:
            self.die()

    def begin(self, job: int, devices: str, copies: int = 1, *, starts_agent: bool = True) -> None:
        self._begin(len(self.runs) + 1, job, 0, devices, copies)
        self.revive() if starts_agent else self.look()

    def _begin(self, number: int, job: int, restart: int, devices: str, copies: int) -> None:
        drawn = {int(word): self.gpus[int(word)].energy_millijoules() for word in devices.split(",")}
        self.runs[number] = TrueRun(job, restart, devices, self.clock.uptime_microseconds(), drawn)
        self.pending += [self.event("prolog", job, devices, restart=restart)] * copies

    def finish(self, number: int, copies: int = 1, *, starts_agent: bool = True) -> None:
        self._finish(self.runs[number], self.runs[number].restart, copies)
        self.revive() if starts_agent else self.look()

    def _finish(self, run: TrueRun, told_restart: int, copies: int) -> None:
        run.ended = {gpu: self.gpus[gpu].energy_millijoules() for gpu in run.started}
        run.ended_uptime = self.clock.uptime_microseconds()
        self.pending += [self.event("epilog", run.job, run.devices, restart=told_restart)] * copies

    def requeue(self, number: int, copies: int, *, starts_agent: bool = True) -> None:
        """A run ends, with an epilog that counts one more already, and its job starts anew here; the agent
        sees it all at once."""
        run = self.runs[number]
        self._finish(run, run.restart + 1, copies)
        self.clock.advance(2 * SECOND)
        self._begin(len(self.runs) + 1, run.job, run.restart + 1, run.devices, copies)
        self.revive() if starts_agent else self.look()

    def let_pass(self, seconds: float) -> None:
        until = self.clock.uptime_microseconds() + round(seconds * SECOND)
        while (now := self.clock.uptime_microseconds()) < until:
            wake = self.meter.next_step_microseconds() if self.alive else until
            self.clock.advance(min(max(wake, now + 1), until) - now)
            self.look()

    def lose_the_spool(self) -> None:
        """Somebody removes it under an agent, which lives to write it anew: else it is all there is."""
        if self.alive and not self.journal.is_away:
            self.journal.fuse = 0
            shutil.rmtree(self.directory / "journal", ignore_errors=True)
            self.look()

    def seal(self) -> None:
        """What the sealing child does, with what is on disk."""
        self.look()
        if self.alive and self.is_on_disk:
            for name, shard in zip(self.meter.complete.names, self.sealable(), strict=True):
                (self.idle if shard.key.job_id == NO_JOB else self.sealed).append(shard)
                self.meter.complete.sealed(name)


def check(node: HistoryNode, first: dict[int, int], last: dict[int, int]) -> None:
    """`first` and `last`: what each GPU had drawn at the node's first and last boundary on it."""
    keys = [(shard.key.job_id, shard.key.restart, shard.part) for shard in node.sealed]
    assert len(set(keys)) == len(keys), "a run was sealed twice"
    finals = sorted((shard.key.job_id, shard.key.restart) for shard in node.sealed if shard.final)
    runs = {(run.job, run.restart): run for run in node.runs.values()}
    assert finals == sorted(runs), "each run is sealed to its end, once"
    for key, run in runs.items():
        _check_run(run, [shard for shard in node.sealed if (shard.key.job_id, shard.key.restart) == key])
    for gpu in first:
        boundaries = [
            b for shard in [*node.sealed, *node.idle] for b in shard.boundaries if b.gpu_uuid == uuid_of(gpu)
        ]
        segments = {b.segment for b in boundaries}
        for segment in segments:
            of_segment = [b for b in boundaries if b.segment == segment]
            _check_ledger(of_segment)
            _check_idle(of_segment, [run for run in node.runs.values() if gpu in run.started])
        if len(segments) == 1:
            energies = [b.energy_millijoules for b in boundaries]
            assert max(energies) - min(energies) == last[gpu] - first[gpu]


def is_whole(shards: list[Shard]) -> bool:
    """Whether nothing was missing of a run."""
    flags = {flag for shard in shards for flag in shard.flags}
    partly = {Flag.LATE_START, Flag.EARLY_END, Flag.COUNTER_RESET, Flag.NO_END}
    return not flags & partly and not any(gpu.reason for shard in shards for gpu in shard.gpus)


def _check_run(run: TrueRun, shards: list[Shard]) -> None:
    for gpu in run.started:
        own = [b for shard in shards for b in shard.boundaries if b.gpu_uuid == uuid_of(gpu)]
        truth = run.ended[gpu] - run.started[gpu]
        measured = 0
        for b in own:
            if b.since_energy_millijoules is not None:
                energy = b.energy_millijoules - b.since_energy_millijoules
                span = b.uptime_microseconds - b.since_uptime_microseconds
                doubt = b.uncertainty_millijoules + max(o.uncertainty_millijoules for o in own)
                assert 0 <= energy <= LIMIT_MILLIWATTS * span // SECOND + doubt + 1
                measured += energy
        bridged = sum(b.bridged_millijoules or 0 for b in own)
        measured += bridged
        outer = sum(b.uncertainty_millijoules for b in own if b.kind is not Kind.HOUR)
        doubt = outer + bridged // 20 + 1
        assert measured <= truth + doubt, (measured, truth, own)
        if is_whole(shards):
            assert measured >= truth - doubt, (measured, truth, own)


def _check_ledger(boundaries: list[Boundary]) -> None:
    """The energy of a GPU's runs, of its idle time, and of what nobody followed, is what the counter grew
    by in a segment, to the millijoule: each stretch is one of them."""
    values: dict[int, int] = {}
    for b in boundaries:
        assert values.setdefault(b.uptime_microseconds, b.energy_millijoules) == b.energy_millijoules
    instants = sorted(values)
    assert [values[at] for at in instants] == sorted(values.values()), "a counter never goes down"
    held = []
    for b in boundaries:
        if b.since_uptime_microseconds is not None:
            assert values[b.since_uptime_microseconds] == b.since_energy_millijoules
            held.append((b.since_uptime_microseconds, b.uptime_microseconds))
    for since, until in _idle(boundaries):
        assert not any(start < until and since < end for start, end in held), "held, and idle as well"


def _idle(boundaries: list[Boundary]) -> list[tuple[int, int]]:
    """The stretches that are said to be idle: a start names the boundary that is the last before it."""
    instants = sorted({b.uptime_microseconds for b in boundaries})
    neighbours = set(pairwise(instants))
    claimed = {
        (b.previous_uptime_microseconds, b.uptime_microseconds)
        for b in boundaries
        if b.previous_segment == b.segment
    }
    return sorted(claimed & neighbours)


def _check_idle(boundaries: list[Boundary], runs: list[TrueRun]) -> None:
    """Nobody held a GPU while it is said to be idle; and while all was well it is said to be."""
    for since, until in _idle(boundaries):
        assert not any(run.started_uptime < until and since < run.ended_uptime for run in runs)
