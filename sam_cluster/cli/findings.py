"""What a check of the installation found, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check came out; only `wrong` makes the installation wrong."""

    OK = "ok"
    WRONG = "wrong"
    ADVICE = "advice"  # works, and could be better
    SKIPPED = "skipped"  # cannot be seen from here


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `mend` is empty where nothing is to be done."""

    check: str
    status: Status
    found: str
    mend: str = ""


def judged(check: str, is_right: bool, found: str, mend: str, otherwise: Status = Status.WRONG) -> Finding:
    """A finding that is right, or else says how to mend it."""
    return Finding(check, Status.OK, found) if is_right else Finding(check, otherwise, found, mend)
