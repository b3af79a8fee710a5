"""From an inbox to tables: `python -m tests.benchmarks.fold [--shards N] [--store DIR] [--alone]`.

Each line is taken in a process of its own, in rounds, imports excluded, file cache warm. The bare loop has
pyarrow read one footer after another. DuckDB and polars sum the samples of all shards, and DuckDB the energy
that stands in their footers; none of them asks whether a shard is sound, who held a GPU, or writes anything.

With `--alone` the others are left away, and what a shard costs is compared with what it costs among 20,000;
and with what it costs where the file cache has none of them.

A store that `generate.py` filled stays as it is: what is folded is a copy of links.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from .generate import Size, generate

#: The pace of a machine that others share differs from one to the next.
ROUNDS = 7
ROUNDS_OF_FEW = 3  # before the many, and again after them
ROOT = Path(__file__).parents[2]
SHARDS, SAMPLES, GPUS = 20_000, 90, 4
MANY_SHARDS = 1_000_000
MEGABYTE = 1_000_000

#: Before this stage of `aggregate` everything is energy; from it on samples, until the next shards are read.
SAMPLES_BEGIN, INBOX_EMPTIED, SHARDS_READ = (
    "shards read for their samples", "emptying the inbox", "shards read",
)  # fmt: skip

#: What the runs drew: the greatest counter of each run and GPU less the least; no counter begins
#: anew here. A run that goes on over midnight has a shard a day, whose names differ in the number before the
#: last dot.
ENERGY_IN_FOOTERS = r"""
    WITH footers AS (
        SELECT regexp_replace(file_name, '\.\d+\.parquet$', '') AS run,
               json_extract(decode(value), '$.boundaries') AS columns
        FROM parquet_kv_metadata('{inbox}/*/*.parquet') WHERE decode(key) = 'sam_cluster.shard'),
    boundaries AS (
        SELECT run, CAST(json_extract(columns, '$.energy_millijoules') AS BIGINT[]) AS energies,
               CAST(json_extract(columns, '$.gpu') AS BIGINT[]) AS gpus
        FROM footers),
    each AS (
        SELECT run, unnest(energies) AS energy,
               unnest(list_resize(gpus, len(energies), gpus[1])) AS gpu
        FROM boundaries)
    SELECT sum(drawn) FROM (SELECT max(energy) - min(energy) AS drawn FROM each GROUP BY run, gpu)
"""


class Stages:
    """Hears of the stages of `aggregate`, and adds up what its two parts take."""

    def __init__(self) -> None:
        self.seconds = {"energy": 0.0, "samples": 0.0, "inbox": 0.0}
        self._part, self._since = "energy", time.perf_counter()

    def __call__(self, stage: str, done: int, of: int) -> None:
        parts = {SAMPLES_BEGIN: "samples", INBOX_EMPTIED: "inbox", SHARDS_READ: "energy"}
        self.stop(parts.get(stage, self._part))

    def stop(self, following: str = "inbox") -> None:
        """What comes now is of another part."""
        now = time.perf_counter()
        self.seconds[self._part] += now - self._since
        self._part, self._since = following, now


def timed(work: Callable[[], object]) -> dict[str, float]:
    """What a piece of work takes, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def bare(store: Path) -> dict[str, float]:
    import pyarrow.parquet as pq

    names = [str(path) for path in shards_of(store)]

    def loop() -> None:
        for name in names:
            pq.read_metadata(name)

    loop()  # the file cache is warm
    return timed(loop)


def shards_of(store: Path) -> list[Path]:
    return list((store / "inbox").glob("*/*.parquet"))


def warm(store: Path) -> dict[str, float]:
    """As `folded`, with all shards in the file cache."""
    for shard in shards_of(store):
        shard.read_bytes()
    return folded(store)


def cold(store: Path) -> dict[str, float]:
    """As `folded`, with no shard in the file cache."""
    os.sync()  # what is not on the disk yet is not forgotten
    for shard in shards_of(store):
        with shard.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return folded(store)


