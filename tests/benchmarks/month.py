"""A month of a large cluster, drawn from a seed and written into tables by the real writer.

    store, labs = write_month(root, Size())

The same size and seed give the same rows. Nothing is drawn from a measured cluster: sizes of labs, times
and powers have the spread that makes pages slow, not the one that makes them true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sam_cluster.core.times import utc_microseconds
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from sam_cluster.store.commit import Transaction, prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import by_day
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables

PERIOD = "2026-10"
BEGIN = utc_microseconds(datetime(2026, 10, 1, tzinfo=UTC))
END = utc_microseconds(datetime(2026, 11, 1, tzinfo=UTC))
COMMITTED = utc_microseconds(datetime(2026, 11, 2, 3, 15, tzinfo=UTC))

STATES = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY")
TASKS = ("imagenet-1k", "cifar-10", "coco", "kinetics-400", "ade20k", "librispeech", "wikitext-103", "squad")
GPUS_OF_A_NODE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is in the month."""

    labs: int = 40
    people: int = 600
    jobs: int = 100_000
    results: int = 5_000
    nodes: int = 60
    seed: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The month's jobs as columns; times are microseconds UTC, powers milliwatts."""

    number: np.ndarray
    user: np.ndarray
    lab: np.ndarray
    gpus: np.ndarray
    submitted: np.ndarray
    eligible: np.ndarray
    started: np.ndarray
    ended: np.ndarray
    power: np.ndarray
    state: np.ndarray
    is_missing: np.ndarray  # nothing was sent of it
    is_partial: np.ndarray  # a node of it sent nothing
    has_two_runs: np.ndarray
    energy: np.ndarray


def write_month(root: Path, size: Size) -> tuple[Path, list[str]]:
    """A store with the month in its tables and its configuration beside it, and the names of the labs."""
    rng = np.random.default_rng(size.seed)
    jobs = _jobs(rng, size)
    usage = _usage(jobs, size)
    paths = StorePaths(root / "store")
    paths.root.mkdir(parents=True)
    prepare(paths)
    change = Transaction(Tables(paths).snapshot(), now_microseconds=COMMITTED)
    for table, rows in {
        "usage": usage,
        "runs": _runs(jobs),
        "jobs": _jobs_table(jobs),
        "accounting": _accounting(jobs),
        "gaps": _gaps(rng, size),
        "results": _results(rng, jobs, size),
    }.items():
        for day, part in by_day(table, rows).items():
            change.replace_day(table, day, part)
    change.commit()
    labs = [_lab(n) for n in range(size.labs)]
    (root / "config.toml").write_text(_configuration(paths.root, labs, size))
    return paths.root, labs


def _configuration(store: Path, labs: list[str], size: Size) -> str:
    groups = [
        f'[groups.{lab}]\naccounts = ["{lab}"]\nmembers = {size.people // size.labs}\n'
        f"share = {1 / size.labs:.4f}"
        for lab in labs
    ]
    report = '[report]\ntimezone = "Europe/London"\ncarbon_g_per_kwh = 120\nprice_per_kwh = 0.28\npue = 1.2'
    return "\n".join([f'[paths]\nstore = "{store}"', *groups, report, ""])


def _lab(number: int) -> str:
    return f"lab{number:02}"


