"""The events that the hooks leave: one file each, written under another name and renamed.

    sam-event 1 prolog 1355.64 dfa7ae84-3540-48bc-8f62-f7307a208d31\\n
    NAME=VALUE\\0NAME=VALUE\\0…                    the hook's environment, as the kernel has it

The numbers are /proc/uptime and the boot's id; the wall clock is the file's time of modification.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from sam_cluster.core.errors import EventError

from .facts import VARIABLES

HEADER = re.compile(rb"sam-event 1 (prolog|epilog|release) (\d{1,12})\.(\d{2}) ([0-9a-f-]{36})")
LARGEST_EVENT_BYTES = 4 * 1024 * 1024
SUFFIX = ".event"
UNFINISHED_SUFFIX = ".part"
BAD_SUFFIX = ".bad"


@dataclass(frozen=True, slots=True)
class Event:
    """A run starts (`prolog`) or ends (`epilog`) on this node, or NVML is asked back (`release`)."""

    name: str  # of its file
    kind: str
    uptime_microseconds: int
    at_microseconds: int
    boot_id: str
    environ: Mapping[str, str]


def parse_event(name: str, content: bytes, at_microseconds: int) -> Event:
    """The event that a file holds. Raises EventError."""
    header, newline, rest = content.partition(b"\n")
    match = HEADER.fullmatch(header)
    if not match or not newline:
        raise EventError(f"event {name}: does not begin as an event does: {header[:80]!r}")
    environ: dict[str, str] = {}
    for assignment in rest.split(b"\0"):
        variable, equals, value = assignment.partition(b"=")
        word = variable.decode("ascii", "replace")
        if equals and word in VARIABLES and word not in environ:  # getenv takes the first, too
            environ[word] = value.decode("utf-8", "replace")
    return Event(
        name=name,
        kind=match[1].decode(),
        uptime_microseconds=int(match[2]) * 1_000_000 + int(match[3]) * 10_000,
        at_microseconds=at_microseconds,
        boot_id=match[4].decode(),
        environ=environ,
    )


class EventDirectory:
    """The directory that the hooks write to. Files in it are root's; anything else is not read."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._check_owner()

    def _check_owner(self) -> None:
        status = os.fstat(self.descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            os.close(self.descriptor)
            raise EventError(
                f"{self.path} must belong to the user of the agent and be writable by nobody else; "
                f"it belongs to UID {status.st_uid} and has mode {stat.S_IMODE(status.st_mode):04o}"
            )

    def take(self) -> tuple[list[Event], list[str]]:
        """The events that lie there, in the order of time, and the names of files that are none."""
        events, bad = [], []
        for name in os.listdir(self.descriptor):
            if not name.endswith(SUFFIX):
                continue
            try:
                events.append(self._read(name))
            except FileNotFoundError:
                continue
            except (OSError, EventError):
                bad.append(name)
        return sorted(events, key=lambda event: (event.uptime_microseconds, event.name)), bad

    def _read(self, name: str) -> Event:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=self.descriptor)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise EventError(f"event {name}: not a regular file of the agent's user")
            content = os.read(descriptor, LARGEST_EVENT_BYTES)
        finally:
            os.close(descriptor)
        return parse_event(name, content, status.st_mtime_ns // 1000)

    def remove(self, name: str) -> None:
        """Done with an event."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            pass

    def set_aside(self, name: str) -> None:
        """Keep what is no event under a name that is not looked at again."""
        os.rename(name, name + BAD_SUFFIX, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def sweep(self, now_microseconds: int) -> None:
        """Remove what a hook that was killed left half written, a minute later."""
        for name in os.listdir(self.descriptor):
            if name.endswith(UNFINISHED_SUFFIX):
                written = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mtime_ns // 1000
                if abs(now_microseconds - written) > 60_000_000:
                    self.remove(name)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self.descriptor)
