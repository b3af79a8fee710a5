"""The inbox and the quarantine: what lies there, what is moved aside, what is taken away.

Nothing is deleted that was not folded: a bad file moves to quarantine, the reason beside it.

    STORE/quarantine/NODE.FILE          STORE/quarantine/NODE.FILE.reason.txt
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.errors import ShardError
from sam_cluster.core.units import MICROSECONDS_PER_SECOND
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows

REASON_SUFFIX = ".reason.txt"
#: A day of sixteen GPUs at one sample a second takes a tenth of it.
LARGEST_SHARD_BYTES = 256 * 1024 * 1024
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LONGEST_NAME = 180  # of 255 bytes, so that a number and the suffix still fit


class InboxFile(NamedTuple):
    """A file that may be a shard."""

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


class Begun(NamedTuple):
    """A file that was asked for; `descriptor` is why it was not, where it could not be."""

    file: InboxFile
    descriptor: int | OSError


def begin(file: InboxFile) -> Begun:
    """Open a file in the inbox, through no link, and ask the disk for all of it without waiting. It has to be
    `read`, which closes it."""
    try:
        descriptor = os.open(file.location, READ_FLAGS)
    except OSError as error:
        return Begun(file, error.with_traceback(None))
    with suppress(OSError):  # what is no file of a disk is found out when it is read
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    return Begun(file, descriptor)


def read(begun: Begun) -> bytes:
    """The bytes of a file that was begun. Raises OSError, and ShardError for one that is larger than any
    shard."""
    file, opened = begun
    if isinstance(opened, OSError):
        raise opened
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{file.location} is not a regular file")
        if found.st_size > LARGEST_SHARD_BYTES:
            raise ShardError(f"it has {found.st_size} bytes, and no shard is so large")
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
