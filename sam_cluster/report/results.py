"""Results with the electricity of the jobs that were spent on them, and SAM where it has a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core.config import Config
from ..core.model import Flag, Quality, quality_of_sum
from ..core.units import kwh_from_millijoules
from ..metrics import Undefined, UndefinedReason, sam_of_measurement
from .reading import read_jobs
from .records import EARLIEST, Job, Selection, TableReader, base_id, names

ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A submitted result. `energy_millijoules` is the sum over its jobs, at the quality of the worst."""

    submission_id: str | None  # None, as all that an author states, of what was no submission
    cluster: str | None
    submitted_at: datetime | None
    user: str | None
    account: str | None  # of its first job that is known, as the lab
    group: str | None
    task: str | None
    metric: str | None
    dataset: str | None
    split: str | None
    model: str | None
    note: str | None
    accuracy: float | None
    job_ids: tuple[str, ...]
    jobs_unknown: tuple[str, ...]
    ended_at: datetime | None
    energy_millijoules: int | None
    quality: Quality
    sam: float | None
    sam_reason: UndefinedReason | None
    sam_at_most: float | None
    alpha: float
    beta: float
    unit: str
    verdict: str
    reason: str | None
    superseded_by: str | None
    digest: str  # of what was handed in

    @property
    def at(self) -> datetime | None:
        """When it counts: the end of its last job; where no job of it is known, its submission."""
        return self.ended_at or self.submitted_at

    @property
    def counts(self) -> bool:
        """Whether it is compared with others: accepted, and not superseded."""
        return self.verdict == ACCEPTED and self.superseded_by is None


def read_results(tables: TableReader, config: Config) -> list[Result]:
    """Every submitted result, superseded and rejected ones too, by the time at which it counts."""
    rows = tables.read("results").to_pylist()
    wanted = sorted({job_id for row in rows for job_id in row["job_ids"] or ()})
    jobs = read_jobs(tables, config, Selection(job_ids=tuple(wanted))) if wanted else []
    by_id = _by_id(jobs)
    superseded = {
        row["supersedes"]: row["submission_id"]
        for row in sorted(rows, key=lambda r: (r["submitted_at"] or EARLIEST, r["submission_id"] or ""))
        if row["supersedes"] and row["verdict"] == ACCEPTED
    }
    results = [_result(row, by_id, superseded, config) for row in rows]
    return sorted(results, key=lambda r: (r.at or EARLIEST, r.submission_id or "", r.digest))


def choose(results: Iterable[Result], selection: Selection) -> list[Result]:
    """The results that a selection of jobs means; of a period those that count in it."""
    return [
        result
        for result in results
        if (not selection.users or result.user in selection.users)
        and (not selection.accounts or result.account in selection.accounts)
        and (selection.group is None or result.group == selection.group)
        and (not selection.job_ids or _any_named(selection.job_ids, result.job_ids))
        and _inside(result.at, selection.start, selection.end)
    ]


def _any_named(wanted: Iterable[str], job_ids: Sequence[str]) -> bool:
    return any(names(one, job_id) or names(job_id, one) for one in wanted for job_id in job_ids)


def _inside(at: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    if start is None or end is None:
        return True
    return at is not None and start <= at < end


def jobs_of(
    cluster: str, job_id: str, by_id: dict[tuple[str, str], list[Job]], before: datetime | None, author: str
) -> list[Job]:
    """The job of an id, or every part of an array or het job; of a number that was used again, the job
    that had begun last when the result was handed in. What began later can be its author's own only."""
    candidates = [
        job
        for job in by_id.get((cluster, job_id), [])
        if job.user == author or not (before and job.started_at and job.started_at > before)
    ]
    exact = [job for job in candidates if job.job_id == job_id]
    latest: dict[str, Job] = {}
    for job in exact or candidates:
        if job.job_id not in latest or (before and job.started_at and job.started_at <= before):
            latest[job.job_id] = job
    return list(latest.values())


def _by_id(jobs: Iterable[Job]) -> dict[tuple[str, str], list[Job]]:
    by_id: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        for job_id in {job.job_id, base_id(job.job_id)}:
            by_id.setdefault((job.cluster, job_id), []).append(job)
    return by_id


def _result(
    row: dict[str, Any],
    by_id: dict[tuple[str, str], list[Job]],
    superseded: dict[str, str],
    config: Config,
) -> Result:
    job_ids = tuple(row["job_ids"] or ())
    found = {
        job_id: jobs_of(row["cluster"], job_id, by_id, row["submitted_at"], row["user"]) for job_id in job_ids
    }
    unknown = tuple(job_id for job_id, jobs in found.items() if not jobs)
    spent = list({(job.raw_job_id, job.started_at): job for jobs in found.values() for job in jobs}.values())
    energy, uncertainty, quality = _electricity(spent, unknown)
    score = sam_of_measurement(
        row["accuracy"],
        None if energy is None else kwh_from_millijoules(energy),
        uncertainty_kwh=kwh_from_millijoules(uncertainty),
        is_lower_bound=quality is Quality.LOWER_BOUND,
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
    )
    undefined = score if isinstance(score, Undefined) else None
    task = config.task_named(row["task"]) if row["task"] else None
    return Result(
        submission_id=row["submission_id"],
        cluster=row["cluster"],
        submitted_at=row["submitted_at"],
        user=row["user"],
        account=next((job.account for job in spent if job.account is not None), None),
        group=next((job.group for job in spent if job.group is not None), None),
        task=task.name if task else None,
        metric=row["metric"] or (task.metric if task else None),
        dataset=row["dataset"] or (task.dataset if task else None),
        split=row["split"] or (task.split if task else None),
        model=row["model"],
        note=row["note"],
        accuracy=row["accuracy"],
        job_ids=job_ids,
        jobs_unknown=unknown,
        ended_at=max((job.ended_at for job in spent if job.ended_at is not None), default=None),
        energy_millijoules=energy,
        quality=quality,
        sam=None if isinstance(score, Undefined) else score,
        sam_reason=undefined.reason if undefined else None,
        sam_at_most=undefined.at_most if undefined else None,
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
        verdict=row["verdict"],
        reason=row["reason"],
        superseded_by=superseded.get(row["submission_id"]),
        digest=row["digest"],
    )


def _electricity(spent: Sequence[Job], unknown: Sequence[str]) -> tuple[int | None, int, Quality]:
    """Energy and uncertainty in millijoules, and the quality of the sum over the jobs."""
    # The figure of a job that still runs will grow: so far it is a lower bound.
    qualities = [Quality.LOWER_BOUND if Flag.OPEN in job.flags else job.quality for job in spent]
    quality = quality_of_sum([*qualities, *(Quality.UNKNOWN for _ in unknown)])
    known = [job.energy_millijoules for job in spent if job.energy_millijoules is not None]
    uncertainty = sum(job.uncertainty_millijoules or 0 for job in spent)
    return (sum(known) if known else None), uncertainty, quality
