"""Years of history, straight into tables through the real writer: one day (`day.py`), moved in time.

    history = History(day)
    history.write(paths, range(1, 31))      # the days before it, as many as are wanted

Every day has the same jobs of the same people on the same GPUs; times, numbers, counters and digests are its
own. Nodes are never rebooted: each GPU's counter goes on over all the years. Beside what the fold makes there
are `RESULTS_A_DAY` results, of one to twelve jobs of one person, every third of a whole array.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.aggregate.accounting import SINCE
from sam_cluster.core.model import NO_JOB
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables

from .day import CLUSTER, DATE, Day
from .generate import BEGIN

RESULTS_A_DAY = 3
DAYS_IN_A_COMMIT = 7
TASKS = ("imagenet-1k", "coco", "librispeech")

#: A column of a table, so many days before.
Move = Callable[[int], pa.Array]


class History:
    """The days before a day."""

    def __init__(self, day: Day) -> None:
        self._day = day
        increases = _increases(day.tables["readings"])
        self._moves = {
            table: _moves(rows, day.work.jobs, increases if table == "readings" else None)
            for table, rows in day.tables.items()
        }
        self._results = _results(day.tables["accounting"])

    def table(self, table: str, days_before: int) -> pa.Table:
        """The rows of a table so many days before."""
        moves = self._moves[table]
        return pa.table([moves[f.name](days_before) for f in TABLES[table]], schema=TABLES[table])

    def results(self, days_before: int) -> list[dict[str, Any]]:
        """The results of a day."""
        back = days_before * self._day.work.jobs
        return [
            {
                **row,
                "submission_id": f"{days_before:028x}{at:04x}",
                "digest": f"{days_before:060x}{at:04x}",
                "submitted_at": row["submitted_at"] - days_before * MICROSECONDS_PER_DAY,
                "job_ids": [str(int(number) - back) for number in row["job_ids"]],
            }
            for at, row in enumerate(self._results)
        ]

    def write(
        self, paths: StorePaths, days: Iterable[int], told: Callable[[int], None] = lambda day: None
    ) -> None:
        """Put some days, by how long before they are, into the tables of a store, beside those it holds."""
        wanted = list(days)
        for at in range(0, len(wanted), DAYS_IN_A_COMMIT):
            snapshot = Tables(paths).snapshot()
            # Each commit is made two hours after the one before, so that what that superseded is swept.
            now = BEGIN + (1 + snapshot.number) * 2 * MICROSECONDS_PER_HOUR
            change = Transaction(snapshot, now_microseconds=now)
            some = wanted[at : at + DAYS_IN_A_COMMIT]
            for days_before in some:
                for table in self._moves:
                    rows = self.table(table, days_before)
                    change.replace_day(table, DATE - timedelta(days=days_before), rows)
            fresh = [row for days_before in some for row in self.results(days_before)]
            held = change.read_day("results", None)
            change.replace_day("results", None, pa.concat_tables([held, from_rows("results", fresh)]))
            first = BEGIN - max(some) * MICROSECONDS_PER_DAY
            change.properties.update({**self._day.properties, SINCE: first})
            change.commit()
            told(some[-1])


def _increases(readings: pa.Table) -> pa.Array:
    """By how much the counter of each reading's GPU grows in a day: from where the first found it on."""
    grown = readings.group_by("gpu_uuid").aggregate(
        [("energy_millijoules", "max"), ("previous_energy_millijoules", "min")]
    )
    by_gpu = pc.subtract(grown["energy_millijoules_max"], grown["previous_energy_millijoules_min"])
    return by_gpu.take(pc.index_in(readings["gpu_uuid"], grown["gpu_uuid"])).combine_chunks()


def _moves(rows: pa.Table, jobs_a_day: int, increases: pa.Array | None) -> dict[str, Move]:
    """How each column of a table moves."""
    rows = rows.combine_chunks()
    return {name: _move(name, rows[name].chunk(0), jobs_a_day, increases) for name in rows.column_names}


def _move(name: str, column: pa.Array, jobs_a_day: int, increases: pa.Array | None) -> Move:
    if pa.types.is_timestamp(column.type):
        instants = column.cast(pa.int64())
        return lambda days: pc.subtract(instants, days * MICROSECONDS_PER_DAY).cast(column.type)
    if name.endswith("uptime_microseconds"):
        return lambda days: pc.subtract(column, days * MICROSECONDS_PER_DAY)
    if increases is not None and name in COUNTERS:
        return lambda days: pc.subtract(column, pc.multiply(increases, days))
    if name in ("raw_job_id", "array_job_id"):
        return lambda days: _numbers(column, days * jobs_a_day)
    if name in ("job_id", "run_id"):
        return _names(column, jobs_a_day)
    if name == "run_ids":
        names = _names(column.values, jobs_a_day)
        return lambda days: pa.ListArray.from_arrays(column.offsets, names(days))
    if name == "shard_digest":
        return _digests(column)
    return lambda days: column


#: Columns of `readings` that hold the counter of a GPU.
COUNTERS = (
    "energy_millijoules", "counter_millijoules", "since_energy_millijoules", "previous_energy_millijoules",
)  # fmt: skip


def _numbers(numbers: pa.Array, back: int) -> pa.Array:
    return pc.if_else(pc.equal(numbers, NO_JOB), numbers, pc.subtract(numbers, back))


def _names(names: pa.Array, jobs_a_day: int) -> Move:
    """Texts that begin with a job's number."""
    parts = pc.extract_regex(names, r"^(?P<number>\d+)(?P<rest>.*)$")
    numbers, rest = pc.struct_field(parts, "number").cast(pa.int64()), pc.struct_field(parts, "rest")
    return lambda days: pc.binary_join_element_wise(
        _numbers(numbers, days * jobs_a_day).cast(pa.string()), rest, ""
    )


def _digests(column: pa.Array) -> Move:
    encoded = column.dictionary_encode()
    known = encoded.dictionary.to_pylist()

    def moved(days: int) -> pa.Array:
        fresh = [hashlib.sha256(f"{digest}.{days}".encode()).hexdigest() for digest in known]
        return pa.array(fresh, pa.string()).take(encoded.indices)

    return moved


def _results(accounting: pa.Table) -> list[dict[str, Any]]:
    """The results of the day itself, of its jobs."""
    rng = np.random.default_rng(7)
    rows = accounting.select(["user", "uid", "raw_job_id", "array_job_id"]).to_pylist()
    arrays = [row for row in rows if row["array_job_id"] is not None]
    plain = [row for row in rows if row["array_job_id"] is None]
    found = []
    for at in range(RESULTS_A_DAY):
        chosen = (arrays if at % 3 == 0 and arrays else plain)[
            int(rng.integers(len(plain))) % (len(arrays) or 1)
        ]
        own = [str(row["raw_job_id"]) for row in plain if row["user"] == chosen["user"]]
        jobs = own[: int(rng.integers(1, 13))]
        if chosen["array_job_id"] is not None:
            jobs = [str(chosen["array_job_id"])]
        found.append({
            "submission_id": "", "cluster": CLUSTER, "submitted_at": BEGIN + MICROSECONDS_PER_DAY,
            "uid": chosen["uid"], "user": chosen["user"], "accuracy": float(rng.beta(8, 2)),
            "task": TASKS[at % len(TASKS)], "metric": "top-1", "dataset": "test data", "split": "test",
            "model": f"model {at}", "note": "", "job_ids": jobs, "verdict": "accepted", "author_by": "munge",
            "digest": "",
        })  # fmt: skip
    return found
