"""The service's hands in the drop box: reading and removing without being led anywhere.

Everything goes through a descriptor of the box and one bare name. No link is followed, nothing but a
regular file is opened, nothing is waited for, and nothing is removed but what was looked at.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..core.errors import StoreError
from .model import MAX_FILE_BYTES

BOX = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Fault(StrEnum):
    """What keeps an entry of the box from being read: a closed list."""

    NOT_A_REGULAR_FILE = "not_a_regular_file"
    LINKED = "linked"
    WRITABLE_BY_OTHERS = "writable_by_others"
    NOT_READABLE = "not_readable"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that lies in the box, as it was when it was looked at."""

    name: str  # chosen by whoever put it there
    inode: int
    changed_at_nanoseconds: int  # moved by the kernel alone at every change, whereas anybody can set mtime
    owner_uid: int
    mode: int

    @classmethod
    def of(cls, name: str, status: os.stat_result) -> Entry:
        """The entry of this name and status."""
        return cls(name, status.st_ino, status.st_ctime_ns, status.st_uid, status.st_mode)


@contextmanager
def open_box(path: Path) -> Iterator[int]:
    """A descriptor of the box. Raises StoreError where there is no such directory."""
    try:
        box = os.open(path, BOX)
    except OSError as error:
        raise StoreError(f"the drop box {path} cannot be opened: {error.strerror}") from None
    try:
        yield box
    finally:
        os.close(box)


def look(box: int, name: str) -> Entry | None:
    """What lies under the name; None where nothing does any more."""
    try:
        return Entry.of(name, os.stat(name, dir_fd=box, follow_symlinks=False))
    except FileNotFoundError:
        return None


def read(box: int, name: str) -> tuple[Entry, bytes | Fault] | None:
    """The content of a file that only its owner can have written, or why there is none.

    None where nothing lies under the name any more. Raises OSError where the disk fails.
    """
    entry = look(box, name)
    if entry is None:
        return None
    if not stat.S_ISREG(entry.mode):
        return entry, Fault.NOT_A_REGULAR_FILE
    try:
        descriptor = os.open(name, FILE, dir_fd=box)
    except FileNotFoundError:
        return None
    except PermissionError:
        return entry, Fault.NOT_READABLE
    try:
        status = os.fstat(descriptor)  # of what was opened, which may be another than was looked at
        content = _fault(status) or _read_at_most(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if isinstance(content, bytes) and len(content) > MAX_FILE_BYTES:
        content = Fault.TOO_LARGE
    return Entry.of(name, status), content


def _fault(status: os.stat_result) -> Fault | None:
    if not stat.S_ISREG(status.st_mode):
        return Fault.NOT_A_REGULAR_FILE
    if status.st_nlink != 1:
        return Fault.LINKED
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Fault.WRITABLE_BY_OTHERS
    return None


def _read_at_most(descriptor: int, count: int) -> bytes:
    content = b""
    while len(content) < count and (more := os.read(descriptor, count - len(content))):
        content += more
    return content


def discard(box: int, entries: Iterable[Entry]) -> list[Entry]:
    """Removes the entries, and returns those that stay: what was put there or changed since they were
    looked at, and what the box's owner cannot remove (a directory that is not empty)."""
    staying = []
    for entry in entries:
        now = look(box, entry.name)
        if now is None:
            continue
        if now != entry:
            staying.append(entry)
            continue
        try:
            if stat.S_ISDIR(entry.mode):
                os.rmdir(entry.name, dir_fd=box)
            else:
                os.unlink(entry.name, dir_fd=box)
        except OSError:
            staying.append(entry)
    return staying
