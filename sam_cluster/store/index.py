"""What a commit consists of, from its manifest down to the files: three levels of small JSON.

    tables/commits/00000042.json       manifest: for each table the name of its index
    tables/index/NAME.json             index of a table: for each month the name of its list
    tables/index/NAME.json             list of a month: its files, with what they hold
    tables/TABLE/day=2026-11-22/NAME.parquet

NAME is DIGEST-NUMBER: of the content, and of the commit that it was first written for. So a name never
comes again once its file was superseded, and what is superseded can be removed without asking who is
about to write. A commit rewrites the lists of the months it touches; the manifest's size stays the same.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sam_cluster.core.errors import StoreError
from sam_cluster.core.model import NO_JOB
from sam_cluster.core.units import MICROSECONDS_PER_DAY

from .place import Place, Step
from .rows import day_start

FORMAT = 1
COMMITS = "commits"
INDEX = "index"
WITHOUT_DAYS = "all"
NAME_DIGITS = 20  # of the SHA-256 in a file's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a file, or all files of a month, hold: how many rows, from when to when, and which jobs."""

    rows: int
    start_microseconds: int | None = None  # of the earliest row's extent
    end_microseconds: int | None = None  # of the latest row's extent, included
    raw_job_id_min: int | None = None  # but for NO_JOB
    raw_job_id_max: int | None = None
    is_jobless: bool = False  # it has rows of NO_JOB
    named_min: int | None = None  # of the numbers that the jobs' names begin with
    named_max: int | None = None

    def may_hold(
        self,
        start: int | None,
        end: int | None,
        raw_job_ids: Sequence[int] | None,
        named: Sequence[int] | None = None,
    ) -> bool:
        """Whether a row within [start, end) of one of these jobs may be in it; by Slurm's own numbers, or by
        those that names begin with, ascending."""
        if start is not None and self.end_microseconds is not None and self.end_microseconds < start:
            return False
        if end is not None and self.start_microseconds is not None and self.start_microseconds >= end:
            return False
        if self.is_jobless and raw_job_ids is not None and NO_JOB in raw_job_ids[:1]:
            return True
        return _any_within(raw_job_ids, self.raw_job_id_min, self.raw_job_id_max) and _any_within(
            named, self.named_min, self.named_max
        )

    @classmethod
    def over(cls, spans: Iterable[Span]) -> Span:
        """The span of several together."""
        parts = list(spans)
        # Unknown of one, as in an index of an earlier release, is unknown of all together.
        are_named = all(part.named_min is not None for part in parts)
        return cls(
            rows=sum(part.rows for part in parts),
            start_microseconds=_least(part.start_microseconds for part in parts),
            end_microseconds=_greatest(part.end_microseconds for part in parts),
            raw_job_id_min=_least(part.raw_job_id_min for part in parts),
            raw_job_id_max=_greatest(part.raw_job_id_max for part in parts),
            is_jobless=any(part.is_jobless for part in parts),
            named_min=_least(part.named_min for part in parts) if are_named else None,
            named_max=_greatest(part.named_max for part in parts) if are_named else None,
        )


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file, and the SHA-256 of them."""

    text: bytes
    digest: str

    @classmethod
    def of(cls, content: bytes) -> Content:
        """With its digest."""
        return cls(content, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of a table."""

    path: str  # below tables/
    day: date | None
    digest: str  # SHA-256 of its bytes
    span: Span

    @property
    def is_overhanging(self) -> bool:
        """Whether a row of it reaches beyond the day that it is filed under."""
        end = self.span.end_microseconds
        return self.day is not None and end is not None and end >= day_start(self.day) + MICROSECONDS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The files of a month, by the name of their list."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One commit. `superseded` are the paths below tables/ that it took out of use, `folded` is the name of
    the list of the shards that it took in; what commits up to `swept` superseded was removed."""

    number: int
    committed_at_microseconds: int
    tables: Mapping[str, str]
    folded: str | None
    superseded: tuple[str, ...]
    swept: int
    properties: Mapping[str, Any]

    def to_json(self) -> bytes:
        """As the text of its file."""
        return _dump({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_file(cls, place: Place, name: str) -> Manifest:
        """Back from its file. Raises StoreError, or FileNotFoundError where there is none."""
        where, content = place.where(name), place.read(name)
        try:
            document = json.loads(content)
            known = document.pop("format", None)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{where} cannot be read: {error}; restore it from a backup") from None
        except (AttributeError, TypeError):
            raise _untrue(where) from None
        if known != FORMAT:
            raise StoreError(f"{where}: a commit of format {known!r}; this release reads {FORMAT}")
        try:
            return cls(**{**document, "superseded": tuple(document["superseded"])})
        except (KeyError, TypeError):
            raise _untrue(where) from None


#: What tables hold before the first commit.
NOTHING = Manifest(
    number=0, committed_at_microseconds=0, tables={}, folded=None, superseded=(), swept=0, properties={}
)


def month_of(day: date | None) -> str:
    """The month that a day's file is listed under."""
    return WITHOUT_DAYS if day is None else f"{day:%Y-%m}"


def index_to_json(months: Mapping[str, Month]) -> bytes:
    """The index of a table as the text of its file."""
    return _dump({month: asdict(months[month]) for month in sorted(months)})


def index_from_file(place: Place, name: str) -> dict[str, Month]:
    """Back from its file. Raises StoreError."""
    months = _load_named(place, name).items()
    return {month: Month(name=entry["name"], span=Span(**entry["span"])) for month, entry in months}


def files_to_json(files: Iterable[FileEntry]) -> bytes:
    """The list of a month as the text of its file."""
    rows = [
        {**asdict(file), "day": file.day.isoformat() if file.day else None}
        for file in sorted(files, key=lambda f: f.path)
    ]
    return _dump({"files": rows})


def files_from_file(place: Place, name: str) -> list[FileEntry]:
    """Back from its file. Raises StoreError."""
    return [
        FileEntry(
            path=row["path"],
            day=date.fromisoformat(row["day"]) if row["day"] else None,
            digest=row["digest"],
            span=Span(**row["span"]),
        )
        for row in _load_named(place, name)["files"]
    ]


def write_content(
    place: Place, directory: str, content: Content, suffix: str, number: int, step: Step
) -> str:
    """Write a file named by its content and the commit it is for. Returns the name."""
    name = f"{content.digest[:NAME_DIGITS]}-{number}{suffix}"
    place.put(f"{directory}/{name}", content.text, step)
    return name


def _load_named(place: Place, name: str) -> dict[str, Any]:
    path = f"{INDEX}/{name}"
    try:
        content = place.read(path)
    except FileNotFoundError:
        raise StoreError(
            f"{place.where(path)} is missing, although a commit names it. A state is kept for an hour after "
            "the next one: begin again. If it stays missing, restore it from a backup"
        ) from None
    if not name.startswith(f"{_short(content)}-"):
        raise _untrue(place.where(path))
    document: dict[str, Any] = json.loads(content)
    return document


def _untrue(where: str) -> StoreError:
    return StoreError(f"{where} does not hold what its name says; restore it from a backup")


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:NAME_DIGITS]


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _any_within(wanted: Sequence[int] | None, least: int | None, greatest: int | None) -> bool:
    """Whether one of some numbers (ascending) lies between two; where nothing is wanted, or known, it may."""
    if wanted is None or least is None or greatest is None:
        return True
    first = bisect_left(wanted, least)
    return first < len(wanted) and wanted[first] <= greatest


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _greatest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
