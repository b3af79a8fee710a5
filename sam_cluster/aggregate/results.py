"""The tables `results` and `confirmations`: what lies in the drop box, judged; what waits, judged again."""

from __future__ import annotations

import hashlib
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field

from sam_cluster.core.config import Config
from sam_cluster.core.times import from_utc_microseconds, utc_microseconds
from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows, to_rows
from sam_cluster.submissions.box import Entry, discard, open_box
from sam_cluster.submissions.collect import Deferred, Received, Rejected, Rejection, collect
from sam_cluster.submissions.judge import Status
from sam_cluster.submissions.model import Confirmation, Submission
from sam_cluster.submissions.munge import Munge

from .judging import is_open, judged, latest_words
from .shard_rows import Row

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
    transaction: Transaction,
    paths: StorePaths,
    config: Config,
    now_microseconds: int,
    munge: Munge | None,
    names: Names,
) -> Collected:
    """Take what lies in the drop box into the tables, and judge again what was pending, and what somebody
    had a word on."""
    now = from_utc_microseconds(now_microseconds)
    rows, stored_words = (to_rows(transaction.read(table)) for table in ("results", "confirmations"))
    collected = Collected()
    fresh: list[Row] = []
    unusable: list[Row] = []
    fresh_words: list[Row] = []
    with open_box(paths.submissions) as box:
        seen = {row["digest"] for row in [*rows, *stored_words]}
        for outcome in collect(box, seen=seen, user_name=names, munge=munge, now=now):
            if isinstance(outcome, Deferred):
                collected.problems.append(f"a result waits in {paths.submissions}: {outcome.detail}")
                continue
            collected.entries.append(outcome.entry)
            if isinstance(outcome, Received):
                if isinstance(outcome.document, Submission):
                    fresh.append(_result_row(outcome, outcome.document))
                else:
                    fresh_words.append(_confirmation_row(outcome, outcome.document))
            elif outcome.reason not in WITHOUT_ROW:
                row = _rejected_row(outcome, names)
                if row["digest"] not in seen:  # a directory that is not empty stays in the box
                    unusable.append(row)
    collected.received = len(fresh) + len(unusable)
    if fresh_words:
        words = from_rows("confirmations", [*stored_words, *fresh_words])
        transaction.replace_day("confirmations", None, words)
    words_on, arrived = ({row["submission_id"] for row in each} for each in (fresh_words, fresh))
    waiting = [row for row in rows if is_open(row, words_on, arrived)]
    if fresh or unusable or waiting:
        settled = [row for row in rows if not is_open(row, words_on, arrived)]
        latest = latest_words([*stored_words, *fresh_words])
        again = judged(transaction, config, settled=settled, waiting=waiting, fresh=fresh, words=latest)
        transaction.replace_day("results", None, from_rows("results", [*settled, *unusable, *again]))
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


def _result_row(received: Received, submission: Submission) -> Row:
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
        "epochs": submission.epochs,
        "data_fraction": submission.data_fraction,
        "checkpoint_sha256": submission.checkpoint_sha256,
        "ground": None,
    }


def _confirmation_row(received: Received, confirmation: Confirmation) -> Row:
    return {
        "submission_id": confirmation.submission_id,
        "submitted_at": utc_microseconds(confirmation.submitted_at),
        "uid": received.uid,
        "user": received.user,
        "confirmed": confirmation.confirmed,
        "reason": confirmation.reason,
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
