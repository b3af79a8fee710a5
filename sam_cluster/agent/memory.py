"""The runs that were closed here lately: a hook's event that comes again, or late, only confirms."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

from sam_cluster.core.model import RunKey

from .journal import Journal
from .run import Instant, OpenRun

STATE_FILE = "closed.json"
KEPT = 2_000
KEPT_MICROSECONDS = 7 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """What is remembered of a run: the restart counts are those that its prolog and its epilog saw."""

    job_id: int
    restart: int
    started_at_microseconds: int
    epilog_restart: int | None
    closed_at_microseconds: int


class ClosedRuns:
    """Of the last days, at most so many; kept for the next agent."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        document = journal.read_state(STATE_FILE)
        self._runs: list[ClosedRun] = []
        if isinstance(document, list):
            self._runs = [ClosedRun(*row) for row in document if isinstance(row, list) and len(row) == 5]
        self._changed = False

    def remember(self, run: OpenRun, closed: Instant) -> None:
        """A run was closed."""
        key, started_at, closed_at = run.facts.key, run.started.at_microseconds, closed.at_microseconds
        if self.has(key, run.started):
            return
        since = closed_at - KEPT_MICROSECONDS
        recent = [row for row in self._runs if row.closed_at_microseconds >= since]
        row = ClosedRun(key.job_id, key.restart, started_at, run.epilog_restart, closed_at)
        self._runs = [*recent[-KEPT + 1 :], row]
        self._changed = True

    def has(self, key: RunKey, started: Instant) -> bool:
        """Whether the run of this very prolog is closed."""
        wanted = key.job_id, key.restart, started.at_microseconds
        return any((run.job_id, run.restart, run.started_at_microseconds) == wanted for run in self._runs)

    def confirms(self, job_id: int, epilog_restart: int, at_microseconds: int) -> bool:
        """Whether an epilog belongs to a run that is closed: its own came before and said the same, or
        it had none. The epilog of a requeued run may carry the next restart count."""
        for index in range(len(self._runs) - 1, -1, -1):
            run = self._runs[index]
            if run.job_id != job_id or at_microseconds - run.closed_at_microseconds > KEPT_MICROSECONDS:
                continue
            if run.epilog_restart == epilog_restart:
                return True
            if run.epilog_restart is None and epilog_restart - run.restart in (0, 1):
                self._runs[index] = replace(run, epilog_restart=epilog_restart)
                self._changed = True
                return True
        return False

    def save(self) -> bool:
        """Keep it for the next agent. False: not possible now."""
        if not self._changed and self._journal.has_state(STATE_FILE):
            return True
        self._changed = not self._journal.write_state(STATE_FILE, [astuple(run) for run in self._runs])
        return not self._changed
