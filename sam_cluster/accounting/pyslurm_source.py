"""Accounting from pyslurm, an optional extra that must be built for the very release of Slurm.

An answer of pyslurm's holds one run of a job id, the last; asking day by day finds those of other days.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_SECOND

from .pyslurm_job import lacks, record
from .records import JobRecord
from .source import day_chunks, settle


class PyslurmSource:
    """All jobs that slurmdbd shows the calling user, through pyslurm."""

    def __init__(self) -> None:
        """Raises AccountingUnavailable where pyslurm is not there or does not find its Slurm."""
        try:
            import pyslurm  # here, since it needs a Slurm of its own release
        except (ImportError, OSError) as error:
            raise AccountingUnavailable(
                f"pyslurm cannot be imported: {error}; install the one of this Slurm's release, or use sacct"
            ) from error
        self._db = pyslurm.db
        self._failure: type[Exception] = pyslurm.PyslurmError
        self.lacks = lacks(pyslurm.db.Job)
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """As AccountingSource says."""
        return tuple(self._problems)

    def jobs(self, start_microseconds: int, end_microseconds: int) -> list[JobRecord]:
        """As AccountingSource says. Raises AccountingUnavailable where slurmdbd does not answer."""
        records: list[JobRecord] = []
        for begin, end in day_chunks(start_microseconds, end_microseconds):
            records.extend(self._read(self._load(begin, end)))
        overlapping = [each for each in records if each.overlaps(start_microseconds, end_microseconds)]
        return settle(overlapping, infer_restarts="restart_count" in self.lacks)

    def _load(self, start_microseconds: int, end_microseconds: int) -> Iterable[Any]:
        window = self._db.JobFilter(
            start_time=start_microseconds // MICROSECONDS_PER_SECOND,
            end_time=-(-end_microseconds // MICROSECONDS_PER_SECOND),
        )
        try:
            jobs: Iterable[Any] = self._db.Jobs.load(window).values()
        except (self._failure, ValueError) as error:
            raise AccountingUnavailable(
                f"slurmdbd did not answer pyslurm: {error}; see whether `sacct -a -X` does"
            ) from error
        return jobs

    def _read(self, jobs: Iterable[Any]) -> Iterable[JobRecord]:
        for job in jobs:
            try:
                yield record(job, self.lacks)
            except ValueError as error:
                self._problems[f"job {job.id} of pyslurm cannot be read: {error}"] = None
