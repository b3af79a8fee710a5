"""Starting the bench's daemons and ending whatever came of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class BenchError(RuntimeError):
    """The bench, or a Slurm command on it, did not do what was asked; the message has the reason."""


class Daemon:
    """One daemon, kept in the foreground and in a session of its own."""

    def __init__(self, name: str, argv: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; BenchError where it does not run."""
        if self._process is None or not self.runs():
            raise BenchError(f"{self.name} does not run\n{self.log_tail()}")
        return self._process.pid

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.with_suffix(".out").open("ab") as out:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._environment,
                cwd=self.log.parent,
                start_new_session=True,
                umask=0o022,
            )

    def kill(self) -> None:
        """Ends the daemon and its process group with SIGKILL; nothing happens where it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Waits for `ready`; BenchError with the log's tail once the daemon ends or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.runs():
                raise BenchError(f"{self.name} has ended\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} is not ready after {timeout_seconds:g} s\n{self.log_tail()}")
            time.sleep(0.05)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the daemon's log, or of its standard streams where it has none yet."""
        path = self.log if self.log.exists() else self.log.with_suffix(".out")
        text = path.read_text(errors="replace") if path.exists() else ""
        return f"--- {path}\n" + "\n".join(text.splitlines()[-lines:])


def wait_until(reached: Callable[[], bool], timeout_seconds: float, failure: Callable[[], str]) -> None:
    """Waits until something is so; BenchError with what `failure` says once the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while not reached():
        if time.monotonic() > deadline:
            raise BenchError(f"after {timeout_seconds:g} s {failure()}")
        time.sleep(0.1)


def kill_marked(directory: Path, *, timeout_seconds: float = 5.0) -> None:
    """Ends every process that has `directory` in its environment, its command line or as its working
    directory: job steps, jobs and agents leave their daemon's process group and session.

    The caller and its ancestors are spared. BenchError if some are still there after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    while pids := _marked(os.fsencode(directory)) - _ancestry():
        if time.monotonic() > deadline:
            raise BenchError(f"processes of {directory} do not end: {sorted(pids)}")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _marked(needle: bytes) -> set[int]:
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        # A process may end at any moment here, and then it is none to be found.
        with contextlib.suppress(OSError):
            if any(needle in text for text in _descriptions(Path("/proc", entry))):
                found.add(int(entry))
    return found


def _descriptions(process: Path) -> tuple[bytes, bytes, bytes]:
    return (
        (process / "cmdline").read_bytes(),
        os.readlink(os.fsencode(process / "cwd")),
        (process / "environ").read_bytes(),
    )


def _ancestry() -> set[int]:
    pids, pid = set(), os.getpid()
    while pid > 0:
        pids.add(pid)
        # Field 4 of stat, counted behind the name in parentheses, which may hold anything.
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pids
