"""Removing what no reader can still need: superseded files after an hour, what dead writers left after a day.

A file's name is never used again (see `index`), so that what was superseded cannot come back into use.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import partial

from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

from .index import COMMITS, INDEX, Manifest
from .place import Entry, answers, number_of, numbered
from .tables import Snapshot

#: How long a reader may go on with the state that it began with.
READERS_MICROSECONDS = MICROSECONDS_PER_HOUR
#: No writer works for so long: what is older and named by no commit was left by one that died.
WRITERS_MICROSECONDS = MICROSECONDS_PER_DAY
#: Commits themselves stay longer: a writer that slept must still find the number taken that it wants.
COMMITS_MICROSECONDS = 30 * MICROSECONDS_PER_DAY


def sweep(current: Snapshot, directories: Iterable[str], now_microseconds: int) -> int:
    """Remove what was superseded more than an hour before, and in these directories (below tables/) and
    the index what writers left that died. Returns the number of the commit up to which all is swept."""
    swept, superseded = _remove_superseded(current, now_microseconds)
    # The clock that stamps files may be another's than this host's, and it is later by now than it was then.
    place_time = current.place.written_at(numbered(COMMITS, current.number))
    if place_time is None:
        return swept
    left = partial(_left, current, superseded, place_time - WRITERS_MICROSECONDS)
    for gone in answers(current.place, left, [*directories, INDEX]):
        current.place.remove(gone)
    _remove_commits(current, min(swept, current.number), place_time)
    return swept


def _remove_superseded(current: Snapshot, now_microseconds: int) -> tuple[int, set[str]]:
    """The commit up to which all is swept, and what later ones superseded that readers may still need."""
    swept = current.manifest.swept
    needed: set[str] = set()
    for number in range(swept + 1, current.number + 1):
        try:
            manifest = Manifest.from_file(current.place, numbered(COMMITS, number))
        except FileNotFoundError:
            continue
        if needed or manifest.committed_at_microseconds > now_microseconds - READERS_MICROSECONDS:
            needed.update(manifest.superseded)
            continue
        current.place.remove(manifest.superseded)
        swept = number
    return swept, needed


def _named(current: Snapshot, directory: str) -> set[str]:
    """The files in a directory that the current commit names."""
    if directory == INDEX:
        names = [*current.manifest.tables.values(), current.manifest.folded]
        names += [month.name for table in current.manifest.tables for month in current.months(table).values()]
        return {f"{INDEX}/{name}" for name in names if name}
    # A day's file is in the list of its month: no other list is read, however many there are.
    table, _, day = directory.partition("/day=")
    file = current.file_of_day(table, date.fromisoformat(day) if day else None)
    return {file.path} if file else set()


def _left(current: Snapshot, superseded: set[str], before_microseconds: int, directory: str) -> list[str]:
    """The files in a directory that no commit names, and whose writer must be dead."""
    named = superseded | _named(current, directory)
    unnamed = (entry for entry in current.place.entries(directory) if entry.name not in named)
    return [entry.name for entry in unnamed if _is_older(entry, before_microseconds)]


def _remove_commits(current: Snapshot, before_number: int, place_time: int) -> None:
    """Remove what dead writers left beside the commits, and the oldest commits. Their names are in the order
    in which they were made, and a name that begins with a dot comes before them. Number 0 is a mark."""
    gone = []
    for entry in current.place.entries(COMMITS):
        number = number_of(entry.name)
        if number == 0:
            continue
        if number is None:
            if not _is_older(entry, place_time - WRITERS_MICROSECONDS):
                continue
        elif number >= before_number or not _is_older(entry, place_time - COMMITS_MICROSECONDS):
            break
        gone.append(entry.name)
    current.place.remove(gone)


def _is_older(entry: Entry, than_microseconds: int) -> bool:
    try:
        return entry.written_at() < than_microseconds
    except FileNotFoundError:
        return False  # another writer removed it
