"""Fills the inbox of a store with shards, through the real writer of shards.

    python tests/benchmarks/generate.py --shards 20000 --samples 90 --gpus 4 --seed 1 --store DIR

The same numbers give the same bytes. Nothing is drawn from a measured cluster:

    flow       25,000 shards a day from 2026-10-01 on; a node is idle for 2 minutes between two runs
    nodes      as many as carry that flow; a run has whole nodes of `--gpus` GPUs: 1 of them (85 %),
               2 (9 %), 4 (5 %) or 8 (1 %), and a shard for each node and UTC day
    duration   lognormal, sigma 1, mean `--samples` ticks of 10 s, at least one minute and at most three days
    arrays     one submission in ten is an array of 2 to 50 tasks of one owner
    owners     600 people in 40 labs, their activity lognormal, sigma 1
    power      a mean for each run and GPU between 90 and 400 W, each tick within 10 % of it; 55 W when idle
"""

from __future__ import annotations

import argparse
import heapq
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from sam_cluster import __version__
from sam_cluster.core.model import AgentCost, Boundary, Flag, GpuHeld, Kind, Rung, RunKey, Sample, Shard
from sam_cluster.core.times import utc_microseconds
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND
from sam_cluster.store import shards
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths, shard_name

BEGIN = utc_microseconds(datetime(2026, 10, 1, tzinfo=UTC))
SHARDS_A_DAY = 25_000
PEOPLE, LABS = 600, 40
INTERVAL = 10 * MICROSECONDS_PER_SECOND
MINUTE = 60 * MICROSECONDS_PER_SECOND
IDLE = 2 * MINUTE
IDLE_MILLIWATTS = 55_000
LONGEST = 3 * MICROSECONDS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much to make: shards, and in each the mean number of samples of a GPU, and the GPUs."""

    shards: int
    samples: int
    gpus: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run on one node; times are microseconds UTC."""

    job: int
    node: int
    nodes: int
    person: int
    start: int
    end: int
    array: int | None  # of an array's task: the job that the array is named by

    @property
    def parts(self) -> int:
        """How many shards it becomes: one for each UTC day."""
        return (self.end - 1) // MICROSECONDS_PER_DAY - self.start // MICROSECONDS_PER_DAY + 1


