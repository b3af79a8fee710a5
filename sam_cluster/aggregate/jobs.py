"""The tables `runs` and `jobs`, made anew for the job numbers of which something new is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import NO_JOB
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import integers
from sam_cluster.store.rows import empty, from_rows, identifying, to_rows

from .accounting import Asked
from .evidence import RUN_KEY, Evidence, of_jobs
from .job_keys import JOB_KEY, Job
from .join import Attempt, attempts, group_jobs, group_shards
from .plain.jobs import HAD_GPUS_COLUMNS, had_gpus, plain
from .shard_rows import Row
from .summarise import SHARD_MARGIN_MICROSECONDS, job_row, outline, run_row

#: Rows of `usage` by RUN_KEY.
HoursOfRuns = Mapping[tuple[Any, ...], list[Row]]

#: Up to when jobs were looked through for those that should have sent a shard.
LOOKED_UNTIL = "no_shard_until_microseconds"


def resummarise(
    transaction: Transaction,
    touched: pa.Table,
    asked: Asked,
    now_microseconds: int,
    calibration: Mapping[str, float],
) -> tuple[int, int]:
    """Bring `runs` and `jobs` up to date for these jobs, also with accounting that is not stored yet.
    `calibration`: the error of the gain of GPU models that the site has calibrated. Returns how many rows of
    each they have now."""
    jobs = touched.filter(pc.not_equal(touched["raw_job_id"], NO_JOB))
    if not len(jobs):
        return 0, 0
    evidence = Evidence.read(transaction, jobs, asked)
    done = plain(evidence, calibration)
    rest = exact(evidence.only(~done.is_plain), now_microseconds, calibration)
    added = [pa.concat_tables(both) for both in zip((done.runs, done.jobs), rest, strict=True)]
    for table, rows in zip(("runs", "jobs"), added, strict=True):
        known = of_jobs(transaction, table, jobs, identifying(table))
        transaction.exchange(table, removed=known, added=rows)
    return len(added[0]), len(added[1])


def exact(
    evidence: Evidence, now_microseconds: int, calibration: Mapping[str, float]
) -> tuple[pa.Table, pa.Table]:
    """The rows of `runs` and of `jobs` of some jobs, whatever is odd of them."""
    shards, records, hours = by_job(evidence.shards), by_job(evidence.records), _by_run(evidence.hours)
    new_runs: list[Row] = []
    new_jobs: list[Row] = []
    for row in evidence.jobs.to_pylist():
        job = row["cluster"], row["raw_job_id"]
        runs, rows = summary(shards.get(job, ()), hours, records.get(job, []), now_microseconds, calibration)
        new_runs += runs
        new_jobs += rows
    return from_rows("runs", new_runs), from_rows("jobs", new_jobs)


def summary(
    shards: Iterable[Row],
    hours: HoursOfRuns,
    records: list[Row],
    now_microseconds: int,
    calibration: Mapping[str, float],
) -> tuple[list[Row], list[Row]]:
    """The rows of `runs` and of `jobs` of one job number."""
    found, group_of = matched(shards, records)
    for attempt in found:
        attempt.runs = [
            run_row(group_of[id(each)], _hours_of(group_of[id(each)], hours), attempt.record, calibration)
            for each in attempt.runs
        ]
    rows = [job_row(job, now_microseconds, calibration) for job in group_jobs(found)]
    return [run for attempt in found for run in attempt.runs], [row for row in rows if row]


def matched(shards: Iterable[Row], records: Sequence[Row]) -> tuple[list[Attempt], dict[int, list[Row]]]:
    """The attempts of one job number, whose runs are outlines, and of each run (by `id`) its shards."""
    groups = group_shards(shards)
    outlines = [outline(group) for group in groups]
    found = attempts(outlines, [group[0]["sluid"] for group in groups], records)
    return found, {id(each): group for each, group in zip(outlines, groups, strict=True)}


def unlooked(transaction: Transaction, asked: Asked, now_microseconds: int) -> pa.Table:
    """Rows of accounting of jobs that should have sent a shard by now, and of which that was not known the
    last time."""
    until = now_microseconds - SHARD_MARGIN_MICROSECONDS
    since = transaction.properties.get(LOOKED_UNTIL, asked.since)
    if asked.until is None or since is None:
        return empty("accounting")
    rows = transaction.read(
        "accounting",
        start_microseconds=since,
        end_microseconds=until + 1,
        columns=(*JOB_KEY, *HAD_GPUS_COLUMNS),
        in_any_order=True,
    )
    ended = integers(rows["ended_at"])
    due = rows.filter(pa.array(had_gpus(rows) & (since <= ended) & (ended <= until)))
    if len(due):
        transaction.properties[LOOKED_UNTIL] = max(until, since)
    return due


def by_job(rows: pa.Table) -> dict[Job, list[Row]]:
    """Rows by job."""
    found: dict[Job, list[Row]] = {}
    for row in to_rows(rows):
        found.setdefault((row["cluster"], row["raw_job_id"]), []).append(row)
    return found


def _by_run(rows: pa.Table) -> HoursOfRuns:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in to_rows(rows):
        found.setdefault(_run_key(row), []).append(row)
    return found


def _hours_of(shards: list[Row], hours: HoursOfRuns) -> list[Row]:
    return [row for key in sorted({_run_key(shard) for shard in shards}) for row in hours.get(key, ())]


def _run_key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in RUN_KEY)
