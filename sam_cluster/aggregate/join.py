"""Which shards are of one run, which run is which row of accounting, and what is one job. Pure.

A job number comes again: a requeued job keeps it, and in time it is given to another job. Numbers alone
tell none of the three, so that times, restart counts and owners decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sam_cluster.core.model import Flag
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

from .shard_rows import Row

#: Nodes' clocks, and the prologs of one allocation, are no further apart.
SLACK_MICROSECONDS = 600 * MICROSECONDS_PER_SECOND
#: An epilog without a prolog may come that late, from a node that was lost.
LATE_EPILOG_MICROSECONDS = 7 * MICROSECONDS_PER_DAY
#: A requeued job waits no longer: what comes later under its number is another job.
REQUEUE_MICROSECONDS = 30 * MICROSECONDS_PER_DAY

FOREVER = 1 << 62
#: The state of a row of accounting that ends where its job is given other nodes.
RESIZING = "RESIZING"


def group_shards(shards: Iterable[Row]) -> list[list[Row]]:
    """The shards of one job number by run, runs in the order of time.

    Those of one run id are one run where their times overlap. On one node a second start under the same
    id is another run; an end without a start belongs to the run before it.
    """
    by_run_id: dict[str, list[Row]] = {}
    for row in shards:
        by_run_id.setdefault(row["run_id"], []).append(row)
    runs = [run for rows in by_run_id.values() for run in _in_time(rows)]
    return sorted(runs, key=lambda run: (run[0]["started_at"], run[0]["run_id"]))


def _in_time(rows: list[Row]) -> list[list[Row]]:
    runs: list[list[Row]] = []
    end = -FOREVER
    starts: dict[str, int] = {}
    for row in sorted(rows, key=lambda r: (r["started_at"], r["node"], r["part"])):
        only_end = Flag.NO_START in row["flags"]
        slack = LATE_EPILOG_MICROSECONDS if only_end else SLACK_MICROSECONDS
        again = not only_end and starts.get(row["node"], row["started_at"]) != row["started_at"]
        if not runs or again or row["started_at"] > end + slack:
            runs.append([])
            end, starts = -FOREVER, {}
        runs[-1].append(row)
        # Where a wall clock was set back, a part ends before its run began: the next is of the same run.
        end = max(end, row["started_at"], row["ended_at"])
        if not only_end:
            starts[row["node"]] = row["started_at"]
    return runs


@dataclass(slots=True)
class Attempt:
    """A stretch of a job as accounting has it, as nodes have it, or both."""

    record: Row | None  # of the table `accounting`
    runs: list[Row] = field(default_factory=list)  # of the table `runs`

    @property
    def start(self) -> int:
        """When it began."""
        if self.record:
            return int(self.record["started_at"] or self.record["submitted_at"] or self.record["ended_at"])
        return int(min(run["started_at"] for run in self.runs))

    @property
    def end(self) -> int:
        """When it ended; far off while it runs."""
        if self.record:
            return int(self.record["ended_at"] or FOREVER)
        return int(max(run["ended_at"] for run in self.runs))

    @property
    def restart(self) -> int | None:
        """Its restart count, where somebody counted."""
        counts = [run["restart"] for run in self.runs] + ([self.record["restart"]] if self.record else [])
        return next((count for count in counts if count is not None), None)

    @property
    def user(self) -> str | None:
        """Its owner."""
        owners = ([self.record["user"]] if self.record else []) + [run["user"] for run in self.runs]
        return next((owner for owner in owners if owner is not None), None)


def attempts(runs: Sequence[Row], sluids: Sequence[str | None], records: Sequence[Row]) -> list[Attempt]:
    """Runs and accounting of one job number, put together, in the order of time. `sluids` are the runs'."""
    found = [Attempt(record) for record in sorted(records, key=_record_order)]
    alone = []
    for run, sluid in zip(runs, sluids, strict=True):
        best = _best(run, sluid, found)
        if best is None:
            alone.append(Attempt(None, [run]))
        else:
            best.runs.append(run)
    return sorted([*found, *alone], key=lambda each: (each.start, each.end, each.restart or 0))


def _best(run: Row, sluid: str | None, found: list[Attempt]) -> Attempt | None:
    """The row of accounting that a run is: by SLUID, else by overlap in time, then by restart count."""
    for each in found:
        if sluid is not None and each.record and each.record["sluid"] == sluid:
            return each
    start, end = run["started_at"], run["ended_at"]
    near = [each for each in found if overlap(start, end, each) >= -SLACK_MICROSECONDS]
    return max(
        near,
        key=lambda each: (
            overlap(start, end, each),
            each.record is not None and each.record["restart"] == run["restart"],
        ),
        default=None,
    )


def overlap(start: int, end: int, attempt: Attempt) -> int:
    """For how long two stretches of time overlap; negative where they are apart."""
    return min(end, attempt.end) - max(start, attempt.start)


def group_jobs(found: Sequence[Attempt]) -> list[list[Attempt]]:
    """The attempts of one job number by job."""
    jobs: list[list[Attempt]] = []
    for each in found:
        if jobs and _continues(jobs[-1][-1], each):
            jobs[-1].append(each)
        else:
            jobs.append([each])
    return jobs


def _continues(before: Attempt, after: Attempt) -> bool:
    """Whether the second attempt is of the same job: a requeue, or what follows a resize."""
    if before.record and before.record["state"] == RESIZING:
        return True
    if after.start - before.end > REQUEUE_MICROSECONDS:
        return False
    if before.restart is not None and after.restart is not None:
        return after.restart > before.restart
    if None not in (before.user, after.user) and before.user != after.user:
        return False
    names = {each.record["job_name"] for each in (before, after) if each.record}
    return len(names) < 2


def _record_order(record: Row) -> tuple[int, int]:
    return record["started_at"] or record["submitted_at"] or 0, record["submitted_at"] or 0
