"""What each job of a lab used inside the period, run by run and day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from ..core.model import Quality
from .ledger import UNKNOWN, Amount, Entry, days_of, entries_of
from .records import Job, Run
from .view import JobLine, PeriodView, added

#: The entries of each run, by cluster, run id and start: an id may come again.
Spent = dict[tuple[str, str, datetime | None], list[Entry]]

WHOLE = (Quality.MEASURED, Quality.ESTIMATED)


def spent_in(
    usage: pa.Table,
    jobs: Sequence[Job],
    period: PeriodView,
    until: datetime,
    calibration: Mapping[str, float],
) -> Spent:
    """The entries of the jobs' runs, from the hours of a period whose data reach up to `until`."""
    zone = ZoneInfo(period.timezone)
    run_ids = {run.run_id for job in jobs for run in job.runs}
    return spent_by_run(jobs, entries_of(usage, zone, run_ids, calibration), period, until, zone)


def spent_by_run(
    jobs: Sequence[Job], entries: Iterable[Entry], period: PeriodView, until: datetime, zone: ZoneInfo
) -> Spent:
    """Entries by run; a run of which nothing is known gets an unknown entry for each day it was there."""
    spent = by_run(jobs, entries)
    bound = Amount(qualities=frozenset({Quality.LOWER_BOUND}))
    for job in jobs:
        # Of a job that is a lower bound because an attempt of it was never heard of, no run is one.
        partial = job.quality is Quality.LOWER_BOUND and all(run.quality in WHOLE for run in job.runs)
        for run_id, begun, ended, quality in attempts(job):
            key = (job.cluster, run_id, begun)
            if partial or quality is Quality.LOWER_BOUND:
                spent[key] = [replace(entry, amount=entry.amount + bound) for entry in spent[key]]
            elif quality is Quality.UNKNOWN and not spent[key]:
                days = _days_there(begun, ended or until, period, zone)
                spent[key] = [Entry(job.cluster, run_id, begun, day, UNKNOWN) for day in days]
    return spent


def by_run(jobs: Sequence[Job], entries: Iterable[Entry]) -> Spent:
    """The entries of the jobs' runs; one of a run of another job that had the same id is left out."""
    spent: Spent = defaultdict(list)
    owners: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for job in jobs:
        for run in job.runs:
            owners[job.cluster, run.run_id].append(run)
    for entry in entries:
        for run in owners[entry.cluster, entry.run_id]:
            if entry.begun_at is None or run.owns(entry.begun_at):
                spent[entry.cluster, entry.run_id, run.started_at].append(entry)
                break
    return spent


def _days_there(
    begun: datetime | None, ended: datetime, period: PeriodView, zone: ZoneInfo
) -> tuple[date, ...]:
    """The days of the period on which a run was there; one that lasted no time was there on its day."""
    first, last = max(begun or ended, period.start), min(ended, period.end)
    if first < last:
        return days_of(first, last, zone)
    return (ended.astimezone(zone).date(),) if begun in (None, ended) and first == ended < period.end else ()


def attempts(job: Job) -> list[tuple[str, datetime | None, datetime | None, Quality]]:
    """The runs of a job; of a job that no node has sent anything for, the job itself under no run's name."""
    if job.runs:
        return [(run.run_id, run.started_at, run.ended_at, run.quality) for run in job.runs]
    return [(_nameless(job), job.started_at, job.ended_at, job.quality)]


def _nameless(job: Job) -> str:
    return f"no run of {job.raw_job_id} from {job.started_at}"


def job_line(job: Job, spent: Spent, period: PeriodView, until: datetime) -> JobLine:
    """The job with what its runs used, and its GPU time, inside the period."""
    amount = added(
        entry.amount
        for run_id, begun, *_ in attempts(job)
        for entry in spent.get((job.cluster, run_id, begun), ())
    )
    return JobLine(job=job, amount=amount, gpu_microseconds=_gpu_time_inside(job, period, until))


def _gpu_time_inside(job: Job, period: PeriodView, until: datetime) -> int | None:
    """The job's allocated GPU time, apportioned by time where the job reaches over the period's border."""
    if job.gpu_microseconds is None or job.started_at is None:
        return job.gpu_microseconds
    begun, ended = job.started_at, max(job.ended_at or until, job.started_at)
    if period.start <= begun and ended <= period.end:
        return job.gpu_microseconds
    inside = min(ended, period.end) - max(begun, period.start)
    return round(job.gpu_microseconds * (inside / (ended - begun)))
