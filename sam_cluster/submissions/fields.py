"""The fields of what is handed in: what each may hold, and the JSON that they travel in.

A check gives None, or what is wrong. Texts are limited in length and otherwise left as they are, control
characters included: who shows them must escape them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Set
from datetime import UTC, datetime
from typing import Any

from ..core.accuracy import accuracy_fraction
from ..core.errors import SubmissionError

SCHEMA_VERSION = 2
#: 1 knew no epochs, fraction of the data, checkpoint or confirmation; its results read as before.
READABLE_SCHEMAS = (1, 2)

MAX_TEXT = 200
MAX_NOTE = 2_000
MAX_JOBS = 1_000

EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 2100))

#: A job as users name it: 123, a task of an array 123_4, a component of a het job 123+1.
JOB_ID = re.compile(r"[1-9][0-9]{0,9}(?:[_+](?:0|[1-9][0-9]{0,9}))?")
SUBMISSION_ID = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def to_text(content: dict[str, Any]) -> str:
    """One line of JSON: the text that is vouched for, and whose digest tells what is handed in apart."""
    stated = {**content, "schema": SCHEMA_VERSION, "submitted_at": content["submitted_at"].isoformat()}
    return json.dumps(stated, ensure_ascii=False, sort_keys=True, allow_nan=False)


def from_content(content: dict[str, Any], *, known: Set[str], required: Set[str]) -> dict[str, Any]:
    """The fields of a JSON object, `submitted_at` as an instant. Raises SubmissionError where a field is not
    known or missing, and for a schema that is not known here."""
    fields = dict(content)
    if fields.pop("schema", None) not in READABLE_SCHEMAS:
        readable = " or ".join(map(str, READABLE_SCHEMAS))
        raise SubmissionError(f"it is not written in schema {readable}, those known here")
    if unknown := sorted(fields.keys() - known):
        raise SubmissionError(f"it has fields that are not known here: {shown(', '.join(unknown))}")
    if missing := required - fields.keys():
        raise SubmissionError(f"it lacks {', '.join(sorted(missing))}")
    try:
        submitted_at = datetime.fromisoformat(fields["submitted_at"])
        if submitted_at.tzinfo is None:
            raise ValueError
        fields["submitted_at"] = submitted_at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise SubmissionError("submitted_at is not a time in ISO 8601 with its offset") from None
    return fields


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that a text holds. Raises SubmissionError where it is anything else."""
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # the latter for brackets nested a thousand deep
        raise SubmissionError("it is not JSON") from None
    if not isinstance(content, dict):
        raise SubmissionError("it is not a JSON object")
    return content


def shown(text: str) -> str:
    """A hostile text in quotes, short, escaped, on one line: for an error message."""
    return ascii(text if len(text) <= 60 else text[:59] + "…")


def bad_instant(instant: object) -> str | None:
    """What is wrong with the time of a submission."""
    if not isinstance(instant, datetime) or instant.tzinfo is not UTC:
        return "submitted_at is not a time in UTC"
    # What lies at the calendar's ends is no date in another time zone.
    return None if EARLIEST <= instant < LATEST else "submitted_at is outside the years 1970 to 2099"


def bad_id(name: str, value: object) -> str | None:
    """What is wrong with the id of a submission."""
    if isinstance(value, str) and SUBMISSION_ID.fullmatch(value):
        return None
    return f"{name} is not the id of a submission"


def bad_text(name: str, value: object, *, required: bool = False, at_most: int = MAX_TEXT) -> str | None:
    """What is wrong with a text of somebody's."""
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value.strip():
        return f"{name} is not a text, or an empty one"
    if len(value) > at_most:
        return f"{name} is {len(value)} characters long, and at most {at_most} are taken"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"{name} is not valid Unicode"
    return None


def bad_accuracy(value: object) -> str | None:
    """What is wrong with an accuracy."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "the accuracy is not a number"
    try:
        accuracy_fraction(value)
    except (ValueError, OverflowError):
        return "the accuracy is not a fraction from 0 to 1"
    return None


def bad_amount(name: str, value: object, *, at_most: float = math.inf) -> str | None:
    """What is wrong with a number that is above zero where it is given."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} is not a number"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isfinite(number) and 0 < number <= at_most:
        return None
    return f"{name} is not a number above 0" + (f" and up to {at_most:g}" if at_most < math.inf else "")


def bad_sha256(name: str, value: object) -> str | None:
    """What is wrong with a digest."""
    if value is None or (isinstance(value, str) and SHA256.fullmatch(value)):
        return None
    return f"{name} is not a SHA-256 in 64 hexadecimal digits"


def bad_jobs(jobs: object) -> str | None:
    """What is wrong with the jobs of a result."""
    if not isinstance(jobs, tuple) or not jobs:
        return "no job is named; a result names every job that was spent on it"
    if len(jobs) > MAX_JOBS:
        return f"{len(jobs)} jobs are named, and at most {MAX_JOBS} are taken; name an array by its own id"
    for job in jobs:
        if not isinstance(job, str):
            return "a job's id is not a text"
        if not JOB_ID.fullmatch(job):
            return f"{shown(job)} is not a job's id; write 123, 123_4 or 123+1"
    if len(set(jobs)) < len(jobs):
        return "a job is named twice"
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
