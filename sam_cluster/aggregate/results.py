"""The table `results`: what lies in the drop box, judged; what was pending, judged again."""

from __future__ import annotations

import hashlib
import pwd
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sam_cluster.core.times import from_utc_microseconds, utc_microseconds
from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows, to_rows
from sam_cluster.submissions.box import Entry, discard, open_box
from sam_cluster.submissions.collect import Deferred, Received, Rejected, Rejection, collect
from sam_cluster.submissions.judge import Status, Verdict, judge
from sam_cluster.submissions.model import Submission
from sam_cluster.submissions.munge import Munge

from .accounting import UNTIL
from .fold import Row

#: An array's tasks are looked for among the jobs of so long before the result was handed in.
ARRAYS_MICROSECONDS = 400 * MICROSECONDS_PER_DAY

#: What leaves no row: nobody handed it in, or it is there already.
WITHOUT_ROW = frozenset({Rejection.LEFT_OVER, Rejection.ALREADY_TAKEN})


@dataclass(slots=True)
class Collected:
    """What the box held: entries to be discarded once the commit is made, and what went wrong."""

    entries: list[Entry] = field(default_factory=list)
    received: int = 0
    problems: list[str] = field(default_factory=list)


Names = Callable[[int], str | None]


def fold_results(
    transaction: Transaction, paths: StorePaths, now_microseconds: int, munge: Munge | None, names: Names
) -> Collected:
    """Take what lies in the drop box into the table, and judge what was pending again."""
    now = from_utc_microseconds(now_microseconds)
    rows = to_rows(transaction.read("results"))
    collected = Collected()
    fresh: list[Row] = []
    with open_box(paths.submissions) as box:
        seen = {row["digest"] for row in rows}
        for outcome in collect(box, seen=seen, user_name=names, munge=munge, now=now):
            if isinstance(outcome, Deferred):
                collected.problems.append(f"a result waits in {paths.submissions}: {outcome.detail}")
                continue
            collected.entries.append(outcome.entry)
            if isinstance(outcome, Received):
                fresh.append(_received_row(outcome))
            elif outcome.reason not in WITHOUT_ROW:
                row = _rejected_row(outcome, names)
                if row["digest"] not in seen:  # a directory that is not empty stays in the box
                    fresh.append(row)
    collected.received = len(fresh)
    waiting = [row for row in [*rows, *fresh] if row["verdict"] == Status.PENDING]
    settled = [row for row in [*rows, *fresh] if row["verdict"] != Status.PENDING]
    judged = [*settled, *_judged(transaction, waiting, settled)]
    if fresh or waiting:
        transaction.replace_day("results", None, from_rows("results", judged))
    return collected


def empty_box(paths: StorePaths, collected: Collected) -> None:
    """Discard what the tables hold now."""
    if collected.entries:
        with open_box(paths.submissions) as box:
            discard(box, collected.entries)


def user_name(uid: int) -> str | None:
    """The name of a UID on this host."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _judged(transaction: Transaction, waiting: list[Row], settled: list[Row]) -> list[Row]:
    """The waiting rows with their verdicts, in the order in which they were handed in."""
    until = transaction.properties.get(UNTIL)
    known_until = None if until is None else from_utc_microseconds(until)
    authors = {row["submission_id"]: row["user"] for row in settled if row["submission_id"]}
    judged = []
    for row in sorted(waiting, key=lambda each: (each["submitted_at"], each["digest"])):
        submission = _submission(row)
        owners = _owners(transaction, submission)
        verdict: Verdict = judge(
            submission, row["user"], owners=owners, known_until=known_until, authors=authors
        )
        authors.setdefault(submission.id, row["user"])
        judged.append({**row, "verdict": verdict.status, "reason": verdict.text})
    return judged


def _owners(transaction: Transaction, submission: Submission) -> dict[str, str]:
    """Who owns each job that a submission names, as far as it is known; of a number that was used again,
    the job that had begun last when the result was handed in."""
    at = utc_microseconds(submission.submitted_at)
    owners: dict[str, tuple[int, str]] = {}
    for row in _candidates(transaction, submission, at):
        begun = row["started_at"] or 0
        if row["cluster"] != submission.cluster or row["user"] is None or begun > at:
            continue
        for job_id in (row["job_id"], row["job_id"].split("_")[0].split("+")[0]):
            if job_id in submission.jobs:
                owners[job_id] = max(owners.get(job_id, (-1, "")), (begun, row["user"]))
    return {job_id: user for job_id, (_, user) in owners.items()}


def _candidates(transaction: Transaction, submission: Submission, at: int) -> Iterable[Row]:
    columns = ("cluster", "job_id", "user", "started_at", "raw_job_id")
    # Slurm's own number is known of a plain job; that of an array's task is not in its name.
    plain = {int(job) for job in submission.jobs if job.isdecimal()}
    for table in ("accounting", "jobs"):
        if plain:
            yield from to_rows(transaction.read(table, raw_job_ids=plain, columns=columns))
        if len(plain) < len(submission.jobs):
            since = at - ARRAYS_MICROSECONDS
            yield from to_rows(transaction.read(table, start_microseconds=since, columns=columns))


def _submission(row: Row) -> Submission:
    return Submission(
        id=row["submission_id"],
        submitted_at=from_utc_microseconds(row["submitted_at"]),
        cluster=row["cluster"],
        jobs=tuple(row["job_ids"]),
        accuracy=row["accuracy"],
        task=row["task"],
        metric=row["metric"],
        dataset=row["dataset"],
        split=row["split"],
        model=row["model"],
        note=row["note"],
        supersedes=row["supersedes"],
    )


def _received_row(received: Received) -> Row:
    submission = received.submission
    return {
        "submission_id": submission.id,
        "cluster": submission.cluster,
        "submitted_at": utc_microseconds(submission.submitted_at),
        "uid": received.uid,
        "user": received.user,
        "accuracy": submission.accuracy,
        "task": submission.task,
        "metric": submission.metric,
        "dataset": submission.dataset,
        "split": submission.split,
        "model": submission.model,
        "note": submission.note,
        "job_ids": list(submission.jobs),
        "supersedes": submission.supersedes,
        "verdict": Status.PENDING,
        "reason": None,
        "author_by": received.author_by,
        "digest": received.digest,
    }


def _rejected_row(rejected: Rejected, names: Names) -> Row:
    entry = rejected.entry
    what = f"{rejected.uid}\n{entry.name}\n{entry.inode}\n{entry.changed_at_nanoseconds}"
    return {
        **dict.fromkeys(from_rows("results", []).column_names),
        "uid": rejected.uid,
        "user": names(rejected.uid),
        "job_ids": [],
        "verdict": Status.REJECTED,
        "reason": rejected.detail,
        "digest": hashlib.sha256(what.encode("utf-8", "backslashreplace")).hexdigest(),
    }
