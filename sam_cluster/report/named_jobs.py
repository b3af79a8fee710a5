"""The jobs that results name: read as columns, so that only what is named becomes a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ..core.config import Config
from ..core.model import Flag, Quality, quality_of_sum
from ..core.times import from_utc_microseconds
from ..core.uncertainty import Uncertainty, energy_by_model
from ..store.named import are_meant, wholes
from .reading import groups_of
from .records import TableReader

COLUMNS = (
    "cluster", "job_id", "raw_job_id", "user", "account", "started_at", "ended_at", "energy_millijoules",
    "energy_by_model", "boundary_uncertainty_millijoules", "uncertainty_millijoules", "quality", "flags",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedJob:
    """A job as far as a result needs it. Of one that still runs the quality is that of a lower bound: its
    figure will grow."""

    cluster: str
    job_id: str
    raw_job_id: int
    user: str | None
    account: str | None
    group: str | None
    started_at: datetime | None
    ended_at: datetime | None
    energy_millijoules: int | None
    uncertainty: Uncertainty
    quality: Quality

    @property
    def key(self) -> tuple[str, int, datetime | None]:
        """What no other job has: numbers are used again in time."""
        return self.cluster, self.raw_job_id, self.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Electricity:
    """The measured GPU energy of several jobs, in millijoules, at the quality of the worst of them."""

    energy_millijoules: int | None  # the sum of what is known; None where nothing is
    uncertainty_millijoules: int | None  # of that
    quality: Quality


def electricity_of(jobs: Collection[NamedJob], unknown: int = 0) -> Electricity:
    """What jobs used together, where `unknown` more are not in the tables."""
    known = [job.energy_millijoules for job in jobs if job.energy_millijoules is not None]
    uncertainty = sum((job.uncertainty for job in jobs), Uncertainty())
    return Electricity(
        energy_millijoules=sum(known) if known else None,
        uncertainty_millijoules=uncertainty.millijoules if known else None,
        quality=quality_of_sum([*(job.quality for job in jobs), *[Quality.UNKNOWN] * unknown]),
    )


class NamedJobs:
    """The jobs of some names in the order of their start, found by cluster and name."""

    def __init__(self, rows: pa.Table, calibration: Mapping[str, float]) -> None:
        self._by_id: dict[tuple[str, str], list[NamedJob]] = {}
        for job, whole in zip(_jobs(rows, calibration), rows["whole"].to_pylist(), strict=True):
            self._by_id.setdefault((job.cluster, job.job_id), []).append(job)
            if whole != job.job_id:
                self._by_id.setdefault((job.cluster, whole), []).append(job)

    @property
    def by_key(self) -> Mapping[tuple[str, int, datetime | None], NamedJob]:
        """Each of them once."""
        return {job.key: job for jobs in self._by_id.values() for job in jobs}

    def of(self, cluster: str, job_id: str, before: datetime, author: str) -> list[NamedJob]:
        """The job of an id, or every part of an array or het job; of a number that was used again, the job
        that had begun last when the result was handed in. What began later can be its author's own only."""
        candidates = [
            job
            for job in self._by_id.get((cluster, job_id), ())
            if job.started_at is None or job.started_at <= before or job.user == author
        ]
        if len(candidates) < 2:
            return candidates
        exact = [job for job in candidates if job.job_id == job_id]
        latest: dict[str, NamedJob] = {}
        for job in exact or candidates:
            if job.job_id not in latest or (job.started_at and job.started_at <= before):
                latest[job.job_id] = job
        return list(latest.values())


def rows_named(tables: TableReader, config: Config, wanted: Collection[str]) -> pa.Table:
    """The rows of these names by their start, each with its lab as `group` and, as `whole`, the array or het
    job that it is a part of."""
    rows = tables.read("jobs", job_ids=wanted, columns=COLUMNS, in_any_order=True)
    rows = rows.append_column("whole", wholes(rows["job_id"]))
    rows = rows.append_column("group", groups_of(rows, config))
    rows = rows.append_column("begun", pc.coalesce(rows["started_at"], rows["ended_at"]))
    return rows.sort_by([("begun", "ascending"), ("cluster", "ascending"), ("raw_job_id", "ascending")])


def among(rows: pa.Table, wanted: Iterable[str]) -> pa.Table:
    """The rows that some names mean."""
    return rows.filter(are_meant(rows["job_id"], pa.array(list(wanted), pa.string())))


def _jobs(rows: pa.Table, calibration: Mapping[str, float]) -> Iterator[NamedJob]:
    qualities = {quality.value: quality for quality in Quality}
    instants = (rows[name].cast(pa.int64()).to_pylist() for name in ("started_at", "ended_at"))
    others = (
        rows[name].to_pylist()
        for name in (
            "cluster", "job_id", "raw_job_id", "user", "account", "energy_millijoules", "quality", "group",
        )
    )  # fmt: skip
    sure = _uncertainties(rows, calibration)
    columns = zip(*instants, *others, _has(rows["flags"], Flag.OPEN), sure, strict=True)
    for started, ended, cluster, job_id, number, user, account, energy, quality, group, runs, off in columns:
        yield NamedJob(
            cluster=cluster,
            job_id=job_id,
            raw_job_id=number,
            user=user,
            account=account,
            group=group,
            started_at=None if started is None else from_utc_microseconds(started),
            ended_at=None if ended is None else from_utc_microseconds(ended),
            energy_millijoules=energy,
            uncertainty=off,
            quality=Quality.LOWER_BOUND if runs else qualities[quality],
        )


def _uncertainties(rows: pa.Table, calibration: Mapping[str, float]) -> Iterator[Uncertainty]:
    """How sure the energy of each job is. One that an earlier release summed up has no models: what it has is
    of its boundaries alone."""
    names = (
        "energy_millijoules",
        "energy_by_model",
        "boundary_uncertainty_millijoules",
        "uncertainty_millijoules",
    )
    for energy, parts, boundary, earlier in zip(*(rows[name].to_pylist() for name in names), strict=True):
        if energy is None:
            yield Uncertainty()
        elif parts is None:
            yield Uncertainty.of({None: energy}, earlier or 0, calibration)
        else:
            yield Uncertainty.of(energy_by_model(parts), boundary or 0, calibration)


def _has(lists: pa.ChunkedArray, word: str) -> list[bool]:
    """Of each list of a column whether the word is in it."""
    rows = lists.combine_chunks()
    parents = pc.list_parent_indices(rows).filter(pc.equal(pc.list_flatten(rows), word))
    found = set(parents.to_pylist())
    return [at in found for at in range(len(rows))]