def folded(store: Path) -> dict[str, float]:
    """Seconds to the committed tables of energy, and of the samples beside them; memory and files."""
    import dask.threaded  # noqa: F401  # imports are excluded
    import pandas  # noqa: F401

    from sam_cluster.aggregate import flow
    from sam_cluster.aggregate.spread.wiring import LocalExecutor
    from sam_cluster.core.config import Config
    from sam_cluster.store.paths import StorePaths

    stages = Stages()
    began = time.process_time()
    outcome = flow.aggregate(
        StorePaths(store), Config(), accounting=None, now_microseconds=time.time_ns() // 1_000,
        executor=LocalExecutor(), progress=stages,
    )  # fmt: skip
    cpu = time.process_time() - began
    stages.stop()
    assert outcome.complete, outcome.problems[:3]
    return {
        **stages.seconds,
        "cpu": cpu,
        "shards": outcome.shards,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / MEGABYTE,
        "files": sum(1 for path in (store / "tables").rglob("*") if path.is_file()),
    }


def duckdb_samples(store: Path) -> dict[str, float]:
    import duckdb

    files = f"read_parquet('{store}/inbox/*/*.parquet', hive_partitioning = false)"
    return timed(duckdb.sql(f"SELECT sum(power_energy_millijoules) FROM {files}").fetchall)


def duckdb_footers(store: Path) -> dict[str, float]:
    import duckdb

    return timed(duckdb.sql(ENERGY_IN_FOOTERS.format(inbox=store / "inbox")).fetchall)


def polars_samples(store: Path) -> dict[str, float]:
    import polars as pl

    files = pl.scan_parquet(f"{store}/inbox/*/*.parquet", hive_partitioning=False)
    return timed(files.select(pl.col("power_energy_millijoules").sum()).collect)


MEASURES: dict[str, Callable[[Path], dict[str, float]]] = {
    "bare": bare,
    "aggregate": warm,
    "aggregate_cold": cold,
    "duckdb_samples": duckdb_samples,
    "duckdb_footers": duckdb_footers,
    "polars_samples": polars_samples,
}


RIVALS = {
    "DuckDB, energy from the footers": "duckdb_footers",
    "DuckDB, a sum over the samples": "duckdb_samples",
    "polars, a sum over the samples": "polars_samples",
}


