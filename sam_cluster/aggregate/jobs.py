"""The tables `runs` and `jobs`, made anew for the job numbers of which something new is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from sam_cluster.core.model import NO_JOB
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import among, from_rows, to_rows

from .accounting import Asked, merged
from .join import Attempt, attempts, group_jobs, group_shards
from .shard_rows import Row
from .summarise import SHARD_MARGIN_MICROSECONDS, had_gpus, job_row, outline, run_row

Job = tuple[str, int]  # cluster and Slurm's own number

#: Up to when jobs were looked through for those that should have sent a shard.
LOOKED_UNTIL = "no_shard_until_microseconds"

USAGE_COLUMNS = (
    "cluster", "run_id", "raw_job_id", "node", "started_at", "gpu_uuid", "held_microseconds",
    "device_energy_millijoules", "energy_millijoules", "uncertainty_millijoules", "bridged_millijoules",
    "power_energy_millijoules", "covered_microseconds", "gpu_model", "flags",
)  # fmt: skip


def resummarise(
    transaction: Transaction,
    touched: Iterable[Job],
    asked: Asked,
    now_microseconds: int,
    calibration: Mapping[str, float],
) -> tuple[int, int]:
    """Bring `runs` and `jobs` up to date for these jobs, also with accounting that is not stored yet.
    `calibration`: the error of the gain of GPU models that the site has calibrated. Returns how many rows of
    each they have now."""
    jobs = {job for job in touched if job[1] != NO_JOB}
    if not jobs:
        return 0, 0
    shards = by_job(of_jobs(transaction, "shards", jobs))
    hours = _by_run(of_jobs(transaction, "usage", jobs, USAGE_COLUMNS))
    stored = by_job(of_jobs(transaction, "accounting", jobs))
    fresh = asked.by_job
    new_runs: list[Row] = []
    new_jobs: list[Row] = []
    for job in sorted(jobs):
        records = merged(stored.get(job, ()), fresh.get(job, ()))
        runs, rows = summary(shards.get(job, ()), hours, records, now_microseconds, calibration)
        new_runs += runs
        new_jobs += rows
    for table, rows in (("runs", new_runs), ("jobs", new_jobs)):
        transaction.exchange(table, removed=of_jobs(transaction, table, jobs), added=from_rows(table, rows))
    return len(new_runs), len(new_jobs)


def summary(
    shards: Iterable[Row],
    hours: Mapping[tuple[str, str, str, int], list[Row]],
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


def unlooked(transaction: Transaction, asked: Asked, changed: set[Job], now_microseconds: int) -> set[Job]:
    """Jobs that should have sent a shard by now, and of which that was not known the last time."""
    until = now_microseconds - SHARD_MARGIN_MICROSECONDS
    since = transaction.properties.get(LOOKED_UNTIL, asked.since)
    if asked.until is None or since is None:
        return changed
    rows = transaction.read("accounting", start_microseconds=since, end_microseconds=until + 1)
    due = [row for row in to_rows(rows) if had_gpus(row) and since <= row["ended_at"] <= until]
    if due:
        transaction.properties[LOOKED_UNTIL] = max(until, since)
    return changed | {(row["cluster"], row["raw_job_id"]) for row in due}


def of_jobs(
    transaction: Transaction, table: str, jobs: set[Job], columns: tuple[str, ...] | None = None
) -> pa.Table:
    """The rows of some jobs."""
    rows = transaction.read(table, raw_job_ids={number for _, number in jobs}, columns=columns)
    return rows.filter(among(rows, ["cluster", "raw_job_id"], jobs))


def by_job(rows: pa.Table) -> dict[Job, list[Row]]:
    """Rows by job."""
    found: dict[Job, list[Row]] = {}
    for row in to_rows(rows):
        found.setdefault((row["cluster"], row["raw_job_id"]), []).append(row)
    return found


def _by_run(rows: pa.Table) -> dict[tuple[str, str, str, int], list[Row]]:
    found: dict[tuple[str, str, str, int], list[Row]] = {}
    for row in to_rows(rows):
        key = row["cluster"], row["run_id"], row["node"], row["started_at"]
        found.setdefault(key, []).append(row)
    return found


def _hours_of(shards: list[Row], hours: Mapping[tuple[str, str, str, int], list[Row]]) -> list[Row]:
    keys = {(row["cluster"], row["run_id"], row["node"], row["started_at"]) for row in shards}
    return [row for key in sorted(keys) for row in hours.get(key, ())]
