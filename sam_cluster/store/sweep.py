"""Removing what no reader can still need: superseded files after an hour, what dead writers left after a day.

A file's name is never used again (see `index`), so that what was superseded cannot come back into use.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

from .index import Manifest
from .tables import Snapshot, commit_path

#: How long a reader may go on with the state that it began with.
READERS_MICROSECONDS = MICROSECONDS_PER_HOUR
#: No writer works for so long: what is older and named by no commit was left by one that died.
WRITERS_MICROSECONDS = MICROSECONDS_PER_DAY
#: Commits themselves stay longer: a writer that slept must still find the number taken that it wants.
COMMITS_MICROSECONDS = 30 * MICROSECONDS_PER_DAY


def sweep(current: Snapshot, directories: Iterable[str], now_microseconds: int) -> int:
    """Remove what was superseded more than an hour before, and in these directories (below tables/) and
    the index what writers left that died. Returns the number of the commit up to which all is swept."""
    tables = current.paths.tables
    swept, superseded = _remove_superseded(current, now_microseconds)
    disk_time = _disk_time(tables / "commits")
    for directory in [*directories, "index", "commits"]:
        if (tables / directory).is_dir():
            named = superseded | _named(current, directory)
            for entry in (tables / directory).iterdir():
                if f"{directory}/{entry.name}" not in named:
                    _remove(entry, disk_time - WRITERS_MICROSECONDS)
    for path in (tables / "commits").glob("*.json"):
        if path.stem.isdecimal() and int(path.stem) < min(swept, current.number):
            _remove(path, disk_time - COMMITS_MICROSECONDS)
    return swept


def _remove_superseded(current: Snapshot, now_microseconds: int) -> tuple[int, set[str]]:
    """The commit up to which all is swept, and what later ones superseded that readers may still need."""
    tables = current.paths.tables
    swept = current.manifest.swept
    needed: set[str] = set()
    for number in range(swept + 1, current.number + 1):
        try:
            manifest = Manifest.from_file(commit_path(tables, number))
        except FileNotFoundError:
            continue
        if needed or manifest.committed_at_microseconds > now_microseconds - READERS_MICROSECONDS:
            needed.update(manifest.superseded)
            continue
        for path in manifest.superseded:
            (tables / path).unlink(missing_ok=True)
        swept = number
    return swept, needed


def _named(current: Snapshot, directory: str) -> set[str]:
    """The paths in a directory that the current commit names."""
    if directory == "commits":
        return {f"commits/{path.name}" for path in (current.paths.tables / directory).glob("[!.]*.json")}
    if directory == "index":
        names = [*current.manifest.tables.values(), current.manifest.folded]
        names += [month.name for table in current.manifest.tables for month in current.months(table).values()]
        return {f"index/{name}" for name in names if name}
    # A day's file is in the list of its month: no other list is read, however many there are.
    table, _, day = directory.partition("/day=")
    file = current.file_of_day(table, date.fromisoformat(day) if day else None)
    return {file.path} if file else set()


def _remove(path: Path, before_microseconds: int) -> None:
    try:
        if path.is_file() and path.stat().st_mtime_ns // 1_000 < before_microseconds:
            path.unlink()
    except FileNotFoundError:
        return  # another writer removed it


def _disk_time(directory: Path) -> int:
    """What the clock says that stamps files: on a network file system it is another's."""
    probe = directory / f".{secrets.token_hex(4)}.part"
    probe.touch()
    try:
        return probe.stat().st_mtime_ns // 1_000
    finally:
        probe.unlink()