def taken(measure: str, store: Path) -> Any:
    """What a measure gives in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.fold", "--measure", measure, "--store", str(store)]
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ran.stdout)


def linked(store: Path, copy: Path) -> Path:
    """A store with the same shards in its inbox, as links."""
    for directory in (store / "inbox").iterdir():
        target = copy / "inbox" / directory.name
        target.mkdir(parents=True)
        for name in os.listdir(directory):
            os.link(directory / name, target / name)
    return copy


def table(store: Path, work: Path) -> list[str]:
    """The table of a filled store, as lines of Markdown; `work` is a directory on the same disk."""
    rounds = [
        {
            **{name: taken(measure, store) for name, measure in RIVALS.items()},
            "copy": linked(store, work / f"copy-{number}"),
            "loop": taken("bare", store),
            "ours": taken("aggregate", work / f"copy-{number}"),
            "again": taken("bare", store),
        }
        for number in range(ROUNDS)
    ]
    for each in rounds:  # a machine has slow seconds and fast ones: the loop is taken right before and after
        each["loop"]["wall"] = (each["loop"]["wall"] + each["again"]["wall"]) / 2
    ours = [each["ours"] for each in rounds]
    shards = int(ours[0]["shards"])
    lines = {
        "bare loop of pyarrow over the footers": [each["loop"]["wall"] for each in rounds],
        "`aggregate`, to the committed tables of energy": [took["energy"] for took in ours],
        "`aggregate`, the samples after that": [took["samples"] for took in ours],
        "`aggregate`, emptying the inbox": [took["inbox"] for took in ours],
        **{name: [each[name]["wall"] for each in rounds] for name in RIVALS},
    }
    ratios = {
        name: [took / each["loop"]["wall"] for took, each in zip(seconds, rounds, strict=True)]
        for name, seconds in lines.items()
    }
    cpu, files = (median(took[name] for took in ours) for name in ("cpu", "files"))
    megabytes = max(took["megabytes"] for took in ours)
    return [
        f"| {shards:,} shards | wall s | µs a shard | ÷ bare loop | in the rounds |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {median(seconds):.2f} | {median(seconds) / shards * 1e6:.0f} "
            f"| {median(ratios[name]):.1f} | {min(ratios[name]):.1f} to {max(ratios[name]):.1f} |"
            for name, seconds in lines.items()
        ),
        "",
        f"Medians of {ROUNDS} rounds, in each of which all lines are taken in turn; the bare loop is the",
        "mean of one right before `aggregate` and one right after.",
        f"`aggregate`: {cpu:.1f} s of CPU, at most {megabytes:.0f} MB, {files:.0f} files.",
    ]


def growth(store: Path, work: Path) -> list[str]:
    """What a shard of a filled store costs beside one of 20,000, as lines of Markdown."""
    few = work / "few"
    generate(few, Size(shards=SHARDS, samples=SAMPLES, gpus=GPUS, seed=1))

    def take(number: int) -> tuple[Any, Any]:
        copies = [linked(few, work / f"{name}-{number}") for name in ("warm", "cold")]
        return taken("aggregate", copies[0]), taken("aggregate_cold", copies[1])

    before = [take(number) for number in range(ROUNDS_OF_FEW)]
    many = taken("aggregate", linked(store, work / "many"))
    after = [take(number) for number in range(ROUNDS_OF_FEW, 2 * ROUNDS_OF_FEW)]
    few_each, unread = (sorted(each, key=itemgetter("energy")) for each in zip(*before, *after, strict=True))
    lines = {
        f"{SHARDS:,}": few_each[len(few_each) // 2],
        f"{many['shards']:,}": many,
        f"{SHARDS:,}, not in the file cache": unread[len(unread) // 2],
    }
    ratios = [many["energy"] / many["shards"] / (took["energy"] / took["shards"]) for took in few_each]
    ratio = f"{median(ratios):.2f} times as long to its energy ({min(ratios):.2f} to {max(ratios):.2f})"
    times = f"the few were folded {len(few_each)} times, half of them after the many"
    read = "But for the last line all shards were read once before"
    return [
        "| shards | energy, s | µs a shard | samples, s | µs a shard | CPU s | MB | files |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {took['energy']:.1f} | {took['energy'] / took['shards'] * 1e6:.0f} | "
            f"{took['samples']:.0f} | {took['samples'] / took['shards'] * 1e6:.0f} | "
            f"{took['cpu']:.0f} | {took['megabytes']:.0f} | {took['files']:,} |"
            for name, took in lines.items()
        ),
        "",
        f"A shard of the many takes {ratio}: {times}. {read}.",
    ]


def measured(shards: int = SHARDS, store: Path | None = None, *, alone: bool = False) -> list[str]:
    """The table of so many shards, or of a store that holds them already."""
    with tempfile.TemporaryDirectory(dir=store.parent if store else None) as name:
        filled = store or Path(name) / "store"
        if store is None:
            generate(filled, Size(shards=shards, samples=SAMPLES, gpus=GPUS, seed=1))
        return (growth if alone else table)(filled, Path(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=SHARDS, help="default: %(default)s")
    parser.add_argument("--store", type=Path, help="one whose inbox is filled already")
    parser.add_argument("--alone", action="store_true", help="without others, beside 20,000 shards")
    parser.add_argument("--measure", choices=list(MEASURES), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(MEASURES[args.measure](args.store)))
    else:
        print("\n".join(measured(args.shards, args.store, alone=args.alone)))


if __name__ == "__main__":
    main()