def schedule(size: Size, shards_a_day: int = SHARDS_A_DAY) -> Iterator[Run]:
    """Runs in the order in which they are submitted, of as many shards as are wanted."""
    rng = np.random.default_rng(size.seed)
    mean = size.samples * INTERVAL
    count = max(8, round(shards_a_day * (mean + IDLE) / MICROSECONDS_PER_DAY))
    free = [(BEGIN + int(rng.integers(MICROSECONDS_PER_HOUR)), node) for node in range(count)]
    heapq.heapify(free)
    activity = rng.lognormal(0, 1, PEOPLE)
    owners = np.cumsum(activity / activity.sum())
    job, left = 1_000_000, size.shards
    while left:
        person = min(int(np.searchsorted(owners, rng.random())), PEOPLE - 1)
        tasks = int(rng.integers(2, 51)) if rng.random() < 0.1 else 1
        nodes = int(rng.choice([1, 2, 4, 8], p=[0.85, 0.09, 0.05, 0.01])) if tasks == 1 else 1
        array = job if tasks > 1 else None
        for _ in range(tasks):
            if not left:
                return
            nodes = min(nodes, left)
            mine = [heapq.heappop(free) for _ in range(nodes)]
            start = max(at for at, _ in mine) + 1 + int(rng.exponential(IDLE))
            length = int(rng.lognormal(np.log(mean) - 0.5, 1.0))
            end = start + min(max(length, MINUTE), LONGEST)
            for at, (_, node) in enumerate(mine):
                # A node's prolog runs some milliseconds after that of the first.
                run = Run(
                    job=job, node=node, nodes=nodes, person=person, start=start + at * 7_000, end=end,
                    array=array,
                )  # fmt: skip
                if run.parts > left - (nodes - 1 - at):
                    end = (run.start // MICROSECONDS_PER_DAY + 1) * MICROSECONDS_PER_DAY
                    run = replace(run, end=end)
                left -= run.parts
                yield run
                heapq.heappush(free, (run.end, node))
            job += 1


class Gpu:
    """A GPU of a node: its counter as it is drawn on."""

    def __init__(self, node: str, index: int) -> None:
        self.uuid = f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{node}.{index}')}"
        self.at = BEGIN
        self.energy_millijoules = 10_000_000_000

    def rest(self, until: int) -> None:
        """Nobody holds it up to an instant."""
        span = until - self.at
        self.at, self.energy_millijoules = until, self.energy_millijoules + _idle_millijoules(span)


def _idle_millijoules(span: int) -> int:
    return IDLE_MILLIWATTS * span // MICROSECONDS_PER_SECOND


class Node:
    """A node that is never rebooted, and writes a shard of each of its runs and days."""

    def __init__(self, number: int, size: Size) -> None:
        self.name = f"node{number:04}"
        self.rng = np.random.default_rng([size.seed, number])
        self.boot_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.boot"))
        self.booted = BEGIN - (1 + number % 20) * MICROSECONDS_PER_DAY
        self.segment = f"{self.boot_id[:8]}.0"
        self.gpus = [Gpu(self.name, index) for index in range(size.gpus)]

    def shards_of(self, run: Run) -> Iterator[Shard]:
        """The shards of a run, one a UTC day."""
        boundaries: list[Boundary] = []
        samples: list[Sample] = []
        for gpu in self.gpus:
            self._meter(gpu, run, boundaries, samples)
        first_day = run.start // MICROSECONDS_PER_DAY
        for part in range(run.parts):
            # A boundary at midnight belongs to the day that it ends.
            days = range(first_day + part, first_day + part + 1)
            mine = tuple(b for b in boundaries if (b.at_microseconds - 1) // MICROSECONDS_PER_DAY in days)
            yield Shard(
                key=RunKey(cluster="generated", job_id=run.job, restart=0),
                node=self.name,
                part=part,
                final=part == run.parts - 1,
                boot_id=self.boot_id,
                started_at_microseconds=run.start,
                ended_at_microseconds=max(boundary.at_microseconds for boundary in mine),
                gpus=tuple(
                    GpuHeld(uuid=gpu.uuid, requested=str(index), rung=Rung.UUID, name="Generated GPU 400 W",
                            power_limit_milliwatts=400_000)
                    for index, gpu in enumerate(self.gpus)
                ),
                boundaries=mine,
                samples=tuple(s for s in samples if (s.at_microseconds - 1) // MICROSECONDS_PER_DAY in days),
                uid=10_000 + run.person,
                user=f"user{run.person:03}",
                account=f"lab{run.person % LABS:02}",
                partition="gpu",
                nodes_expected=run.nodes,
                flags=(Flag.SIMULATED,),
                agent_version=__version__,
                driver_version="560.35.03",
                agent_cost=AgentCost(
                    cpu_microseconds=(run.end - run.start) // 1_000, resident_bytes=24_000_000,
                    nvml_calls=3 * len(samples), nvml_microseconds=150 * len(samples),
                    nvml_longest_microseconds=2_000, missed_ticks=0,
                ),
            )  # fmt: skip

    def _meter(self, gpu: Gpu, run: Run, boundaries: list[Boundary], samples: list[Sample]) -> None:
        """The boundaries and samples of one GPU, whose counter goes on."""
        before_at, before = gpu.at, gpu.energy_millijoules
        gpu.rest(run.start)
        ticks = np.append(np.arange(run.start + INTERVAL, run.end, INTERVAL), run.end)
        spans = np.diff(ticks, prepend=run.start)
        power = self.rng.integers(90_000, 400_000) * self.rng.uniform(0.9, 1.1, len(ticks))
        drawn = (power * spans / MICROSECONDS_PER_SECOND).astype(np.int64)
        counter = gpu.energy_millijoules + np.cumsum(drawn)
        samples += [
            Sample(gpu_uuid=gpu.uuid, at_microseconds=at, uptime_microseconds=at - self.booted,
                   counter_millijoules=counted, power_energy_millijoules=energy, power_milliwatts=mean)
            for at, counted, energy, mean in zip(
                ticks.tolist(), counter.tolist(), drawn.tolist(), power.astype(np.int64).tolist(), strict=True
            )
        ]  # fmt: skip
        hour = (run.start // MICROSECONDS_PER_HOUR + 1) * MICROSECONDS_PER_HOUR
        instants = [run.start, *range(hour, run.end, MICROSECONDS_PER_HOUR), run.end]
        known = np.interp(instants, [run.start, *ticks], [0, *np.cumsum(drawn)]).astype(np.int64).tolist()
        values = [gpu.energy_millijoules + value for value in known]
        boundaries.append(
            Boundary(
                gpu_uuid=gpu.uuid, kind=Kind.START, at_microseconds=run.start,
                uptime_microseconds=run.start - self.booted, segment=self.segment,
                energy_millijoules=values[0], counter_millijoules=values[0], lag_microseconds=4_000,
                uncertainty_millijoules=400, previous_segment=self.segment,
                previous_at_microseconds=before_at,
                previous_uptime_microseconds=before_at - self.booted,
                previous_energy_millijoules=before,
            )
        )  # fmt: skip
        for (since, since_value), (at, value) in pairwise(zip(instants, values, strict=True)):
            boundaries.append(
                Boundary(
                    gpu_uuid=gpu.uuid, kind=Kind.END if at == run.end else Kind.HOUR, at_microseconds=at,
                    uptime_microseconds=at - self.booted, segment=self.segment, energy_millijoules=value,
                    counter_millijoules=value, lag_microseconds=4_000, uncertainty_millijoules=400,
                    since_at_microseconds=since, since_uptime_microseconds=since - self.booted,
                    since_energy_millijoules=since_value, since_power_millijoules=value - since_value,
                    since_power_uncertainty_millijoules=(value - since_value) // 100,
                    since_covered_microseconds=at - since,
                )
            )  # fmt: skip
        gpu.at, gpu.energy_millijoules = run.end, int(counter[-1])


def write_nodes(runs_of_nodes: Sequence[tuple[int, Sequence[Run]]], size: Size, store: Path) -> None:
    """Write the shards of some nodes into the inbox."""
    for number, runs in runs_of_nodes:
        node = Node(number, size)
        directory = StorePaths(store).inbox / node.name
        directory.mkdir(exist_ok=True)
        for run in runs:
            for shard in node.shards_of(run):
                name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
                with (directory / name).open("wb") as file:
                    shards.write(shard, file)


def generate(store: Path, size: Size) -> None:
    """Fill the inbox of a store, which is made where it is not there, by as many processes as there are
    cores."""
    paths = StorePaths(store)
    store.mkdir(parents=True, exist_ok=True)
    prepare(paths)
    by_node: dict[int, list[Run]] = {}
    for run in schedule(size):
        by_node.setdefault(run.node, []).append(run)
    nodes = sorted(by_node.items())
    some = [nodes[at : at + 8] for at in range(0, len(nodes), 8)]
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        list(processes.map(partial(write_nodes, size=size, store=store), some))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Fills the inbox of a store with generated shards.")
    parser.add_argument("--shards", type=int, required=True, metavar="N", help="how many, exactly")
    parser.add_argument("--samples", type=int, default=90, metavar="N", help="of a GPU, in the mean (90)")
    parser.add_argument("--gpus", type=int, default=4, metavar="N", help="of a node (4)")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(arguments)
    size = Size(shards=args.shards, samples=args.samples, gpus=args.gpus, seed=args.seed)
    generate(args.store, size)


if __name__ == "__main__":
    main(sys.argv[1:])
