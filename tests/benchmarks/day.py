"""One day of a large cluster through the real fold: its shards, its accounting, and its tables.

    day = Day.make(root, Load())

Nothing is drawn from a measured cluster. Runs are those of `generate.py`, with its distributions of sizes,
lengths, owners and powers, and beside them:

    runs       all begin and end on the day: what would go on is cut at its end
    numbers    Slurm's, in the order of submission; of 10 submissions 7 began on the day they came, the others
               waited for 1 to 7 days, so that a day's jobs have numbers of eight days
    accounting a row a job, as sacct has it
    idle       a reading at each full hour of each GPU that no run holds then: job 0, one shard a node
    granted    the shares of 40 labs

The day before has the same runs. It is folded first, so that the day's gaps begin where they do in a history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sam_cluster import __version__
from sam_cluster.accounting import sacct_columns
from sam_cluster.accounting.saved import SavedSource
from sam_cluster.accounting.sshare_text import AccountShare
from sam_cluster.aggregate.flow import aggregate
from sam_cluster.aggregate.spread.wiring import LocalExecutor
from sam_cluster.core.config import Config
from sam_cluster.core.model import NO_JOB, Boundary, GpuHeld, Kind, Rung, RunKey, Shard
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND
from sam_cluster.store import shards
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths, shard_name
from sam_cluster.store.rows import day_of
from sam_cluster.store.tables import Tables

from .generate import BEGIN, LABS, Node, Run, Size, schedule

DATE = day_of(BEGIN)
END = BEGIN + MICROSECONDS_PER_DAY
CLUSTER = "generated"
#: What the fold makes of shards, accounting and shares.
FOLDED = ("shards", "readings", "usage", "gaps", "runs", "jobs", "accounting", "shares")
#: Ten years of days, and more.
DAYS_AT_MOST = 3_700
FIRST_NUMBER = 100_000
LONGEST_WAIT_DAYS = 7
#: Ten years at 400 W can be counted back from it.
COUNTED_MILLIJOULES = 2 * 10**14
BOOTED = BEGIN - (DAYS_AT_MOST + 30) * MICROSECONDS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much there is on a day: 7,670 jobs of two GPUs a node, as it stands here."""

    shards: int = 8_400
    samples: int = 90
    gpus: int = 2
    seed: int = 1

    @property
    def size(self) -> Size:
        """As `generate.py` has it."""
        return Size(shards=self.shards, samples=self.samples, gpus=self.gpus, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The runs of a day, of a run on several nodes one for each. `job` and `array` are places among the day's
    jobs, from 0 on; `waited` says of each place how many days ago it was submitted."""

    runs: list[Run]
    waited: list[int]

    @classmethod
    def of(cls, load: Load) -> Work:
        """The runs of the schedule that begin on the day."""
        latest = END - 60 * MICROSECONDS_PER_SECOND
        begun = [run for run in schedule(load.size, shards_a_day=load.shards) if run.start < latest]
        places = {job: place for place, job in enumerate(dict.fromkeys(run.job for run in begun))}
        rng = np.random.default_rng(load.seed)
        waits = rng.integers(1, LONGEST_WAIT_DAYS + 1, len(places)) * (rng.random(len(places)) < 0.3)
        first = {place: place for place in places.values()}
        runs = []
        for run in begun:
            array = None if run.array is None else places[run.array]
            place = places[run.job]
            first[place] = place if array is None else array
            end = min(run.end, END - MICROSECONDS_PER_SECOND)
            runs.append(replace(run, job=place, array=array, end=end))
        return cls(runs=runs, waited=[int(waits[first[place]]) for place in range(len(places))])

    @property
    def jobs(self) -> int:
        """How many there are."""
        return len(self.waited)

    def number(self, place: int, days_before: int) -> int:
        """Slurm's number of a job on a day so many days before."""
        submitted = DAYS_AT_MOST + LONGEST_WAIT_DAYS - days_before - self.waited[place]
        return FIRST_NUMBER + submitted * self.jobs + place


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The day: where its shards lie as in an inbox, what sacct printed of it and of the day before, the rows
    of its tables, and the properties of a commit that ends with the day before."""

    inbox: Path
    accounting: Path
    work: Work
    tables: dict[str, pa.Table]
    properties: dict[str, Any]

    @classmethod
    def make(cls, root: Path, load: Load) -> Day:
        """Write and fold it below a directory, where there is nothing yet."""
        work = Work.of(load)
        paths = StorePaths(root / "store")
        paths.root.mkdir(parents=True)
        prepare(paths)
        inbox, accounting = root / "inbox", root / "sacct.txt"
        inbox.mkdir()
        _write_shards(work, load, {1: paths.inbox, 0: inbox})
        accounting.write_text(_sacct(work, load, (1, 0)), encoding="utf-8")
        before = _fold(paths, accounting, BEGIN)
        lay_in(inbox, paths)
        _fold(paths, accounting, END)
        snapshot = Tables(paths).snapshot()
        return cls(
            inbox=inbox,
            accounting=accounting,
            work=work,
            tables={table: snapshot.read_day(table, DATE) for table in FOLDED},
            properties=before,
        )


def lay_in(inbox: Path, paths: StorePaths) -> None:
    """Lay shards into the inbox of a store, as links, so that they stay where they are."""
    for path in inbox.rglob("*.parquet"):
        link = paths.inbox / path.relative_to(inbox)
        link.parent.mkdir(exist_ok=True)
        link.hardlink_to(path)


class _Granted:
    """A source of shares: as many for each lab."""

    def shares(self) -> list[AccountShare]:
        return [
            AccountShare(
                cluster=CLUSTER, account=f"lab{lab:02}", parent="root", raw_shares=1,
                level_share=1 / LABS, cluster_share=1 / LABS, own_share=1 / LABS,
            )
            for lab in range(LABS)
        ]  # fmt: skip


def _fold(paths: StorePaths, accounting: Path, midnight: int) -> dict[str, Any]:
    """Fold the inbox two hours after a midnight; the properties of the commit."""
    outcome = aggregate(
        paths,
        Config(cluster_name=CLUSTER),
        accounting=SavedSource(accounting),
        now_microseconds=midnight + 2 * MICROSECONDS_PER_HOUR,
        executor=LocalExecutor("synchronous"),
        shares=_Granted(),
    )
    if not outcome.complete:
        raise RuntimeError("; ".join(outcome.problems))
    return dict(Tables(paths).snapshot().properties)


def _write_shards(work: Work, load: Load, inboxes: dict[int, Path]) -> None:
    """The shards of some days, the earliest first, each into an inbox."""
    by_node: dict[int, list[Run]] = defaultdict(list)
    for run in work.runs:
        by_node[run.node].append(run)
    for number, runs in sorted(by_node.items()):
        node = Node(number, load.size)
        node.booted = BOOTED
        last = max((runs[-1].end, *_idle_marks(runs[-1].end, END)))
        for gpu in node.gpus:
            gpu.energy_millijoules = COUNTED_MILLIJOULES
            gpu.at = last - (1 + max(inboxes)) * MICROSECONDS_PER_DAY
        for days_before, inbox in inboxes.items():
            directory = inbox / node.name
            directory.mkdir()
            node.rng = np.random.default_rng([load.seed, number])  # each day draws the same
            for shard in _shards_of_day(node, runs, work, days_before):
                name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
                with (directory / name).open("wb") as file:
                    shards.write(shard, file)


def _idle_marks(begin: int, end: int) -> Iterator[int]:
    """The full hours strictly between two instants."""
    first = begin // MICROSECONDS_PER_HOUR + 1
    return iter(range(first * MICROSECONDS_PER_HOUR, end, MICROSECONDS_PER_HOUR))


def _shards_of_day(node: Node, runs: list[Run], work: Work, days_before: int) -> Iterator[Shard]:
    back = days_before * MICROSECONDS_PER_DAY
    idle: list[Boundary] = []
    held_until = BEGIN - back
    for run in runs:
        moved = replace(
            run, job=work.number(run.job, days_before), start=run.start - back, end=run.end - back
        )
        for at in _idle_marks(held_until, moved.start):
            idle += _idle_readings(node, at)
        yield from node.shards_of(moved)
        held_until = moved.end
    for at in _idle_marks(held_until, END - back):
        idle += _idle_readings(node, at)
    if idle:
        yield _idle_shard(node, idle)


def _idle_readings(node: Node, at: int) -> Iterator[Boundary]:
    """A reading of each GPU while nobody holds it."""
    for gpu in node.gpus:
        before_at, before = gpu.at, gpu.energy_millijoules
        gpu.rest(at)
        yield Boundary(
            gpu_uuid=gpu.uuid, kind=Kind.IDLE, at_microseconds=at, uptime_microseconds=at - node.booted,
            segment=node.segment, energy_millijoules=gpu.energy_millijoules,
            counter_millijoules=gpu.energy_millijoules, uncertainty_millijoules=400,
            previous_segment=node.segment, previous_at_microseconds=before_at,
            previous_uptime_microseconds=before_at - node.booted, previous_energy_millijoules=before,
        )  # fmt: skip


def _idle_shard(node: Node, boundaries: list[Boundary]) -> Shard:
    return Shard(
        key=RunKey(cluster=CLUSTER, job_id=NO_JOB, restart=0), node=node.name, part=0, final=True,
        boot_id=node.boot_id, started_at_microseconds=boundaries[0].at_microseconds,
        ended_at_microseconds=boundaries[-1].at_microseconds,
        gpus=tuple(GpuHeld(uuid=gpu.uuid, requested=gpu.uuid, rung=Rung.UUID, name="Generated GPU 400 W",
                           power_limit_milliwatts=400_000) for gpu in node.gpus),
        boundaries=tuple(boundaries), samples=(), agent_version=__version__, driver_version="560.35.03",
    )  # fmt: skip


def _sacct(work: Work, load: Load, days: tuple[int, ...]) -> str:
    """What sacct prints of the jobs of some days."""
    mark = "|0123456789abcdef|"
    columns = sacct_columns.columns(sacct_columns.OPTIONAL)
    nodes: dict[int, list[Run]] = defaultdict(list)
    for run in work.runs:
        nodes[run.job].append(run)
    lines = [mark.join(columns)]
    for days_before in days:
        for place, runs in nodes.items():
            row = _row(work, load, place, runs, days_before)
            lines.append(mark.join(row[column] for column in columns))
    return "\n".join(lines) + "\n"


def _row(work: Work, load: Load, place: int, runs: list[Run], days_before: int) -> dict[str, str]:
    run = runs[0]
    number = work.number(place, days_before)
    name = str(number)
    if run.array is not None:
        name = f"{work.number(run.array, days_before)}_{place - run.array}"
    start, end = (
        at // MICROSECONDS_PER_SECOND - days_before * 86_400 for at in (run.start, max(r.end for r in runs))
    )
    submit = start - 120 - work.waited[place] * 86_400
    return {
        "JobID": name, "JobIDRaw": str(number), "Cluster": CLUSTER, "State": "COMPLETED", "ExitCode": "0:0",
        "Submit": str(submit), "Eligible": str(submit), "Start": str(start), "End": str(end),
        "Suspended": "00:00:00", "AllocNodes": str(len(runs)),
        "NodeList": ",".join(f"node{each.node:04}" for each in runs), "UID": str(10_000 + run.person),
        "User": f"user{run.person:03}", "Partition": "gpu", "QOS": "normal",
        "AllocTRES": f"gres/gpu={len(runs) * load.gpus}", "SLUID": "", "Restarts": "0",
        "Account": f"lab{run.person % LABS:02}", "JobName": f"train{place % 97}",
    }  # fmt: skip
