"""The runs that were closed here lately: an epilog that comes again, or late, only confirms."""

from __future__ import annotations

from sam_cluster.core.model import RunKey

from .journal import Journal

STATE_FILE = "closed.json"
KEPT = 2_000
KEPT_MICROSECONDS = 7 * 86_400 * 1_000_000


class ClosedRuns:
    """Job id, the restart counts that prolog and epilog saw, and when it was closed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        document = journal.read_state(STATE_FILE)
        self._runs: list[tuple[int, int, int | None, int]] = []
        if isinstance(document, list):
            self._runs = [tuple(row) for row in document if isinstance(row, list) and len(row) == 4]
        self._changed = False

    def remember(self, key: RunKey, epilog_restart: int | None, at_microseconds: int) -> None:
        """A run was closed."""
        since = at_microseconds - KEPT_MICROSECONDS
        self._runs = [row for row in self._runs if row[3] >= since][-KEPT + 1 :]
        self._runs.append((key.job_id, key.restart, epilog_restart, at_microseconds))
        self._changed = True

    def confirms(self, job_id: int, epilog_restart: int, at_microseconds: int) -> bool:
        """Whether an epilog belongs to a run that is closed: its own came before and said the same, or
        it had none. The epilog of a requeued run may carry the next restart count."""
        for index in range(len(self._runs) - 1, -1, -1):
            closed_id, restart, epilog, at = self._runs[index]
            if closed_id != job_id or at_microseconds - at > KEPT_MICROSECONDS:
                continue
            if epilog == epilog_restart:
                return True
            if epilog is None and epilog_restart - restart in (0, 1):
                self._runs[index] = (closed_id, restart, epilog_restart, at)
                self._changed = True
                return True
        return False

    def save(self) -> bool:
        """Keep it for the next agent. False: not possible now."""
        if self._changed and not self._journal.write_state(STATE_FILE, self._runs):
            return False
        self._changed = False
        return True
