"""A request to let go of NVML, so that a GPU can be reset: what is still to be read before, and what came
of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: NVML stays closed for so long: time for `nvidia-smi -r`.
PAUSE_MICROSECONDS = 60_000_000
#: So long the GPUs may take for a last reading before it.
LAST_LOOK_MICROSECONDS = 1_000_000


class Release:
    """One request. Instants are uptimes in microseconds."""

    def __init__(self, asked: int, known: int, held: Iterable[str]) -> None:
        """`asked`: when it was made; `known`: when the agent came to know of it; `held`: GPUs that are to be
        read once more, for what they draw until now would be lost with their counters."""
        self.asked = asked
        self.known = known
        self.is_pending = True  # NVML is not let go of yet
        self._unread = set(held)

    def read(self, uuid: str, uptime: int | None) -> None:
        """A GPU was read at an instant; None: it could not be."""
        if uptime is None or uptime >= self.known:
            self._unread.discard(uuid)

    def is_due(self, uptime: int) -> bool:
        """Whether nothing more is waited for."""
        return self.is_pending and (not self._unread or uptime >= self.due_at_latest)

    @property
    def due_at_latest(self) -> int:
        """When NVML is let go of, whatever was read."""
        return self.known + LAST_LOOK_MICROSECONDS

    @property
    def over_at(self) -> int:
        """From when on NVML may be open again."""
        return self.known + PAUSE_MICROSECONDS

    def state(self, *, is_closed: bool, under_way: Iterable[str]) -> dict[str, Any]:
        """For whoever asked: whether it is done, and else which calls it waits for."""
        is_done = is_closed and not self.is_pending
        return {"asked": self.asked, "done": is_done, "waits_for": [] if is_done else list(under_way)}
