"""One agent a node: a lock, and the file by which the hooks see without a fork that it is alive."""

from __future__ import annotations

import fcntl
import os

COMMAND_NAME = "sam-agent"


class AgentLock:
    """EVENTS.agent, locked by the agent that runs, with its process id in it.

    On the way out the id is taken away and the lock released *before* the last look at the events:
    whoever leaves an event after that look finds no id, and starts an agent.
    """

    def __init__(self, events: str) -> None:
        self.path = f"{events}.agent"
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o644)

    def acquire(self) -> bool:
        """Whether this process is the agent now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with open("/proc/self/comm", "w", encoding="ascii") as comm:
            comm.write(COMMAND_NAME)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)
        return True

    def release(self) -> None:
        """Another process may be the agent from now on."""
        os.ftruncate(self._descriptor, 0)
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def holder(self) -> int | None:
        """The process id of the agent that runs; None where none does."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(self._descriptor, 32, 0).strip()
            return int(text) if text.isdigit() else None
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
