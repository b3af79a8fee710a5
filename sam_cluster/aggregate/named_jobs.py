"""What the tables know of the jobs that results name: whose they are, whose lab's, and which cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.config import Config
from sam_cluster.core.model import NO_JOB
from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.store.commit import Transaction
from sam_cluster.store.named import wholes
from sam_cluster.store.rows import to_rows
from sam_cluster.submissions.judge import Known
from sam_cluster.submissions.model import Confirmation

from .accounting import SINCE, UNTIL
from .shard_rows import Row

OWNER_COLUMNS = ("cluster", "job_id", "user", "account", "started_at", "ended_at", "raw_job_id")
NUMBER_COLUMNS = ("cluster", "raw_job_id", "array_job_id", "submitted_at")


#: A cluster, numbers that it gave out, and when each was submitted (microseconds UTC).
Given = tuple[str, pa.ChunkedArray, pa.ChunkedArray]


class NamedJobs:
    """What accounting and the jobs say of the jobs that some results name."""

    def __init__(self, transaction: Transaction, config: Config, rows: Iterable[Row]) -> None:
        self._transaction = transaction
        self._config = config
        self._zone = ZoneInfo(config.timezone)
        self._coordinators = {user for group in config.groups for user in group.coordinators}
        self._found: dict[tuple[str, str], list[Row]] = {}
        self._numbers: dict[str, range] | None = None
        named = [row for row in rows if row["job_ids"]]
        wanted = {job_id for row in named for job_id in row["job_ids"]}
        if wanted:
            self._look(wanted)

    def known(self, row: Row, words: Mapping[str, Confirmation]) -> Known:
        """What is known of the jobs of one result."""
        meant = {job_id: job for job_id in row["job_ids"] if (job := self._meant(row, job_id))}
        until = self._transaction.properties.get(UNTIL)
        return Known(
            owners={job_id: job["user"] for job_id, job in meant.items()},
            until=None if until is None else from_utc_microseconds(until),
            numbers=self._numbers_of(row["cluster"]) if len(meant) < len(row["job_ids"]) else None,
            coordinated={job_id for job_id, job in meant.items() if self._coordinates(row["user"], job)},
            words=words,
        )

    def coordinates_all(self, user: str, row: Row) -> bool:
        """Whether a user coordinates the labs of all jobs of a result, each of which is known."""
        jobs = [self._meant(row, job_id) for job_id in row["job_ids"]]
        return bool(jobs) and all(job is not None and self._coordinates(user, job) for job in jobs)

    def _coordinates(self, user: str, job: Row) -> bool:
        if user not in self._coordinators:
            return False
        return user in self._config.coordinators_of(job["account"], on=self._day(job))

    def _day(self, job: Row) -> date | None:
        """The day on which a job is its lab's: that of its end, or so far of its start."""
        at = job["started_at"] if job["ended_at"] is None else job["ended_at"]
        return None if at is None else from_utc_microseconds(at).astimezone(self._zone).date()

    def _meant(self, row: Row, job_id: str) -> Row | None:
        """The job of an id; of a number that was used again, the one that had begun last when the result
        was handed in."""
        begun = [
            job
            for job in self._found.get((row["cluster"], job_id), ())
            if (job["started_at"] or 0) <= row["submitted_at"]
        ]
        return max(begun, key=lambda job: (job["started_at"] or 0, job["ended_at"] or 0), default=None)

    def _look(self, wanted: set[str]) -> None:
        """Find the wanted jobs, under their own id and under that of their array or het job."""
        for table in ("accounting", "jobs"):
            rows = self._transaction.read(table, job_ids=wanted, columns=OWNER_COLUMNS)
            rows = rows.append_column("whole", wholes(rows["job_id"])).filter(pc.is_valid(rows["user"]))
            for job in to_rows(rows):
                for job_id in {job["job_id"], job["whole"]} & wanted:
                    self._found.setdefault((job["cluster"], job_id), []).append(job)

    def _numbers_of(self, cluster: str) -> range:
        """The numbers of which every job that began is known: from the first that was given out since
        accounting is asked, to the last that is known."""
        if self._numbers is None:
            since = self._transaction.properties.get(SINCE)
            self._numbers = {} if since is None else numbers_since(self._given, since)
        return self._numbers.get(cluster, range(0))

    def _given(self) -> Iterator[Given]:
        """The numbers that were given out, a day after the other: there may be millions."""
        for day in self._transaction.days("accounting"):
            rows = self._transaction.read_day("accounting", day, NUMBER_COLUMNS)
            rows = rows.filter(pc.is_valid(rows["submitted_at"]))
            # The tasks of an array get numbers of their own when they begin, long after it was submitted.
            numbers = pc.coalesce(rows["array_job_id"], rows["raw_job_id"])
            submitted = rows["submitted_at"].cast(pa.int64())
            for cluster in pc.unique(rows["cluster"]).to_pylist():
                is_its = pc.equal(rows["cluster"], cluster)
                yield cluster, numbers.filter(is_its), submitted.filter(is_its)


def numbers_since(given: Callable[[], Iterable[Given]], since: int) -> dict[str, range]:
    """Of each cluster, from the first number that was given out at or after an instant to the last one.

    Slurm gives out ascending numbers; a requeue is a submission under the old one. So the first is, of what
    is greater than every number of a submission before the instant, the one that was submitted first.
    """
    last: dict[str, int] = {}
    last_before: dict[str, int] = {}
    for cluster, numbers, submitted in given():
        before = numbers.filter(pc.less(submitted, since))
        for found, some in ((last, numbers), (last_before, before)):
            found[cluster] = max(found.get(cluster, NO_JOB), pc.max(some).as_py() or NO_JOB)
    first: dict[str, tuple[int, int]] = {}  # when, and the number
    for cluster, numbers, submitted in given():
        is_after = pc.greater(numbers, last_before[cluster])
        numbers, submitted = numbers.filter(is_after), submitted.filter(is_after)
        if len(numbers):
            at = pc.min(submitted).as_py()
            number = pc.min(numbers.filter(pc.equal(submitted, at))).as_py()
            first[cluster] = min(first.get(cluster, (at, number)), (at, number))
    return {cluster: range(number, last[cluster] + 1) for cluster, (_, number) in first.items()}
