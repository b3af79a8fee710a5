"""Results with the electricity of the jobs that were spent on them, and SAM where it has a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..core.config import Config
from ..core.model import Quality
from ..core.tasks import Task
from ..core.times import utc_microseconds
from ..core.units import kwh_from_millijoules
from ..metrics import Undefined, UndefinedReason, sam_of_measurement, sam_range
from ..store.named import are_within
from .corrections import Stated, superseded
from .named_jobs import Electricity, NamedJob, NamedJobs, among, electricity_of, rows_named
from .records import EARLIEST, Job, Selection, TableReader, names

ACCEPTED = "accepted"
ID_ALREADY_USED = "id_already_used"  # the ground of a row that has another's id
LOG_BASE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A submitted result. `energy_millijoules` is the measured GPU energy of its jobs, at the quality of the
    worst; `electricity_kwh` is what SAM counts of it, by `sam_scope`: the same, or times the PUE."""

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
    epochs: float | None
    data_fraction: float | None
    checkpoint_sha256: str | None
    accuracy: float | None
    job_ids: tuple[str, ...]
    jobs: tuple[NamedJob, ...]  # those that are known, each once
    jobs_unknown: tuple[str, ...]
    ended_at: datetime | None
    energy_millijoules: int | None
    uncertainty_millijoules: int | None
    quality: Quality
    electricity_kwh: float | None
    sam: float | None
    sam_reason: UndefinedReason | None
    sam_at_most: float | None
    sam_range: tuple[float, float] | None  # at both ends of what the electricity may be off by
    alpha: float
    beta: float
    unit: str
    log_base: int
    sam_scope: str
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


def read_results(tables: TableReader, config: Config, selection: Selection | None = None) -> list[Result]:
    """Every submitted result, superseded and rejected ones too, by the time at which it counts. Of a
    selection all that `choose` would take: of one lab no others, of a period some others.

    Reads all jobs that are named, so that one call serves many pages, each by `choose`.
    """
    group = selection.group if selection else None
    rows = tables.read("results")
    in_place = superseded(_stated(rows))
    if selection and selection.start is not None and selection.end is not None:
        rows = _may_count(tables, rows, selection.start, selection.end)
    named = rows_named(tables, config, _job_ids(rows))
    if group is not None:
        rows = _that_name(rows, named.filter(pc.equal(named["group"], group)))
        named = among(named, _job_ids(rows))
    jobs = NamedJobs(named, config.calibration)
    tasks = {name: config.task_named(name) for name in rows["task"].unique().to_pylist() if name}
    results = (_result(row, jobs, tasks, in_place, config) for row in rows.to_pylist())
    return sorted(
        (result for result in results if group in (None, result.group)),
        key=lambda r: (r.at or EARLIEST, r.submission_id or "", r.digest),
    )


def _stated(rows: pa.Table) -> list[Stated]:
    """The results that correct another, and those that are corrected."""
    corrected = pc.is_in(rows["submission_id"], rows["supersedes"].combine_chunks().drop_null())
    rows = rows.filter(pc.or_(corrected, pc.is_valid(rows["supersedes"])))
    names = ("submission_id", "supersedes", "user", "submitted_at", "verdict", "ground")
    return [
        Stated(
            submission_id=row["submission_id"],
            supersedes=row["supersedes"],
            user=row["user"],
            submitted_at=row["submitted_at"],
            is_accepted=row["verdict"] == ACCEPTED,
        )
        for row in rows.select(names).to_pylist()
        if row["submission_id"] and row["ground"] != ID_ALREADY_USED
    ]


def _job_ids(rows: pa.Table) -> list[str]:
    return list(pc.list_flatten(rows["job_ids"]).unique().to_pylist())


def _that_name(rows: pa.Table, jobs: pa.Table) -> pa.Table:
    """The results that name some of these jobs, themselves or as parts of an array or het job."""
    names = pa.concat_arrays([jobs[column].combine_chunks() for column in ("job_id", "whole")])
    lists = rows["job_ids"].combine_chunks()
    is_named = pc.is_in(pc.list_flatten(lists), names)
    return rows.take(pc.list_parent_indices(lists).filter(is_named).unique())


