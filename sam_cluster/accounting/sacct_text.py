"""What `sacct -P` prints, read so that no text of a user's can pass for a row or shift a field.

A job's name may hold any byte, newlines and delimiters too: under a delimiter that can be guessed, a name
can spell out a whole row of somebody else's job. So each call draws a delimiter of its own, the two fields
that users choose come last, and a row begins only where a line begins with a job id, the delimiter, a
number and the delimiter. Behind the account one delimiter is left, behind the name none: nothing that a
user wrote can look like that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_SECOND

from . import hostlist, job_ids, tres
from .records import JobRecord
from .sacct_columns import OPTIONAL, columns

_SHOWN_CHARACTERS = 120
_NEVER = frozenset({"", "Unknown", "None"})
_SUSPENDED = re.compile(r"(?:([0-9]+)-)?([0-9]+):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True)
class Answer:
    """What one call of sacct printed."""

    columns: tuple[str, ...]
    delimiter: str
    records: tuple[JobRecord, ...]
    problems: tuple[str, ...]


def lacks(asked: tuple[str, ...]) -> frozenset[str]:
    """The fields of JobRecord that these columns cannot say."""
    return frozenset(field for column, field in OPTIONAL.items() if column not in asked)


def parse(printed: bytes) -> Answer:
    """The records in what sacct printed; bytes that are no UTF-8 become U+FFFD.

    A row that cannot be read is a problem, and the others are read. Raises AccountingUnavailable where the
    text does not begin with the header of the columns that are asked for.
    """
    header, _, body = printed.decode("utf-8", "replace").partition("\n")
    found, delimiter = _header(header)
    mark = re.escape(delimiter)
    row_start = re.compile(rf"^{job_ids.PATTERN}{mark}[0-9]+{mark}", re.MULTILINE)
    starts = [match.start() for match in row_start.finditer(body)]
    before = body[: starts[0] if starts else len(body)]
    records: list[JobRecord] = []
    problems = [f"sacct printed what is no row: {_shown(before)}"] if before else []
    for begin, end in pairwise([*starts, len(body)]):
        row = body[begin:end]
        values = row.removesuffix("\n").split(delimiter)
        try:
            if len(values) != len(found):
                raise ValueError(f"{len(values)} fields of {len(found)}")
            if not row.endswith("\n"):
                raise ValueError("its end is missing")
            records.append(_record(dict(zip(found, values, strict=True))))
        except ValueError as error:
            shown = _shown(row.replace(delimiter, "|"))  # the same text whenever it is met
            problems.append(f"a row of sacct cannot be read ({error}): {shown}")
    return Answer(found, delimiter, tuple(records), tuple(problems))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def _header(line: str) -> tuple[tuple[str, ...], str]:
    match = re.match(r"JobID(.+?)JobIDRaw\1", line)
    found = tuple(line.split(match[1])) if match else ()
    if not match or found != columns(found):
        wanted = ",".join(columns(()))
        raise AccountingUnavailable(f"no header of sacct's with the columns {wanted}: {_shown(line)}")
    return found, match[1]


def _record(row: Mapping[str, str]) -> JobRecord:
    job = job_ids.parse(row["JobID"])
    start = _instant(row, "Start")
    return JobRecord(
        cluster=row["Cluster"],
        job_id=job.text,
        raw_job_id=int(row["JobIDRaw"]),
        array_job_id=job.array_job_id,
        array_task_id=job.array_task_id,
        het_job_id=job.het_job_id,
        het_offset=job.het_offset,
        job_name=row["JobName"],
        user=row["User"] or None,
        uid=_number(row, "UID"),
        account=row["Account"] or None,
        partition=row["Partition"] or None,
        qos=None if row["QOS"] == "Unknown" else row["QOS"] or None,
        state=_state(row["State"]),
        exit_code=row["ExitCode"] or None,
        restart_count=_number(row, "Restarts") if "Restarts" in row else None,
        sluid=_sluid(row.get("SLUID", "")),
        submit=_instant(row, "Submit"),
        eligible=_instant(row, "Eligible"),
        start=start,
        end=_instant(row, "End"),
        suspended_seconds=_suspended_seconds(row["Suspended"]),
        node_count=_number(row, "AllocNodes"),
        nodes=hostlist.expand(row["NodeList"]),
        gpus=tres.gpus(row["AllocTRES"], started=start is not None),
        gpu_shards=tres.gpu_shards(row["AllocTRES"]),
        gpu_mps=tres.gpu_mps(row["AllocTRES"]),
        alloc_tres=row["AllocTRES"] or None,
    )


def _number(row: Mapping[str, str], column: str) -> int | None:
    text = row[column]
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError(f"{column} is no number")
    return int(text) if text else None


def _instant(row: Mapping[str, str], column: str) -> int | None:
    if row[column] in _NEVER:
        return None
    seconds = _number(row, column)
    return None if seconds is None else seconds * MICROSECONDS_PER_SECOND


def _suspended_seconds(text: str) -> int | None:
    """Of `HH:MM:SS` or `D-HH:MM:SS`."""
    match = _SUSPENDED.fullmatch(text)
    if text and not match:
        raise ValueError("Suspended is no duration")
    if not match:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _state(text: str) -> str:
    """The word alone, without who cancelled: `CANCELLED by 1000`."""
    word = text.partition(" ")[0]
    if not re.fullmatch("[A-Z_]+", word):
        raise ValueError("State is no word")
    return word


def _sluid(text: str) -> str | None:
    """None for the one that stands for no id."""
    if text and not re.fullmatch("s[0-9A-Z]{13}", text):
        raise ValueError("SLUID is none")
    return text if text.strip("s0") else None
