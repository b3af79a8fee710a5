"""The results in the drop box and those that wait, judged by what the tables know of their jobs.

Who holds an id is who handed it in first, so that nobody takes it by naming an earlier time; for all
else the verdict is the same in whatever order results, confirmations and jobs arrived.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from sam_cluster.core.config import Config
from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.store.commit import Transaction
from sam_cluster.submissions.judge import Ground, Status, judge
from sam_cluster.submissions.model import Confirmation, Submission

from .named_jobs import NamedJobs
from .shard_rows import Row

Words = Mapping[str, Mapping[str, Confirmation]]  # the latest by submission and user


def is_open(row: Row, words_on: Container[str], arrived: Container[str]) -> bool:
    """Whether a stored result is judged again, for what its verdict rests on may have changed: `words_on` are
    the submissions that somebody had a word on, `arrived` those that were handed in."""
    if row["verdict"] == Status.PENDING:
        return True
    if row["ground"] == Ground.NO_SUCH_RESULT:
        return row["supersedes"] in arrived
    may_change = row["verdict"] == Status.ACCEPTED or row["ground"] == Ground.OWNER_DECLINED
    return may_change and row["submission_id"] in words_on


def judged(
    transaction: Transaction,
    config: Config,
    *,
    settled: Sequence[Row],
    waiting: Sequence[Row],
    fresh: Sequence[Row],
    words: Words,
) -> list[Row]:
    """The stored rows that wait and the fresh ones, with their verdicts."""
    holders = {
        row["submission_id"]: row
        for row in settled
        if row["submission_id"] and row["ground"] != Ground.ID_ALREADY_USED
    }
    ordered = [*waiting, *sorted(fresh, key=lambda row: (row["submitted_at"], row["digest"]))]
    for row in ordered:
        holders.setdefault(row["submission_id"], row)
    authors = {submission_id: row["user"] for submission_id, row in holders.items()}
    corrected = {row["digest"]: holders.get(row["supersedes"]) for row in ordered if row["supersedes"]}
    jobs = NamedJobs(transaction, config, [*ordered, *filter(None, corrected.values())])
    return [
        _with_verdict(row, config, jobs, words, _others(authors, holders, row), corrected.get(row["digest"]))
        for row in ordered
    ]


def _others(authors: Mapping[str, str], holders: Mapping[str, Row], row: Row) -> Mapping[str, str]:
    """Who handed in what of the submissions that this one is to be compared with."""
    asked = {row["submission_id"], row["supersedes"]} & authors.keys()
    return {each: authors[each] for each in asked if holders[each] is not row}


def _with_verdict(
    row: Row, config: Config, jobs: NamedJobs, words: Words, authors: Mapping[str, str], corrected: Row | None
) -> Row:
    submission, author = submission_of(row), row["user"]
    verdict = judge(
        submission,
        author,
        known=jobs.known(row, words.get(submission.id, {})),
        task=config.task_named(submission.task),
        authors=authors,
        may_correct=corrected is not None and jobs.coordinates_all(author, corrected),
    )
    # What was accepted stays so, whatever the configuration says by now, unless a job's owner takes it back.
    if row["verdict"] == Status.ACCEPTED and verdict.ground != Ground.OWNER_DECLINED:
        return row
    return {**row, "verdict": verdict.status, "ground": verdict.ground, "reason": verdict.text}


def submission_of(row: Row) -> Submission:
    """The submission that a row of `results` was made from."""
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
        epochs=row["epochs"],
        data_fraction=row["data_fraction"],
        checkpoint_sha256=row["checkpoint_sha256"],
        supersedes=row["supersedes"],
    )


def latest_words(rows: Iterable[Row]) -> dict[str, dict[str, Confirmation]]:
    """Of the rows of `confirmations` the latest word of each user on each submission."""
    words: dict[str, dict[str, Confirmation]] = {}
    for row in sorted(rows, key=lambda each: (each["submitted_at"], each["digest"])):
        words.setdefault(row["submission_id"], {})[row["user"]] = Confirmation(
            submission_id=row["submission_id"],
            submitted_at=from_utc_microseconds(row["submitted_at"]),
            confirmed=row["confirmed"],
            reason=row["reason"],
        )
    return words
