"""What tables need of the place that they lie in: a directory (`posix`), or a bucket (`bucket`).

A file is known by its name below tables/: `commits/00000042.json`. It is there whole or not at all, and
never changes. What a commit promises rests on one thing: of two that create the same name, one is told
that it was not the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

NUMBER_DIGITS = 8

Step = Callable[[str], None]
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def no_step(name: str) -> None:
    """Nothing happens between two steps."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that a listing shows. Asked when it was written (microseconds UTC, by the clock of the place),
    it raises FileNotFoundError where it has gone meanwhile."""

    name: str
    written_at: Callable[[], int]


class Place(Protocol):
    """Where tables lie. All raise StoreError where the place does not answer as it should."""

    @property
    def at_once(self) -> int:
        """How many things are best done at a time: more than one where an answer takes its time."""

    def where(self, name: str) -> str:
        """A file for who reads a message: its path, or its address."""

    def prepare(self) -> None:
        """Make it ready to be written to; done again, nothing changes."""

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError where there is none."""

    def parquet(self, name: str) -> Path | BinaryIO:
        """What pyarrow reads a file from, in any order. Raises FileNotFoundError, if not then."""

    def put(self, name: str, content: bytes, step: Step) -> None:
        """Write a file whose name says its content: who writes it again writes the same."""

    def create(self, name: str, content: bytes, step: Step) -> bool:
        """Write a file under a name that nobody has taken; False where another was first."""

    def newest(self, directory: str) -> int | None:
        """The greatest number that a file of a directory is named by, 0 without any; None where nothing was
        ever prepared here."""

    def entries(self, directory: str) -> Iterator[Entry]:
        """The files right in a directory by name, those that are still being written included."""

    def written_at(self, name: str) -> int | None:
        """When a file was written (microseconds UTC, by the clock of the place); None where there is none."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, of which some may have gone already."""


def answers(place: Place, do: Callable[[Item], Answer], items: Collection[Item]) -> Iterator[Answer]:
    """What comes of each item, in their order: by one after another, or by several at a time in threads."""
    at_once = min(place.at_once, len(items))
    if at_once < 2:
        yield from map(do, items)
        return
    with ThreadPoolExecutor(at_once) as threads:
        begun: deque[Future[Answer]] = deque()
        for item in items:
            begun.append(threads.submit(do, item))
            if len(begun) > at_once:  # not all: what nobody has taken yet lies in memory
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def numbered(directory: str, number: int) -> str:
    """commits/00000042.json"""
    return f"{directory}/{number:0{NUMBER_DIGITS}}.json"


def number_of(name: str) -> int | None:
    """Back from a name, with or without its directory; None where it is not that of a number."""
    stem, _, suffix = name.rpartition("/")[2].partition(".")
    return int(stem) if suffix == "json" and stem.isascii() and stem.isdecimal() else None
