"""Job ids as users name them: `123`, `123_4` of an array, `123+1` of a heterogeneous job."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: `123_[5-9%2]` stands for the tasks of an array that have not yet become jobs of their own.
PATTERN = r"[0-9]+(?:_(?:[0-9]+|\[[^\[\]\n]*\])|\+[0-9]+)?"

_PARTS = re.compile(
    r"(?P<first>[0-9]+)(?:(?P<array>_)(?:(?P<task>[0-9]+)|\[[^\[\]\n]*\])|\+(?P<offset>[0-9]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobId:
    """A job id as written, and its parts; those that it does not have are None."""

    text: str
    array_job_id: int | None = None
    array_task_id: int | None = None
    het_job_id: int | None = None
    het_offset: int | None = None


def parse(text: str) -> JobId:
    """The parts of a job id as sacct's JobID has it, without a step. Raises ValueError for other text."""
    match = _PARTS.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no job id")
    first = int(match["first"])
    if match["offset"]:
        return JobId(text=text, het_job_id=first, het_offset=int(match["offset"]))
    if match["array"]:
        task = int(match["task"]) if match["task"] else None
        return JobId(text=text, array_job_id=first, array_task_id=task)
    return JobId(text=text)
