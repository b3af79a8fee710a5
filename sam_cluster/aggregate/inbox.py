"""The inbox and the quarantine: what lies there, what is moved aside, what is taken away.

Nothing is deleted that was not folded: a bad file moves to quarantine, the reason beside it.

    STORE/quarantine/NODE.FILE          STORE/quarantine/NODE.FILE.reason.txt
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from sam_cluster.store.paths import StorePaths, parse_shard_name
from sam_cluster.store.rows import to_rows

REASON_SUFFIX = ".reason.txt"
#: A day of sixteen GPUs at one sample a second takes a tenth of it.
LARGEST_SHARD_BYTES = 256 * 1024 * 1024
SECONDS_PER_DAY = MICROSECONDS_PER_DAY // MICROSECONDS_PER_SECOND
LONGEST_NAME = 180  # of 255 bytes, so that a number and the suffix still fit


class InboxFile(NamedTuple):
    """A file that may be a shard. A million of them are held and sorted, so it is no more than a tuple."""

    started_second: int  # as its name has it: shards of neighbouring days are folded together
    node: str
    name: str
    directory: str

    @property
    def location(self) -> str:
        """Its path, as text."""
        return f"{self.directory}/{self.name}"

    @property
    def path(self) -> Path:
        """Its path."""
        return Path(self.location)


@dataclass(frozen=True, slots=True)
class Rejected:
    """What cannot be a shard, and why."""

    path: Path
    name: str  # to be known by in quarantine
    reason: str


def look(paths: StorePaths) -> tuple[list[InboxFile], list[Rejected], list[str]]:
    """The shards in the inbox in the order of their runs' starts, what cannot be one by its name, kind or
    size, and the directories that cannot be read. Files that begin with a dot are still being written.
    Raises OSError where there is no inbox."""
    shards: list[InboxFile] = []
    rejected: list[Rejected] = []
    unread: list[str] = []
    for node in sorted(os.scandir(paths.inbox), key=lambda entry: entry.name):
        if node.name.startswith("."):
            continue
        if not node.is_dir(follow_symlinks=False):
            reason = "a shard lies in the directory of its node"
            rejected.append(Rejected(Path(node.path), node.name, reason))
            continue
        try:
            entries = list(os.scandir(node.path))
        except OSError as error:
            unread.append(f"{node.path}: {error.strerror}")
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            found = _shard_or_not(node, entry)
            if isinstance(found, InboxFile):
                shards.append(found)
            elif found:
                rejected.append(found)
    shards.sort()
    return shards, sorted(rejected, key=lambda each: each.name), unread


def lots(files: Sequence[InboxFile], at_once: int) -> list[Sequence[InboxFile]]:
    """Files, in the order of `look`, in lots of whole days that have at most so many, so that few days are
    written twice; a day that has more by itself is several. There is one at least."""
    found: list[Sequence[InboxFile]] = []
    begin = end = 0
    for _, of_day in groupby(files, _day_of_start):
        more = len(list(of_day))
        if end > begin and end + more - begin > at_once:
            found.append(files[begin:end])
            begin = end
        end += more
        while end - begin > at_once:
            found.append(files[begin : begin + at_once])
            begin += at_once
    return [*found, files[begin:end]]


def _day_of_start(file: InboxFile) -> int:
    return file.started_second // SECONDS_PER_DAY


def _shard_or_not(node: os.DirEntry[str], entry: os.DirEntry[str]) -> InboxFile | Rejected | None:
    """None where it has gone meanwhile."""
    parsed = parse_shard_name(entry.name)
    try:
        if not entry.is_file(follow_symlinks=False):
            reason = "not a regular file"
        elif parsed is None:
            reason = "its name is not RUN-START.PART.parquet"
        elif (size := entry.stat(follow_symlinks=False).st_size) > LARGEST_SHARD_BYTES:
            reason = f"it has {size} bytes, and no shard is so large"
        else:
            return InboxFile(parsed[1], node.name, entry.name, node.path)
    except FileNotFoundError:
        return None
    return Rejected(Path(entry.path), f"{node.name}.{entry.name}", reason)


def read(file: InboxFile) -> bytes:
    """The bytes of a file in the inbox, through no link. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    opened = os.open(file.location, flags)
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{file.location} is not a regular file")
        content = os.read(opened, found.st_size)
        while len(content) < found.st_size and (more := os.read(opened, found.st_size - len(content))):
            content += more  # one call may give a part
        return content
    finally:
        os.close(opened)


def quarantine(paths: StorePaths, rejected: Rejected) -> Path | None:
    """Move it aside under a name of its own; None where it has gone meanwhile. Raises OSError where it
    cannot be moved; then it stays where it is."""
    for number in count():
        short = os.fsdecode(os.fsencode(rejected.name)[:LONGEST_NAME])
        name = short + (f".{number}" if number else "")
        target = paths.quarantine / name
        reason = paths.quarantine / f"{name}{REASON_SUFFIX}"
        try:
            # The reason comes first: it takes the name, also against another process.
            file = reason.open("x", encoding="utf-8", errors="backslashreplace")
        except FileExistsError:
            continue
        try:
            with file:
                file.write(f"{rejected.path}: {rejected.reason}\n")
            rejected.path.rename(target)
        except FileNotFoundError:
            reason.unlink()
            return None
        except OSError:
            reason.unlink()  # or one more would be left by each attempt
            raise
        return target
    return None


def keep_superseded(paths: StorePaths, shards: Iterable[dict[str, Any]], readings: pa.Table) -> None:
    """Write into quarantine what the tables give up for a shard that says more; its file is gone. Done
    again, it is the same."""
    for shard in shards:
        digest = shard["shard_digest"]
        boundaries = to_rows(readings.filter(pc.equal(readings["shard_digest"], digest)))
        second = shard["started_at"] // MICROSECONDS_PER_SECOND
        name = f"{shard['node']}.{shard['run_id']}-{second}.{shard['part']}.{digest[:16]}.json"
        reason = f"shard {digest} was in the tables; another one says more of the same run\n"
        (paths.quarantine / f"{name}{REASON_SUFFIX}").write_text(reason, encoding="utf-8")
        document = json.dumps({"shard": shard, "readings": boundaries}, sort_keys=True, indent=1)
        (paths.quarantine / name).write_text(document, encoding="utf-8")
