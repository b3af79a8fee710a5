"""The agent's short-lived children: one seals, one publishes. Nobody waits for either."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from .journal import Journal
from .retry import Retry
from .spool import Account, Spool

#: At most so many journals are handed to one child.
BATCH = 64
MOST_TRIES = 3
LONGEST_RETRY_MICROSECONDS = 300_000_000
#: How long an agent with nothing else to do stays for a child that publishes.
PUBLISHING_MICROSECONDS = 30_000_000
#: No more than a child needs. A BLAS, which comes with numpy under pyarrow, starts a thread a core when it is
#: loaded, and where it may not (TasksMax= of the unit) ends the process.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


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
        self._names: list[str] = []
        self._seal_again = Retry(LONGEST_RETRY_MICROSECONDS)
        self._publishing: subprocess.Popen[bytes] | None = None
        self._publish_since: int | None = 0 if self._is_waiting() else None  # what is sealed waits since then
        self._publish_again = Retry(LONGEST_RETRY_MICROSECONDS)

    @property
    def gave_up(self) -> bool:
        """Whether sealing failed so often that an agent need not stay for it."""
        return self._seal_again.failures >= MOST_TRIES

    def is_about_to_publish(self, uptime: int) -> bool:
        """Whether something sealed waits for a child that publishes, and may not see it, to end."""
        since = self._publish_since
        return self._publishing is not None and since is not None and uptime - since < PUBLISHING_MICROSECONDS

    def seal(self, names: list[str], uptime: int) -> None:
        """Seal these parts, unless a child is at it or the last attempt failed a moment ago."""
        if self._sealing or not names or uptime < self._seal_again.not_before:
            return
        first = self._seal_again.failures % len(names)  # one that cannot be sealed keeps none of the others
        descriptors: list[int] = []
        try:
            account = self._account()
            outbox = self._spool.prepare_outbox(account)
            self._names = [*names[first:], *names[:first]][:BATCH]
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptors.extend(os.open(self._journal.file(name), flags) for name in self._names)
            words = [f"{number}:{name}" for number, name in zip(descriptors, self._names, strict=True)]
            self._sealing = _start(account, "seal", [outbox, *words], descriptors)
        except Exception as error:  # whatever it is, the meter goes on
            self._seal_again.failed(uptime)
            self._report(f"cannot seal: {error}")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def collect(self, uptime: int) -> tuple[list[str], list[str]]:
        """What the sealing child did, when it is over: names sealed, and names of broken journals."""
        if self._sealing is None or self._sealing.poll() is None:
            return [], []
        code, lines = _outcome(self._sealing)
        self._sealing = None
        done: dict[str, list[str]] = {"sealed": [], "broken": []}
        for line in lines:
            verb, _, rest = line.partition(" ")
            name = rest.partition(" ")[0]
            if verb in done and name in self._names:
                done[verb].append(name)
            if verb == "broken":
                self._report(f"journal set aside: {rest}")
        if code or not (done["sealed"] or done["broken"]):
            self._seal_again.failed(uptime)
            self._report(f"sealing ended with {code}: {lines[-1] if lines else ''}")
        else:
            self._seal_again.succeeded()
        if done["sealed"]:
            self._publish_since = uptime
        return done["sealed"], done["broken"]

    def publish(self, uptime: int) -> None:
        """Bring what is sealed to the store, in a while again where that failed."""
        if self._publishing is not None and self._publishing.poll() is not None:
            code, lines = _outcome(self._publishing)
            self._publishing = None
            if code:
                self._publishing_failed(uptime, lines[-1] if lines else f"publishing ended with {code}")
            else:
                self._publish_again.succeeded()
        if self._publishing or self._publish_since is None or uptime < self._publish_again.not_before:
            return
        self._publish_since = None
        try:
            self._publishing = _start(self._account(), "publish", [self._spool.path, self._store], [])
        except Exception as error:  # whatever it is, the meter goes on
            self._publishing_failed(uptime, f"cannot publish: {error}")

    def _publishing_failed(self, uptime: int, text: str) -> None:
        self._publish_since = uptime
        self._publish_again.failed(uptime)
        self._report(text)

    def _is_waiting(self) -> bool:
        try:
            return bool(self._spool.waiting())
        except OSError:
            return False


def _start(
    account: Account, module: str, words: list[str], descriptors: list[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-m", f"sam_cluster.agent.{module}", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=descriptors,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
        umask=0o027,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
    )


def _outcome(child: subprocess.Popen[bytes]) -> tuple[int, list[str]]:
    """The exit code of a child that ended, and the lines it printed."""
    assert child.stdout is not None
    with child.stdout as stdout:
        lines = stdout.read().decode("utf-8", "replace").splitlines()
    return child.returncode, lines
