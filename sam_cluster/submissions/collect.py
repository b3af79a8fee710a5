"""The service's end of the drop box: what lies there, each with its author or the reason why not.

Nothing is removed: once the commit is made that holds what was received, `box.discard` is for that.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ..core.errors import SubmissionError
from .box import Entry, Fault, look, read
from .fields import parse_object
from .model import Confirmation, Submission, parse_document
from .munge import CredentialUnchecked, Munge

PLAIN_MODE = 0o644
LEFT_OVER_AFTER = timedelta(days=1)


class Rejection(StrEnum):
    """Why a file that can be read is no submission: a closed list, with `Fault` for those that cannot."""

    LEFT_OVER = "left_over"
    NOT_A_SUBMISSION = "not_a_submission"
    CREDENTIAL_REFUSED = "credential_refused"
    MODE_LEAVES_AUTHOR_OPEN = "mode_leaves_author_open"
    #: A replay; or the box was not emptied after a commit, and then it is nobody's fault.
    ALREADY_TAKEN = "already_taken"


class Deferral(StrEnum):
    """Why a file is left for the next time, with nothing known to be wrong with it: a closed list."""

    CREDENTIAL_UNCHECKED = "credential_unchecked"
    USER_UNKNOWN = "user_unknown"
    READING_FAILED = "reading_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A result or a confirmation whose author is known."""

    entry: Entry
    document: Submission | Confirmation
    uid: int
    user: str
    author_by: str  # munge or owner
    digest: str  # SHA-256 of the author and what they wrote


@dataclass(frozen=True, slots=True)
class Rejected:
    """What can never be a submission. `uid` is the author's where one is known, else the file owner's."""

    entry: Entry
    reason: Fault | Rejection
    detail: str
    uid: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """What cannot be decided now."""

    entry: Entry
    reason: Deferral
    detail: str


Outcome = Received | Rejected | Deferred


def collect(
    box: int,
    *,
    seen: Container[str],
    user_name: Callable[[int], str | None],
    munge: Munge | None,
    now: datetime,
) -> Iterator[Outcome]:
    """What becomes of everything in the box, in the order of the files' names.

    `seen` holds the digests of all that was ever received, so that nothing counts twice however often
    it is put there; `user_name` gives a UID's name, None where there is none.
    """
    taken: set[str] = set()
    for name in sorted(os.listdir(box)):
        outcome: Outcome | None
        try:
            if name.startswith("."):
                outcome = _being_written(box, name, now)
            else:
                outcome = _examine(box, name, user_name, munge)
        except OSError as error:
            entry = look(box, name)
            detail = error.strerror or "unknown error"
            outcome = Deferred(entry, Deferral.READING_FAILED, detail) if entry else None
        if isinstance(outcome, Received):
            if outcome.digest in seen or outcome.digest in taken:
                detail = "the same was taken before"
                outcome = Rejected(outcome.entry, Rejection.ALREADY_TAKEN, detail, outcome.uid)
            else:
                taken.add(outcome.digest)
        if outcome is not None:
            yield outcome


def _being_written(box: int, name: str, now: datetime) -> Rejected | None:
    entry = look(box, name)
    if entry is None or entry.changed_at_nanoseconds / 1e9 > (now - LEFT_OVER_AFTER).timestamp():
        return None
    return Rejected(entry, Rejection.LEFT_OVER, "it was never finished", entry.owner_uid)


def _examine(
    box: int, name: str, user_name: Callable[[int], str | None], munge: Munge | None
) -> Outcome | None:
    found = read(box, name)
    if found is None:
        return None
    entry, content = found
    if isinstance(content, Fault):
        return Rejected(entry, content, "a result is one regular file that only its author can write",
                        entry.owner_uid)  # fmt: skip
    try:
        payload, credential = _unwrap(content)
    except SubmissionError as error:
        return Rejected(entry, Rejection.NOT_A_SUBMISSION, str(error), entry.owner_uid)
    if credential is None:
        # A file that others could write at any time may be theirs, and stays its owner's when it is moved.
        if stat.S_IMODE(entry.mode) != PLAIN_MODE:
            detail = f"without a munge credential its mode must be {PLAIN_MODE:o}"
            return Rejected(entry, Rejection.MODE_LEAVES_AUTHOR_OPEN, detail, entry.owner_uid)
        uid = entry.owner_uid
    else:
        if munge is None:
            return Deferred(entry, Deferral.CREDENTIAL_UNCHECKED, "munge is not installed here")
        try:
            uid = munge.author(credential, payload)
        except CredentialUnchecked as error:
            return Deferred(entry, Deferral.CREDENTIAL_UNCHECKED, str(error))
        except SubmissionError as error:
            return Rejected(entry, Rejection.CREDENTIAL_REFUSED, str(error), entry.owner_uid)
    try:
        document = parse_document(payload.decode("utf-8"))
    except SubmissionError as error:
        return Rejected(entry, Rejection.NOT_A_SUBMISSION, str(error), uid)
    user = user_name(uid)
    if user is None:
        return Deferred(entry, Deferral.USER_UNKNOWN, f"UID {uid} has no name on this host")
    return Received(
        entry=entry,
        document=document,
        uid=uid,
        user=user,
        author_by="owner" if credential is None else "munge",
        # Not of the credential: the same content can be vouched for again and again.
        digest=hashlib.sha256(b"%d\n" % uid + payload).hexdigest(),
    )


def _unwrap(content: bytes) -> tuple[bytes, str | None]:
    try:
        wrapper = parse_object(content.decode("utf-8"))
        payload, credential = wrapper["payload"], wrapper["munge"]
        if isinstance(payload, str) and (credential is None or isinstance(credential, str)):
            return payload.encode("utf-8"), credential
    except (UnicodeError, KeyError):
        pass
    raise SubmissionError("it is not a payload and its munge credential in JSON")
