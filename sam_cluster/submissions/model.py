"""What a user hands in: a result, or the word of a job's owner on somebody else's result.

The same checks hold at both ends: the user's, to help, and the service's, because the user's end can
be anything. Who the author is does not stand in either: that is not for the author to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from ..core.errors import SubmissionError
from .fields import (
    MAX_NOTE,
    bad_accuracy,
    bad_amount,
    bad_id,
    bad_instant,
    bad_jobs,
    bad_sha256,
    bad_text,
    from_content,
    parse_object,
    to_text,
)

MAX_FILE_BYTES = 64 * 1024
CONFIRMATION = "confirmation"  # the kind of a document; one that names none is a result


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An accuracy and the jobs that were spent on it, as its author states them.

    Raises SubmissionError with every field that cannot be taken.
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
    epochs: float | None = None
    data_fraction: float | None = None  # of the dataset, above 0 and up to 1
    checkpoint_sha256: str | None = None
    supersedes: str | None = None

    def __post_init__(self) -> None:
        _refuse("result", [
            bad_id("id", self.id),
            bad_instant(self.submitted_at),
            bad_text("cluster", self.cluster, required=True),
            bad_jobs(self.jobs),
            bad_accuracy(self.accuracy),
            bad_text("task", self.task, required=True),
            *(bad_text(name, getattr(self, name)) for name in ("metric", "dataset", "split", "model")),
            bad_text("note", self.note, at_most=MAX_NOTE),
            bad_amount("epochs", self.epochs),
            bad_amount("data_fraction", self.data_fraction, at_most=1.0),
            bad_sha256("checkpoint_sha256", self.checkpoint_sha256),
            None if self.supersedes is None else bad_id("supersedes", self.supersedes),
        ])  # fmt: skip

    def to_json(self) -> str:
        """As the text that travels."""
        return to_text(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Submission:
        """The submission that a text holds. Raises SubmissionError where it holds none."""
        return cls.from_content(parse_object(text))

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Submission:
        """The submission that a JSON object states. Raises SubmissionError where it states none."""
        required = {"id", "submitted_at", "cluster", "jobs", "accuracy", "task"}
        stated = from_content(dict(content), known={field.name for field in fields(cls)}, required=required)
        jobs = stated["jobs"]
        return cls(**{**stated, "jobs": tuple(jobs) if isinstance(jobs, list) else jobs})


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The word of somebody whose jobs a result names: that it may count them, or that it may not.

    It speaks for its author's own jobs only, and their latest word counts. Raises SubmissionError with
    every field that cannot be taken.
    """

    submission_id: str
    submitted_at: datetime  # by its author's clock
    confirmed: bool
    reason: str | None = None  # why not

    def __post_init__(self) -> None:
        _refuse("confirmation", [
            bad_id("submission_id", self.submission_id),
            bad_instant(self.submitted_at),
            None if isinstance(self.confirmed, bool) else "confirmed is neither true nor false",
            bad_text("reason", self.reason),
        ])  # fmt: skip

    def to_json(self) -> str:
        """As the text that travels."""
        return to_text({**asdict(self), "kind": CONFIRMATION})

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Confirmation:
        """The confirmation that a JSON object states. Raises SubmissionError where it states none."""
        stated = {name: value for name, value in content.items() if name != "kind"}
        required = {"submission_id", "submitted_at", "confirmed"}
        return cls(**from_content(stated, known={field.name for field in fields(cls)}, required=required))


def parse_document(text: str) -> Submission | Confirmation:
    """What a text from the drop box states. Raises SubmissionError where it states neither."""
    content = parse_object(text)
    if content.get("kind") == CONFIRMATION:
        return Confirmation.from_content(content)
    return Submission.from_content(content)


def parse_job_ids(text: str) -> tuple[str, ...]:
    """The jobs of a list such as `101,102_7,105`, each once. Raises SubmissionError where it is none."""
    jobs = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if complaint := bad_jobs(jobs):
        raise SubmissionError(complaint)
    return jobs


def stripped(texts: Mapping[str, str | None]) -> dict[str, str | None]:
    """Texts without the blanks around them; what is then empty was not given."""
    return {name: (text.strip() or None) if text is not None else None for name, text in texts.items()}


def _refuse(what: str, complaints: Iterable[str | None]) -> None:
    if found := [complaint for complaint in complaints if complaint]:
        raise SubmissionError(f"this {what} cannot be taken: " + "; ".join(found))
