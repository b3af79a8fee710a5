"""The agent's short-lived children: one seals, one publishes. Nobody waits for either."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from .journal import SUFFIX, Journal
from .spool import Account, Spool

#: At most so many journals are handed to one child.
BATCH = 64
RETRY_MICROSECONDS = 30_000_000
MOST_TRIES = 3


class Children:
    """Seals complete parts, then publishes what is sealed, in processes that run as the service user."""

    def __init__(
        self,
        spool: Spool,
        journal: Journal,
        store: str,
        account: Callable[[], Account],
        report: Callable[[str], None],
    ) -> None:
        self._spool = spool
        self._journal = journal
        self._store = store
        self._account = account
        self._report = report
        self._sealing: subprocess.Popen[bytes] | None = None
        self._publishing: subprocess.Popen[bytes] | None = None
        self._names: list[str] = []
        self._not_before = 0
        self._tries = 0

    @property
    def gave_up(self) -> bool:
        """Whether sealing failed so often that the next agent shall try."""
        return self._tries >= MOST_TRIES

    def seal(self, names: list[str], node: str, uptime: int) -> None:
        """Seal these parts, unless a child is at it or the last attempt failed a moment ago."""
        if self._sealing or not names or uptime < self._not_before or self.gave_up:
            return
        descriptors: list[int] = []
        try:
            account = self._account()
            outbox = self._spool.prepare_outbox(account, node)
            self._names = names[:BATCH]
            for name in self._names:
                path = os.path.join(self._journal.path, name + SUFFIX)
                descriptors.append(os.open(path, os.O_RDONLY | os.O_NOFOLLOW))
            words = [f"{number}:{name}" for number, name in zip(descriptors, self._names, strict=True)]
            self._sealing = self._start(account, "seal", [outbox, *words], descriptors, subprocess.PIPE)
        except Exception as error:  # whatever it is, the meter goes on
            self._failed(uptime, f"cannot seal: {error}")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def collect(self, uptime: int) -> tuple[list[str], list[str]]:
        """What the sealing child did, when it is over: names sealed, and names of broken journals."""
        if self._publishing and self._publishing.poll() is not None:
            self._publishing = None
        child = self._sealing
        if child is None or child.poll() is None:
            return [], []
        assert child.stdout is not None
        with child.stdout as stdout:
            lines = [line.split(" ", 2) for line in stdout.read().decode("utf-8", "replace").splitlines()]
        self._sealing = None
        sealed = [line[1] for line in lines if line[0] == "sealed" and line[1] in self._names]
        broken = [line[1] for line in lines if line[0] == "broken" and line[1] in self._names]
        for line in lines:
            if line[0] == "broken":
                self._report(f"journal set aside: {' '.join(line[1:])}")
        if child.returncode or not (sealed or broken):
            self._failed(uptime, f"sealing ended with {child.returncode}")
        else:
            self._tries = 0
        return sealed, broken

    def publish(self) -> None:
        """Bring what is sealed to the store, unless a child is at it."""
        if self._publishing is None:
            try:
                words = [self._spool.outbox, self._store]
                self._publishing = self._start(self._account(), "publish", words, [], subprocess.DEVNULL)
            except Exception as error:  # the next one will try again
                self._report(f"cannot publish: {error}")

    def _failed(self, uptime: int, text: str) -> None:
        self._tries += 1
        self._not_before = uptime + RETRY_MICROSECONDS
        self._report(text)

    def _start(
        self, account: Account, module: str, words: list[str], descriptors: list[int], stdout: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-m", f"sam_cluster.agent.{module}", *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            pass_fds=descriptors,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            umask=0o027,
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=[] if account.switch else None,
        )
