"""What every source of accounting gives, and the rules that are the same for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from sam_cluster.core.units import MICROSECONDS_PER_DAY

from .records import JobRecord

#: What a source lacks that gives only the last of a requeued job's runs.
EARLIER_RUNS = "earlier_runs"


class AccountingSource(Protocol):
    """Where Slurm's accounting is read from."""

    @property
    def lacks(self) -> frozenset[str]:
        """Fields of JobRecord that this source cannot say: unknown, not zero.

        With `restart_count` among them, the records' restart counts are inferred by `settle`.
        `earlier_runs` stands for rows: those of a requeued job before its last run.
        """

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read so far, a sentence each; the rest was read all the same."""

    def jobs(self, start_microseconds: int, end_microseconds: int) -> Iterable[JobRecord]:
        """The records of all jobs, in any state, that `JobRecord.overlaps` the half-open window (UTC).

        Raises AccountingUnavailable where nothing can be said. No record at all is no error: whether jobs
        are hidden or there were none is for the caller to judge.
        """


def day_chunks(start_microseconds: int, end_microseconds: int) -> Iterator[tuple[int, int]]:
    """The window cut at UTC midnights: slurmdbd may refuse a wide one (MaxQueryTimeRange)."""
    begin = start_microseconds
    while begin < end_microseconds:
        midnight = (begin // MICROSECONDS_PER_DAY + 1) * MICROSECONDS_PER_DAY
        yield begin, min(midnight, end_microseconds)
        begin = midnight


def settle(records: Iterable[JobRecord], *, infer_restarts: bool) -> list[JobRecord]:
    """One record a row of accounting, of several answers the latest, in an order of their own.

    A row that follows a resize begins with it, where Slurm repeats the job's first start: else the time
    before would count twice.

    `infer_restarts` counts restarts where the source does not: of the rows of one job number, in the order
    of submission (a requeue submits anew), the k-th is restart k; a row that follows a resize belongs to
    the same run. The count is too low where earlier runs lie outside what was asked or were purged, and
    goes on counting where a job number was used again: with an inferred count, times decide which run is
    meant. It is the same for any order of `records`, not for any choice of them.
    """
    latest = {record.key: _begun_when_submitted(record) for record in records}
    ordered = sorted(
        latest.values(),
        key=lambda record: (record.cluster, record.raw_job_id, record.submit or 0),
    )
    return list(_with_restarts(ordered)) if infer_restarts else ordered


def _begun_when_submitted(record: JobRecord) -> JobRecord:
    """A resize submits anew; no other row can start before its submission."""
    if record.start is None or record.submit is None or record.start >= record.submit:
        return record
    return replace(record, start=record.submit)


def _with_restarts(ordered: Iterable[JobRecord]) -> Iterator[JobRecord]:
    before: JobRecord | None = None
    for record in ordered:
        restart = 0
        if before and (before.cluster, before.raw_job_id) == (record.cluster, record.raw_job_id):
            restart = (before.restart_count or 0) + (before.state != "RESIZING")
        before = replace(record, restart_count=restart)
        yield before
