"""A clock that stands still until it is moved."""

from __future__ import annotations


class SimulatedClock:
    """Both clocks of one machine."""

    def __init__(self, now_microseconds: int, uptime_microseconds: int = 1_000_000_000) -> None:
        self._now = now_microseconds
        self._uptime = uptime_microseconds

    def uptime_microseconds(self) -> int:
        """The boot clock."""
        return self._uptime

    def now_microseconds(self) -> int:
        """UTC since 1970."""
        return self._now

    def advance(self, microseconds: int) -> None:
        """Time passes."""
        self._uptime += microseconds
        self._now += microseconds

    def step_wall(self, microseconds: int) -> None:
        """Somebody sets the wall clock; the boot clock does not notice."""
        self._now += microseconds
