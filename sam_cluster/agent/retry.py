"""When to try again what failed: after a second, then after twice as long, and so on."""

from __future__ import annotations

FIRST_MICROSECONDS = 1_000_000


class Retry:
    """Counts the failures in a row. Instants are uptimes in microseconds."""

    def __init__(self, longest_microseconds: int) -> None:
        self.failures = 0
        self.not_before = 0
        self._longest = longest_microseconds

    def failed(self, uptime: int) -> None:
        """Once more."""
        wait = min(FIRST_MICROSECONDS << min(self.failures, 16), self._longest)
        self.not_before = uptime + wait
        self.failures += 1

    def succeeded(self) -> None:
        """All is well again."""
        self.failures = self.not_before = 0
