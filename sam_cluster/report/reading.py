"""Jobs and their runs, read from the tables: chosen as rows, so that few become values."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ..core.config import Config
from ..core.errors import ConfigError
from ..core.model import Quality
from ..core.times import utc_microseconds
from .records import EARLIEST, Job, Names, Run, Selection, TableReader, overlaps

Runs = dict[tuple[str, str], list[Run]]

RUN_COLUMNS = (
    "cluster", "run_id", "restart", "started_at", "ended_at", "nodes_expected", "nodes_metered",
    "energy_millijoules", "idle_energy_millijoules", "quality", "flags", "reasons",
)  # fmt: skip
JOB_COLUMNS = (
    "cluster", "job_id", "raw_job_id", "job_name", "user", "account", "state", "started_at", "ended_at",
    "nodes", "gpus", "gpu_microseconds", "energy_millijoules", "uncertainty_millijoules",
    "idle_energy_millijoules", "quality", "flags", "reasons", "run_ids", "host_energy_millijoules",
    "host_reasons",
)  # fmt: skip
#: By which a selection chooses jobs, and what says whose lab a job was.
NAME_COLUMNS = ("user", "account", "started_at", "ended_at")


def read_jobs(tables: TableReader, config: Config, selection: Selection) -> list[Job]:
    """The selected jobs with their runs, by start. A job is its lab's on the day it ended."""
    rows = rows_between(tables, selection.start, selection.end, selection.job_ids)
    rows = _where(rows, "user", selection.users)
    rows = _where(rows, "account", selection.accounts)
    rows = _where(rows, "state", selection.states)
    groups = groups_of(rows, config)
    if selection.group is not None:
        chosen = pc.equal(groups, selection.group)
        rows, groups = rows.filter(chosen), groups.filter(chosen)
    runs = _runs_of(tables, rows)
    jobs = [_job(row, group, runs) for row, group in zip(rows.to_pylist(), groups.to_pylist(), strict=True)]
    if selection.start is not None and selection.end is not None:
        jobs = [job for job in jobs if overlaps(job, selection.start, selection.end)]
    return sorted(
        jobs, key=lambda job: (job.started_at or job.ended_at or EARLIEST, job.cluster, job.raw_job_id)
    )


def names_between(tables: TableReader, config: Config, selection: Selection) -> Names:
    """The accounts, users and labs of the jobs of a selection's period, or of those that it names."""
    rows = rows_between(tables, selection.start, selection.end, selection.job_ids, NAME_COLUMNS)
    return Names.of(
        rows["account"].unique().to_pylist(),
        rows["user"].unique().to_pylist(),
        groups_of(rows, config).unique().to_pylist(),
    )


def groups_of(rows: pa.Table, config: Config) -> pa.Array:
    """The lab of each row that has `account`, `started_at` and `ended_at`, as text; null where unknown."""
    days = local_days(pc.coalesce(rows["ended_at"], rows["started_at"]), ZoneInfo(config.timezone))
    accounts = rows["account"].combine_chunks().dictionary_encode()
    # The configuration is asked once for each account and time in which it says the same of it.
    since = [None, date.min, *sorted({group.since for group in config.groups if group.since is not None})]
    times = _last_before(days.combine_chunks(), since)
    pairs = pc.add(
        pc.multiply(pc.fill_null(accounts.indices.cast(pa.int64()), len(accounts.dictionary)), len(since)),
        times,
    ).dictionary_encode()
    names = [*accounts.dictionary.to_pylist(), None]
    asked = (divmod(pair, len(since)) for pair in pairs.dictionary.to_pylist())
    found = [config.group_of(names[account], on=since[time]) for account, time in asked]
    return pa.array(found, pa.string()).take(pairs.indices)


def _last_before(days: pa.Array, ordered: Sequence[date | None]) -> pa.Array:
    """The place of the last of these rising days that is not after each; of null 0, where None stands."""
    rising = [day for day in ordered if day is not None]
    coded = days.dictionary_encode()
    places = [bisect_right(rising, day) for day in coded.dictionary.to_pylist()]
    return pc.fill_null(pa.array(places, pa.int64()).take(coded.indices), 0)


