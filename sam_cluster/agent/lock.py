"""One agent a node: a lock, and the file by which the hooks see without a fork that it is alive."""

from __future__ import annotations

import fcntl
import os

COMMAND_NAME = "sam-agent"


class AgentLock:
    """EVENTS.agent, locked by the agent that runs. In it stand its process id and when that process
    began, for an id alone may by now be another's.

    On the way out both are taken away and the lock released *before* the last look at the events:
    whoever leaves an event after that look finds nobody there, and starts an agent.
    """

    def __init__(self, events: str) -> None:
        self.path = path_beside(events)
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Whether this process is the agent now. Raises OSError."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        # Root's alone: who can open it, if only to read, could lock it, and then no agent would start.
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        with open("/proc/self/comm", "w", encoding="ascii") as comm:
            comm.write(COMMAND_NAME)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d %d\n" % (os.getpid(), began(os.getpid()) or 0), 0)
        return True

    def keep(self) -> bool:
        """Whether this process is still the agent: where the file was removed, it is locked anew, unless
        somebody else was faster."""
        if self._descriptor is None:
            return False
        mine = os.fstat(self._descriptor)
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            pass
        else:
            if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                return True
        self.release()
        try:
            return self.acquire()
        except OSError:
            return False

    def release(self) -> None:
        """Another process may be the agent from now on."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def path_beside(events: str) -> str:
    """The agent's file, beside the directory of events."""
    return f"{events}.agent"


def holder(events: str) -> int | None:
    """The process id of the agent that runs; None where none does. No lock is touched: it could keep an
    agent from starting."""
    try:
        with open(path_beside(events), "rb") as file:
            process, start = file.read(64).split()
        return int(process) if began(int(process)) == int(start) else None
    except (OSError, ValueError):
        return None


def began(process: int) -> int | None:
    """When a process began, in clock ticks since the boot (field 22 of /proc/PID/stat, proc(5)); None
    where it does not run: one that waits to be reaped does not."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            state, *fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if state in (b"Z", b"X") else int(fields[18])