def _may_count(tables: TableReader, rows: pa.Table, start: datetime, end: datetime) -> pa.Table:
    """The results that may count in a period: those that name a job of its time, or were handed in within it.
    What was long before or after costs nothing but its row."""
    first, last = utc_microseconds(start), utc_microseconds(end)
    ranges = tables.job_numbers(first, last)
    if ranges is None:
        return rows
    submitted = pc.fill_null(rows["submitted_at"].cast(pa.int64()), first - 1)
    is_inside = pc.and_(pc.greater_equal(submitted, first), pc.less(submitted, last))
    lists = rows["job_ids"].combine_chunks()
    naming = pc.list_parent_indices(lists).filter(are_within(pc.list_flatten(lists), ranges))
    places = pa.array(range(len(rows)), naming.type)
    return rows.filter(pc.or_(is_inside, pc.is_in(places, naming)))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """The jobs of several results, each once, and what they used together; `jobs_unknown` are named and not
    in the tables."""

    jobs: tuple[NamedJob, ...]
    jobs_unknown: tuple[tuple[str | None, str], ...]  # cluster and id
    electricity: Electricity


def union_of_jobs(results: Iterable[Result]) -> Union:
    """What results cost together: a sweep that several of them name counts once."""
    chosen = list(results)
    jobs = {job.key: job for result in chosen for job in result.jobs}
    unknown = {(result.cluster, job_id): None for result in chosen for job_id in result.jobs_unknown}
    return Union(
        jobs=tuple(jobs.values()),
        jobs_unknown=tuple(unknown),
        electricity=electricity_of(jobs.values(), unknown=len(unknown)),
    )


def without_energy(results: Iterable[Result]) -> list[Result]:
    """The results of whose jobs nothing was measured."""
    return [result for result in results if result.energy_millijoules is None]


def jobs_without_result(jobs: Iterable[Job], results: Iterable[Result]) -> list[Job]:
    """The jobs that none of the results names, itself or the array or het job that it is a part of."""
    named = {job.key for result in results for job in result.jobs}
    return [job for job in jobs if (job.cluster, job.raw_job_id, job.started_at) not in named]


def _result(
    row: dict[str, Any],
    named: NamedJobs,
    tasks: Mapping[str, Task],
    in_place: Mapping[str, str],
    config: Config,
) -> Result:
    job_ids = tuple(row["job_ids"] or ())
    found = {job_id: named.of(row["cluster"], job_id, row["submitted_at"], row["user"]) for job_id in job_ids}
    unknown = tuple(job_id for job_id, jobs in found.items() if not jobs)
    spent = tuple({job.key: job for jobs in found.values() for job in jobs}.values())
    electricity = electricity_of(spent, unknown=len(unknown))
    counted_kwh = _counted_kwh(electricity.energy_millijoules, config)
    score = _score(row, electricity, config)
    undefined = score if isinstance(score, Undefined) else None
    task = tasks[row["task"]] if row["task"] else None
    has_its_id = row["ground"] != ID_ALREADY_USED
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
        epochs=row["epochs"],
        data_fraction=row["data_fraction"],
        checkpoint_sha256=row["checkpoint_sha256"],
        accuracy=row["accuracy"],
        job_ids=job_ids,
        jobs=spent,
        jobs_unknown=unknown,
        ended_at=max((job.ended_at for job in spent if job.ended_at is not None), default=None),
        energy_millijoules=electricity.energy_millijoules,
        uncertainty_millijoules=electricity.uncertainty_millijoules,
        quality=electricity.quality,
        electricity_kwh=counted_kwh,
        sam=None if isinstance(score, Undefined) else score,
        sam_reason=undefined.reason if undefined else None,
        sam_at_most=undefined.at_most if undefined else None,
        sam_range=None if undefined else _score_range(row, electricity, config),
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
        log_base=LOG_BASE,
        sam_scope=config.sam_scope,
        verdict=row["verdict"],
        reason=row["reason"],
        superseded_by=in_place.get(row["submission_id"]) if has_its_id else None,
        digest=row["digest"],
    )


def _score(row: dict[str, Any], electricity: Electricity, config: Config) -> float | Undefined:
    if row["verdict"] != ACCEPTED:
        return Undefined(UndefinedReason.NOT_ACCEPTED)
    return sam_of_measurement(
        row["accuracy"],
        _counted_kwh(electricity.energy_millijoules, config),
        uncertainty_kwh=_counted_kwh(electricity.uncertainty_millijoules, config) or 0.0,
        is_lower_bound=electricity.quality is Quality.LOWER_BOUND,
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
    )


def _score_range(row: dict[str, Any], electricity: Electricity, config: Config) -> tuple[float, float] | None:
    """Of what has a score."""
    return sam_range(
        row["accuracy"],
        _counted_kwh(electricity.energy_millijoules, config) or 0.0,
        _counted_kwh(electricity.uncertainty_millijoules, config) or 0.0,
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
    )


def _counted_kwh(energy_millijoules: int | None, config: Config) -> float | None:
    """What SAM counts of measured GPU energy, in kWh."""
    if energy_millijoules is None:
        return None
    return kwh_from_millijoules(energy_millijoules) * config.electricity_factor
