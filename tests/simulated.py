"""What nodes send of a history: each counter grows by chance, each boundary is made as an agent makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import count
from pathlib import Path
from random import Random

from sam_cluster.core.model import Boundary, Flag, GpuHeld, Kind, Rung, RunKey, Sample, Shard
from sam_cluster.store import shards
from sam_cluster.store.paths import StorePaths, shard_name
from tests.strategies import BOOTED, CLUSTER, DAY, EPOCH, HOUR, History, PlannedRun, gpu_uuid, node_name

#: So long is not known what a counter that restarts has counted.
BRIDGED_GAP = 3_000_000


def gpu_model(node: int) -> str:
    """The name of a node's GPUs."""
    return f"GPU of {node}"


@dataclass
class _Counter:
    """The energy counter of one GPU: it grows by chance from one instant that is asked for to the next."""

    random: Random
    segment: str
    values: dict[int, int] = field(default_factory=dict)
    marks: list[tuple[int, int]] = field(default_factory=list)

    def know(self, instants: list[int]) -> None:
        energy = self.random.randrange(10_000)
        for instant in sorted(set(instants)):
            energy += self.random.choice([0, 1, 7, 1_000_003, 12_345_678])
            self.values[instant] = energy


class Simulation:
    """The shards that a history leaves."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._random = Random(history.seed)
        self._counters: dict[tuple[int, int], list[tuple[int, _Counter]]] = {}
        for gpu in sorted({gpu for run in history.runs for gpu in run.gpus}):
            self._counters[gpu] = self._segments(*gpu)

    def wall(self, node: int, instant: int) -> int:
        """UTC as the node has it."""
        steps = [by for which, at, by in self.history.clock_steps if which == node and at <= instant]
        return EPOCH + instant + sum(steps)

    def total(self, node: int, gpu: int) -> dict[str, int]:
        """By segment, the increase of the counter from the first boundary to the last."""
        return {
            counter.segment: max(values) - min(values)
            for _, counter in self._counters[node, gpu]
            if (values := [energy for _, energy in counter.marks])
        }

    def bridged(self, node: int, gpu: int, at: int) -> int | None:
        """What the power samples say of a restart; None where they say nothing."""
        return Random(f"{self.history.seed} {node} {gpu} {at}").choice([None, 1, 7_000_003])

    def shards(self) -> list[Shard]:
        """All shards, by node, run and part."""
        boundaries: dict[tuple[PlannedRun, int], list[Boundary]] = {}
        for gpu in sorted(self._counters):
            for run, boundary in self._boundaries(*gpu):
                boundaries.setdefault((run, gpu[0]), []).append(boundary)
        in_order = sorted(boundaries, key=lambda key: (key[1], key[0].start, key[0].job_id))
        return [shard for key in in_order for shard in self._parts(*key, boundaries[key])]

    def _segments(self, node: int, gpu: int) -> list[tuple[int, _Counter]]:
        resets = sorted(at for n, g, at in self.history.resets if (n, g) == (node, gpu))
        begins = [-BOOTED, *resets]
        found = []
        for begin, end in zip(begins, [*resets, 10 * DAY + self.history.end], strict=True):
            counter = _Counter(Random(self._random.random()), f"boot{node}.{begin + BOOTED}")
            asked = [begin, end]
            for run in self.history.runs:
                if (node, gpu) in run.gpus:
                    asked += [run.start, run.end, *self._hours(node, run)]
            counter.know([at for at in asked if begin <= at <= end])
            found.append((begin, counter))
        return found

    def _hours(self, node: int, run: PlannedRun) -> list[int]:
        """The instants inside a run at which the wall clock shows a full hour, and it was read."""
        if run.unread:
            return []
        edges = [run.start, *(at for n, at, _ in self.history.clock_steps if n == node), run.end]
        found = []
        for begin in sorted({at for at in edges if run.start <= at < run.end}):
            end = min(at for at in edges if at > begin)
            offset = self.wall(node, begin) - begin
            first = (begin + offset) // HOUR * HOUR + HOUR
            found += [at for at in range(first - offset, end, HOUR) if run.start < at < run.end]
        return sorted(set(found))

    def _boundaries(self, node: int, gpu: int) -> Iterator[tuple[PlannedRun, Boundary]]:
        counters = self._counters[node, gpu]
        events: list[tuple[int, int, Kind, PlannedRun]] = []
        order = count()
        for run in self.history.runs:
            if (node, gpu) in run.gpus:
                events.append((run.start, next(order), Kind.START, run))
                events += [(at, next(order), Kind.HOUR, run) for at in self._hours(node, run)]
                events.append((run.end, next(order), Kind.END, run))
        for begin, _ in counters[1:]:
            for run in self.history.runs:
                if (node, gpu) in run.gpus and run.start < begin < run.end:
                    events.append((begin, next(order), Kind.SEGMENT, run))
        last: dict[PlannedRun, Boundary] = {}
        chain: Boundary | None = None
        held: set[PlannedRun] = set()
        events.sort(key=lambda event: (event[0], event[2] is Kind.START, event[1]))
        for at, _, kind, run in events:
            current = max(begin for begin, _ in counters if begin <= at)
            counter = dict(counters)[current]
            boundary = self._boundary(node, gpu, at, kind, counter)
            if kind is Kind.SEGMENT:
                older = max((each for each in counters if each[0] < at), key=lambda each: each[0])[1]
                closing = self._since(self._boundary(node, gpu, at, kind, older), last[run], run)
                older.marks.append((at, closing.energy_millijoules or 0))
                yield run, closing
                boundary = replace(
                    boundary, gap_microseconds=BRIDGED_GAP, bridged_millijoules=self.bridged(node, gpu, at)
                )
            elif kind is Kind.START:
                if chain and not held:
                    boundary = replace(
                        boundary,
                        previous_segment=chain.segment,
                        previous_at_microseconds=chain.at_microseconds if run.job_id % 2 else None,
                        previous_uptime_microseconds=chain.uptime_microseconds,
                        previous_energy_millijoules=chain.energy_millijoules,
                    )
                held.add(run)
            else:
                boundary = self._since(boundary, last[run], run)
            if kind is Kind.END:
                held.discard(run)
            counter.marks.append((at, boundary.energy_millijoules or 0))
            last[run] = chain = boundary
            yield run, boundary

    def _boundary(self, node: int, gpu: int, at: int, kind: Kind, counter: _Counter) -> Boundary:
        return Boundary(
            gpu_uuid=gpu_uuid(node, gpu),
            kind=kind,
            at_microseconds=self.wall(node, at),
            uptime_microseconds=at + BOOTED,
            segment=counter.segment,
            energy_millijoules=counter.values[at],
            counter_millijoules=counter.values[at],
            uncertainty_millijoules=5,
        )

    @staticmethod
    def _since(boundary: Boundary, since: Boundary, run: PlannedRun) -> Boundary:
        assert boundary.segment == since.segment
        energy = (boundary.energy_millijoules or 0) - (since.energy_millijoules or 0)
        span = boundary.uptime_microseconds - since.uptime_microseconds
        return replace(
            boundary,
            since_power_millijoules=energy + energy // 50 if boundary.uptime_microseconds % 7 else None,
            since_power_uncertainty_millijoules=3 if boundary.uptime_microseconds % 7 else None,
            since_idle_microseconds=span // 3 if boundary.uptime_microseconds % 5 else None,
            since_idle_millijoules=energy // 4 if boundary.uptime_microseconds % 5 else None,
            # Some nodes leave the instant to be counted back.
            since_at_microseconds=since.at_microseconds if run.job_id % 2 else None,
            since_uptime_microseconds=since.uptime_microseconds,
            since_energy_millijoules=since.energy_millijoules,
        )

    def _parts(self, run: PlannedRun, node: int, boundaries: list[Boundary]) -> Iterator[Shard]:
        by_instant = sorted(boundaries, key=lambda b: (b.uptime_microseconds, b.gpu_uuid))
        midnights = sorted(
            {
                b.uptime_microseconds
                for b in by_instant
                if b.kind is Kind.HOUR and b.at_microseconds % DAY == 0
            }
        )
        edges = [*midnights, by_instant[-1].uptime_microseconds]
        begin = -1
        for part, edge in enumerate(edges):
            rows = tuple(b for b in by_instant if begin < b.uptime_microseconds <= edge)
            begin = edge
            final = part == len(edges) - 1
            yield self._shard(run, node, part, final, rows)

    def _shard(self, run: PlannedRun, node: int, part: int, final: bool, rows: tuple[Boundary, ...]) -> Shard:
        opened = [b.bridged_millijoules is not None for b in rows if b.opens_segment]
        flags = {Flag.BRIDGED if is_bridged else Flag.COUNTER_RESET for is_bridged in opened}
        if final and run.no_end:
            flags.add(Flag.NO_END)
        return Shard(
            key=RunKey(cluster=CLUSTER, job_id=run.job_id, restart=run.restart),
            node=node_name(node),
            part=part,
            final=final,
            boot_id=f"boot{node}",
            started_at_microseconds=self.wall(node, run.start),
            ended_at_microseconds=rows[-1].at_microseconds,
            gpus=tuple(
                GpuHeld(uuid=gpu_uuid(n, g), requested=str(g), rung=Rung.UUID, name=gpu_model(n))
                for n, g in run.gpus
                if n == node
            ),
            boundaries=rows,
            samples=tuple(
                Sample(
                    gpu_uuid=b.gpu_uuid,
                    at_microseconds=b.at_microseconds,
                    uptime_microseconds=b.uptime_microseconds,
                    counter_millijoules=b.counter_millijoules,
                    power_energy_millijoules=None,
                    power_milliwatts=100_000,
                )
                for b in {(b.gpu_uuid, b.uptime_microseconds): b for b in rows}.values()
            ),
            uid=1000 + run.job_id % 3,
            user=f"user{run.job_id % 3}",
            account=f"lab{run.job_id % 2}",
            nodes_expected=len({n for n, _ in run.gpus}),
            flags=tuple(sorted(flags)),
        )


def content_of(shard: Shard) -> bytes:
    """A shard as the bytes of its file."""
    sink = BytesIO()
    shards.write(shard, sink)
    return sink.getvalue()


def put(paths: StorePaths, shard: Shard, *, change: Callable[[str], str] = str) -> Path:
    """Put a shard into the inbox, as a node would; where another lies under its name, beside it."""
    directory = paths.inbox / shard.node
    directory.mkdir(parents=True, exist_ok=True)
    content = content_of(shard)
    name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
    if (directory / name).exists() and (directory / name).read_bytes() != content:
        digest = hashlib.sha256(content).hexdigest()
        name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part, digest)
    path = directory / change(name)
    path.write_bytes(content)
    return path
