"""What a user hands in, and the text it travels as.

The same checks hold at both ends: the user's, to help, and the service's, because the user's end can
be anything. Texts are limited in length and otherwise left as they are, control characters included:
who shows them must escape them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from ..core.accuracy import accuracy_fraction
from ..core.errors import SubmissionError

SCHEMA_VERSION = 1
MAX_FILE_BYTES = 64 * 1024
MAX_TEXT = 200
MAX_NOTE = 2_000
MAX_JOBS = 1_000

EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 2100))

#: A job as users name it: 123, a task of an array 123_4, a component of a het job 123+1.
JOB_ID = re.compile(r"[1-9][0-9]{0,9}(?:[_+](?:0|[1-9][0-9]{0,9}))?")
SUBMISSION_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An accuracy and the jobs that were spent on it, as its author states them.

    Raises SubmissionError with every field that cannot be taken. Who the author is does not stand
    here: that is not for the author to say.
    """

    id: str
    submitted_at: datetime  # by the author's clock, so good for order among one author's own only
    cluster: str
    jobs: tuple[str, ...]
    accuracy: float  # a fraction
    task: str
    metric: str | None = None
    dataset: str | None = None
    split: str | None = None
    model: str | None = None
    note: str | None = None
    supersedes: str | None = None

    def __post_init__(self) -> None:
        if complaints := [complaint for complaint in self._complaints() if complaint]:
            raise SubmissionError("this result cannot be taken: " + "; ".join(complaints))

    def _complaints(self) -> list[str | None]:
        return [
            _unlike(SUBMISSION_ID, "id", self.id),
            _bad_instant(self.submitted_at),
            _bad_text("cluster", self.cluster, required=True),
            _bad_jobs(self.jobs),
            _bad_accuracy(self.accuracy),
            _bad_text("task", self.task, required=True),
            *(_bad_text(name, getattr(self, name)) for name in ("metric", "dataset", "split", "model")),
            _bad_text("note", self.note, at_most=MAX_NOTE),
            None if self.supersedes is None else _unlike(SUBMISSION_ID, "supersedes", self.supersedes),
        ]

    def to_json(self) -> str:
        """One line of JSON: the text that is vouched for, and whose digest tells submissions apart."""
        content = {**asdict(self), "schema": SCHEMA_VERSION, "submitted_at": self.submitted_at.isoformat()}
        return json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Submission:
        """The submission that a text holds. Raises SubmissionError where it holds none."""
        content = parse_object(text)
        if content.pop("schema", None) != SCHEMA_VERSION:
            raise SubmissionError(f"it is not written in schema {SCHEMA_VERSION}, the one known here")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(content.keys() - known):
            raise SubmissionError(f"it has fields that are not known here: {shown(', '.join(unknown))}")
        missing = {"id", "submitted_at", "cluster", "jobs", "accuracy", "task"} - content.keys()
        if missing:
            raise SubmissionError(f"it lacks {', '.join(sorted(missing))}")
        try:
            submitted_at = datetime.fromisoformat(content["submitted_at"])
            if submitted_at.tzinfo is None:
                raise ValueError
            content["submitted_at"] = submitted_at.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise SubmissionError("submitted_at is not a time in ISO 8601 with its offset") from None
        jobs = content["jobs"]
        content["jobs"] = tuple(jobs) if isinstance(jobs, list) else jobs
        return cls(**content)


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that a text holds. Raises SubmissionError where it is anything else."""
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # the latter for brackets nested a thousand deep
        raise SubmissionError("it is not JSON") from None
    if not isinstance(content, dict):
        raise SubmissionError("it is not a JSON object")
    return content


def parse_job_ids(text: str) -> tuple[str, ...]:
    """The jobs of a list such as `101,102_7,105`, each once. Raises SubmissionError where it is none."""
    jobs = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if complaint := _bad_jobs(jobs):
        raise SubmissionError(complaint)
    return jobs


def stripped(texts: Mapping[str, str | None]) -> dict[str, str | None]:
    """Texts without the blanks around them; what is then empty was not given."""
    return {name: (text.strip() or None) if text is not None else None for name, text in texts.items()}


def shown(text: str) -> str:
    """A hostile text in quotes, short, escaped, on one line: for an error message."""
    return ascii(text if len(text) <= 60 else text[:59] + "…")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _bad_instant(instant: object) -> str | None:
    if not isinstance(instant, datetime) or instant.tzinfo is not UTC:
        return "submitted_at is not a time in UTC"
    # What lies at the calendar's ends is no date in another time zone.
    return None if EARLIEST <= instant < LATEST else "submitted_at is outside the years 1970 to 2099"


def _unlike(pattern: re.Pattern[str], name: str, value: object) -> str | None:
    if isinstance(value, str) and pattern.fullmatch(value):
        return None
    return f"{name} is not the id of a submission"


def _bad_text(name: str, value: object, *, required: bool = False, at_most: int = MAX_TEXT) -> str | None:
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


def _bad_accuracy(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "the accuracy is not a number"
    try:
        accuracy_fraction(value)
    except (ValueError, OverflowError):
        return "the accuracy is not a fraction from 0 to 1"
    return None


def _bad_jobs(jobs: object) -> str | None:
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