def local_days(instants: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """The day of each instant in a time zone, as a date.

    Raises ConfigError for a zone that is known to Python and not to Arrow, such as `Factory`.
    """
    try:
        local = pc.local_timestamp(instants.cast(pa.timestamp("us", tz=zone.key)))
    except pa.ArrowInvalid as error:
        raise ConfigError(f"timezone in [report] must be a name such as Europe/London: {error}") from None
    return pc.floor_temporal(local, unit="day").cast(pa.date32())


def rows_between(
    tables: TableReader,
    start: datetime | None,
    end: datetime | None,
    job_ids: Collection[str] = (),
    columns: Sequence[str] = JOB_COLUMNS,
) -> pa.Table:
    """The jobs that were there in a period, in any order; None is without an end. Of some names only those
    that they mean."""
    return tables.read(
        "jobs",
        start_microseconds=None if start is None else utc_microseconds(start),
        end_microseconds=None if end is None else utc_microseconds(end),
        job_ids=job_ids or None,
        columns=columns,
        in_any_order=True,
    )


def _where(rows: pa.Table, column: str, wanted: Iterable[str]) -> pa.Table:
    values = tuple(wanted)
    return rows.filter(pc.is_in(rows[column], pa.array(values, pa.string()))) if values else rows


def _runs_of(tables: TableReader, rows: pa.Table) -> Runs:
    ids = pc.list_flatten(rows["run_ids"]).unique().to_pylist()
    if not ids:
        return {}
    raw_job_ids = rows["raw_job_id"].unique().to_pylist()
    found = tables.read("runs", raw_job_ids=raw_job_ids, run_ids=ids, columns=RUN_COLUMNS)
    runs: Runs = {}
    for row in found.to_pylist():
        runs.setdefault((row["cluster"], row["run_id"]), []).append(_run(row))
    return {key: _told_apart(some) for key, some in runs.items()}


def _told_apart(runs: list[Run]) -> list[Run]:
    """The runs of one id in the order of time, each with the time in which the id is its own."""
    ordered = sorted(runs, key=_begun)
    for at, (_, later) in enumerate(pairwise(ordered)):
        ordered[at] = replace(ordered[at], owned_until=later.started_at)
        ordered[at + 1] = replace(ordered[at + 1], owned_from=later.started_at)
    return ordered


def _begun(run: Run) -> datetime:
    return run.started_at or run.ended_at or EARLIEST


def _nearest(candidates: list[Run], count: int, row: dict[str, Any]) -> list[Run]:
    """Of the runs that an id had whenever it was used, as many as a job has of it, by the job's time."""
    if len(candidates) <= count:
        return candidates

    def seconds_apart(run: Run) -> float:
        if None in (run.started_at, run.ended_at, row["started_at"], row["ended_at"]):
            return 0.0
        gaps: tuple[timedelta, ...] = (run.started_at - row["ended_at"], row["started_at"] - run.ended_at)
        return max(0.0, *(gap.total_seconds() for gap in gaps))

    return sorted(sorted(candidates, key=seconds_apart)[:count], key=_begun)


def _run(row: dict[str, Any]) -> Run:
    return Run(
        run_id=row["run_id"],
        restart=row["restart"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        nodes_expected=row["nodes_expected"],
        nodes_metered=row["nodes_metered"],
        energy_millijoules=row["energy_millijoules"],
        idle_energy_millijoules=row["idle_energy_millijoules"],
        quality=Quality(row["quality"]),
        flags=tuple(row["flags"] or ()),
        reasons=tuple(row["reasons"] or ()),
    )


def _job(row: dict[str, Any], group: str | None, runs: Runs) -> Job:
    counts = Counter(row["run_ids"] or ())
    found = [_nearest(runs.get((row["cluster"], run_id), []), n, row) for run_id, n in counts.items()]
    return Job(
        cluster=row["cluster"],
        job_id=row["job_id"],
        raw_job_id=row["raw_job_id"],
        name=row["job_name"],
        user=row["user"],
        account=row["account"],
        group=group,
        state=row["state"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        nodes=row["nodes"],
        gpus=row["gpus"],
        gpu_microseconds=row["gpu_microseconds"],
        energy_millijoules=row["energy_millijoules"],
        idle_energy_millijoules=row["idle_energy_millijoules"],
        uncertainty_millijoules=row["uncertainty_millijoules"],
        quality=Quality(row["quality"]),
        flags=tuple(row["flags"] or ()),
        reasons=tuple(row["reasons"] or ()),
        runs=tuple(run for candidates in found for run in candidates),
        host_energy_millijoules=row["host_energy_millijoules"],
        host_reasons=tuple(row["host_reasons"] or ()),
    )
