"""The events that the hooks leave: one file each, written under another name and renamed.

    sam-event 1 prolog 1355.64 dfa7ae84-3540-48bc-8f62-f7307a208d31\\n
    NAME=VALUE\\0NAME=VALUE\\0…                    the hook's environment, as the kernel has it

The numbers are /proc/uptime and the boot's id; the wall clock is the file's time of modification.
What is not, or not yet, an event has a hidden name: systemd, which starts the agent where the
directory is not empty, does not count those.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sam_cluster.core.errors import EventError

from .facts import VARIABLES

HEADER = re.compile(rb"sam-event 1 (prolog|epilog|release|idle) ([0-9]{1,12})\.([0-9]{2}) ([0-9a-f-]{36})")
#: Linux gives an environment 6 MiB at the most.
LARGEST_EVENT_BYTES = 8 * 1024 * 1024
SUFFIX = ".event"
UNFINISHED_SUFFIX = ".part"
BAD_SUFFIX = ".bad"
UNFINISHED_MICROSECONDS = 60_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """A run starts (`prolog`) or ends (`epilog`) on this node, NVML is asked back (`release`), or GPUs that
    nobody holds are to be read (`idle`)."""

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
        uptime_microseconds=uptime_of(match[2].decode(), match[3].decode()),
        at_microseconds=at_microseconds,
        boot_id=match[4].decode(),
        environ=environ,
    )


def uptime_of(seconds: str, hundredths: str) -> int:
    """What /proc/uptime shows before and behind its point, in microseconds."""
    return int(seconds) * 1_000_000 + int(hundredths) * 10_000


def leave_event(path: str, kind: str, uptime: str, boot_id: str) -> None:
    """Leave an event as the hooks do, without an environment. Raises OSError."""
    name = f"{uptime}-{os.getpid()}"
    unfinished = os.path.join(path, f".{name}{UNFINISHED_SUFFIX}")
    with open(unfinished, "w", encoding="ascii") as file:
        file.write(f"sam-event 1 {kind} {uptime} {boot_id}\n")
    os.rename(unfinished, os.path.join(path, name + SUFFIX))


class EventDirectory:
    """The directory that the hooks write to. Files in it are root's; anything else is not read."""

    def __init__(self, path: str) -> None:
        """Open it, and make it where it is not there. Raises OSError, EventError."""
        self.path = path
        self._bad: set[str] = set()  # what could not even be set aside
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

    def is_in_place(self) -> bool:
        """Whether its path still leads to it: it may have been removed, moved, or mounted over."""
        mine = os.fstat(self.descriptor)
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    @property
    def is_stuck(self) -> bool:
        """Whether something lies there that is no event, and cannot be set aside."""
        return bool(self._bad)

    def names(self) -> list[str]:
        """What lies there and is not hidden: events, and what should not be, for systemd counts both."""
        listed = os.listdir(self.descriptor)
        return [name for name in listed if not name.startswith(".") and name not in self._bad]

    def take(self, boot_id: str, known: Collection[str] = ()) -> tuple[list[Event], list[str]]:
        """The events that lie there, in the order of time, and the names of files that are none.

        Those of other boots come first: their uptimes are of another clock. `known` are left out.
        """
        events, bad = [], []
        for name in self.names():
            if name in known:
                continue
            try:
                events.append(self._read(name))
            except FileNotFoundError:
                continue
            except (OSError, EventError):
                bad.append(name)
        return sorted(events, key=lambda event: _order(event, boot_id)), bad

    def _read(self, name: str) -> Event:
        if not name.endswith(SUFFIX):
            raise EventError(f"event {name}: no hook calls a file so")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=self.descriptor)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise EventError(f"event {name}: not a regular file of the agent's user")
            content = file.read(LARGEST_EVENT_BYTES)
        return parse_event(name, content, status.st_mtime_ns // 1000)

    def remove(self, name: str) -> bool:
        """Done with an event. False: it cannot be removed now."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True

    def set_aside(self, name: str) -> None:
        """Keep what is no event under a name that is not looked at again."""
        try:
            os.rename(name, f".{name}{BAD_SUFFIX}", src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except OSError:
            self._bad.add(name)

    def sweep(self, now_microseconds: int) -> None:
        """Remove what a hook that was killed, or had no space, left half written, a minute later."""
        for name in os.listdir(self.descriptor):
            if not name.endswith(UNFINISHED_SUFFIX):
                continue
            try:
                written = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mtime_ns // 1000
            except OSError:  # its hook has just renamed it
                continue
            if abs(now_microseconds - written) > UNFINISHED_MICROSECONDS:
                self.remove(name)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self.descriptor)


def _order(event: Event, boot_id: str) -> tuple[bool, int, int, bool, str]:
    # A run may be over within the hundredth of a second in which it began; names, which end in the hook's
    # process, say nothing then.
    is_end, at = event.kind == "epilog", event.at_microseconds
    if event.boot_id == boot_id:
        return True, event.uptime_microseconds, at, is_end, event.name
    return False, at, 0, is_end, event.name