def _jobs(rng: np.random.Generator, size: Size) -> Jobs:
    count = size.jobs
    weights = rng.lognormal(0, 1, size.people)
    user = rng.choice(size.people, count, p=weights / weights.sum())
    length = (rng.gamma(0.8, 2.5, count) * MICROSECONDS_PER_HOUR).astype(np.int64) + 60_000_000
    started = rng.integers(BEGIN - MICROSECONDS_PER_DAY // 2, END, count)
    gpus = rng.choice([1, 2, 4, 8], count, p=[0.65, 0.15, 0.15, 0.05])
    eligible = started - (rng.lognormal(3.5, 2.0, count) * 1e6).astype(np.int64)
    power = rng.integers(90_000, 400_000, count)
    fate = rng.random(count)
    return Jobs(
        number=np.arange(1_000_000, 1_000_000 + count),
        user=user,
        lab=user % size.labs,
        gpus=gpus,
        submitted=eligible - 5_000_000,
        eligible=eligible,
        started=started,
        ended=started + length,
        power=power,
        state=rng.choice(len(STATES), count, p=[0.72, 0.13, 0.09, 0.04, 0.02]),
        is_missing=fate < 0.01,
        is_partial=(fate > 0.98) & (gpus == GPUS_OF_A_NODE),
        has_two_runs=(fate > 0.5) & (fate < 0.53),
        energy=gpus * (power * (length // 1_000_000)),
    )


def _spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which row each of `counts` copies comes from, and its number among them."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _usage(jobs: Jobs, size: Size) -> pa.Table:
    first, last = jobs.started // MICROSECONDS_PER_HOUR, (jobs.ended - 1) // MICROSECONDS_PER_HOUR
    hours = last - first + 1
    job, place = _spread(np.where(jobs.is_missing, 0, jobs.gpus * hours))
    gpu, at = np.divmod(place, hours[job])
    hour = (first[job] + at) * MICROSECONDS_PER_HOUR
    begin = np.maximum(hour, jobs.started[job])
    held = np.minimum(hour + MICROSECONDS_PER_HOUR, jobs.ended[job]) - begin
    # The second run of a job has the hours of its second half.
    restart = np.where(jobs.has_two_runs[job] & (at * 2 >= hours[job]), 1, 0)
    begun = np.where(restart == 1, _second_start(jobs)[job], jobs.started[job])
    energy = held // 1_000_000 * jobs.power[job]
    node = jobs.number[job] % size.nodes
    return _table("usage", len(job), {
        "cluster": _word("big", len(job)),
        "run_id": _run_ids(jobs.number[job], restart),
        "raw_job_id": pa.array(jobs.number[job]),
        "node": _named("node", node),
        "started_at": pa.array(begun),
        "gpu_uuid": _named("GPU", node * GPUS_OF_A_NODE + gpu),
        "hour": pa.array(hour),
        "held_microseconds": pa.array(held),
        "device_energy_millijoules": pa.array(energy),
        "energy_millijoules": pa.array(energy),
        "uncertainty_millijoules": pa.array(np.full(len(job), 2_000)),
        "holders": pa.array(np.ones(len(job), np.int32)),
        "quality": _chosen(("measured", "lower_bound"), jobs.is_partial[job].astype(int)),
        "flags": _no_words(len(job)),
    })  # fmt: skip


def _second_start(jobs: Jobs) -> np.ndarray:
    first, last = jobs.started // MICROSECONDS_PER_HOUR, (jobs.ended - 1) // MICROSECONDS_PER_HOUR
    half = (last - first + 2) // 2
    return np.maximum((first + half) * MICROSECONDS_PER_HOUR, jobs.started)


def _runs(jobs: Jobs) -> pa.Table:
    job, restart = _spread(np.where(jobs.is_missing, 0, np.where(jobs.has_two_runs, 2, 1)))
    second = _second_start(jobs)[job]
    two = jobs.has_two_runs[job]
    energy = jobs.energy[job] // np.where(two, 2, 1)
    count = len(job)
    return _table("runs", count, {
        "cluster": _word("big", count),
        "run_id": _run_ids(jobs.number[job], restart),
        "raw_job_id": pa.array(jobs.number[job]),
        "restart": pa.array(restart.astype(np.int32)),
        "started_at": pa.array(np.where(restart == 1, second, jobs.started[job])),
        "ended_at": pa.array(np.minimum(np.where(two & (restart == 0), second, END * 2), jobs.ended[job])),
        "user": _named("user", jobs.user[job]),
        "account": _labs(jobs.lab[job]),
        "nodes_expected": pa.array(np.where(jobs.is_partial[job], 2, 1).astype(np.int32)),
        "nodes_metered": pa.array(np.ones(count, np.int32)),
        "gpus": pa.array(jobs.gpus[job].astype(np.int32)),
        "gpus_metered": pa.array(jobs.gpus[job].astype(np.int32)),
        "energy_millijoules": pa.array(energy),
        "uncertainty_millijoules": pa.array(np.full(count, 2_000)),
        "quality": _chosen(("measured", "lower_bound"), jobs.is_partial[job].astype(int)),
        "flags": _words(("node_missing",), jobs.is_partial[job]),
        "reasons": _words(("no_shard",), jobs.is_partial[job]),
    })  # fmt: skip


def _jobs_table(jobs: Jobs) -> pa.Table:
    count = len(jobs.number)
    quality = np.where(jobs.is_missing, 2, jobs.is_partial.astype(int))
    first = _run_ids(jobs.number, np.zeros(count, int)).to_pylist()
    run_ids = [
        [] if missing else [one, one[:-1] + "1"] if two else [one]
        for one, missing, two in zip(first, jobs.is_missing, jobs.has_two_runs, strict=True)
    ]
    return _table("jobs", count, {
        **_of_slurm(jobs),
        "nodes": pa.array(np.where(jobs.is_partial, 2, 1).astype(np.int32)),
        "gpus": pa.array(jobs.gpus.astype(np.int32)),
        "gpu_microseconds": pa.array(jobs.gpus * (jobs.ended - jobs.started)),
        "energy_millijoules": pa.array(jobs.energy, mask=jobs.is_missing),
        "uncertainty_millijoules": pa.array(np.full(count, 2_000)),
        "quality": _chosen(("measured", "lower_bound", "unknown"), quality),
        "flags": _words(("no_shard",), jobs.is_missing),
        "reasons": _words(("no_shard",), jobs.is_missing | jobs.is_partial),
        "run_ids": pa.array(run_ids, pa.list_(pa.string())),
    })  # fmt: skip


def _accounting(jobs: Jobs) -> pa.Table:
    count = len(jobs.number)
    return _table("accounting", count, {
        **_of_slurm(jobs),
        "restart": pa.array(jobs.has_two_runs.astype(np.int32)),
        "uid": pa.array(jobs.user + 10_000),
        "node_count": pa.array(np.ones(count, np.int32)),
        "gpus": pa.array(jobs.gpus.astype(np.int32)),
    })  # fmt: skip


def _of_slurm(jobs: Jobs) -> dict[str, pa.Array]:
    return {
        "cluster": _word("big", len(jobs.number)),
        "job_id": pa.array(jobs.number).cast(pa.string()),
        "raw_job_id": pa.array(jobs.number),
        "job_name": _named("train", jobs.number % 977),
        "user": _named("user", jobs.user),
        "account": _labs(jobs.lab),
        "partition": _word("gpu", len(jobs.number)),
        "qos": _word("normal", len(jobs.number)),
        "state": _chosen(STATES, jobs.state),
        "submitted_at": pa.array(jobs.submitted),
        "eligible_at": pa.array(jobs.eligible),
        "started_at": pa.array(jobs.started),
        "ended_at": pa.array(jobs.ended),
    }


def _gaps(rng: np.random.Generator, size: Size) -> pa.Table:
    """Eight stretches a GPU and day in which no run held it."""
    count = size.nodes * GPUS_OF_A_NODE * (END - BEGIN) // MICROSECONDS_PER_DAY * 8
    gpu = rng.integers(0, size.nodes * GPUS_OF_A_NODE, count)
    end = np.sort(rng.integers(BEGIN + MICROSECONDS_PER_HOUR, END, count))
    length = rng.integers(60_000_000, MICROSECONDS_PER_HOUR, count)
    lost = rng.random(count) < 0.01
    return _table("gaps", count, {
        "cluster": _word("big", count),
        "node": _named("node", gpu // GPUS_OF_A_NODE),
        "gpu_uuid": _named("GPU", gpu),
        "segment": _word("s0", count),
        "from_at": pa.array(end - length),
        "to_at": pa.array(end),
        "from_uptime_microseconds": pa.array(end - length - BEGIN),
        "to_uptime_microseconds": pa.array(end - BEGIN),
        "kind": _chosen(("idle", "unattributed"), lost.astype(int)),
        "cause": pa.array(np.where(lost, "not_metered", ""), mask=~lost),
        "energy_millijoules": pa.array(length // 1_000_000 * 60_000),
    })  # fmt: skip


def _results(rng: np.random.Generator, jobs: Jobs, size: Size) -> pa.Table:
    """Results of their authors' own jobs, of one to thirty of them each."""
    mine = np.argsort(jobs.user, kind="stable")
    starts = np.searchsorted(jobs.user[mine], np.arange(size.people))
    ends = np.searchsorted(jobs.user[mine], np.arange(size.people), side="right")
    author = rng.choice(np.flatnonzero(ends > starts), size.results)
    spent = np.minimum(rng.geometric(0.2, size.results), 30)
    rows: list[dict[str, Any]] = []
    for number, (who, wanted) in enumerate(zip(author.tolist(), spent.tolist(), strict=True)):
        own = mine[starts[who] : ends[who]]
        named = jobs.number[rng.choice(own, min(wanted, len(own)), replace=False)]
        rows.append(
            {
                "submission_id": f"{number:032x}", "cluster": "big", "submitted_at": COMMITTED,
                "uid": who + 10_000, "user": f"user{who}", "accuracy": float(rng.beta(8, 2)),
                "task": TASKS[rng.integers(len(TASKS))], "metric": "top-1", "dataset": "test data",
                "split": "test", "model": f"model {number % 251}", "note": "",
                "job_ids": [str(job) for job in sorted(named.tolist())], "verdict": "accepted",
                "author_by": "munge", "digest": f"{number:064x}",
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TABLES["results"])


def _table(table: str, count: int, columns: Mapping[str, pa.Array]) -> pa.Table:
    """The columns as a table's; what is not given is null."""
    schema = TABLES[table]
    return pa.table(
        [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema],
        schema=schema,
    )


def _word(word: str, count: int) -> pa.Array:
    return pa.array([word]).take(pa.array(np.zeros(count, np.int64)))


def _named(prefix: str, numbers: np.ndarray) -> pa.Array:
    names = pa.array([f"{prefix}{n}" for n in range(int(numbers.max(initial=0)) + 1)])
    return names.take(pa.array(numbers))


def _labs(numbers: np.ndarray) -> pa.Array:
    return pa.array([_lab(n) for n in range(int(numbers.max()) + 1)]).take(pa.array(numbers))


def _chosen(words: tuple[str, ...], numbers: np.ndarray) -> pa.Array:
    return pa.array(words).take(pa.array(numbers))


def _run_ids(numbers: np.ndarray, restarts: np.ndarray) -> pa.Array:
    texts = np.char.add(np.char.add(numbers.astype(str), "."), restarts.astype(str))
    return pa.array(texts, pa.string())


def _no_words(count: int) -> pa.Array:
    return _words(("",), np.zeros(count, bool))


def _words(words: tuple[str, ...], there: np.ndarray) -> pa.Array:
    choices = pa.array([[], list(words)], pa.list_(pa.string()))
    return choices.take(pa.array(there.astype(np.int64)))
