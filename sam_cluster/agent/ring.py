"""How much time the driver's ring of power samples holds, learnt from what it gives."""

from __future__ import annotations

from collections.abc import Sequence

#: So many samples tell how far apart they are.
ENOUGH = 8


class Ring:
    """The ring of one GPU. Nothing says how long it is; a ring that turned over between two looks shows
    it by a hole behind the last sample of the look before, and one that did not is longer still."""

    def __init__(self) -> None:
        self.last = 0  # stamp of the latest sample, microseconds; 0 before the first look
        self.microseconds = 0  # what it surely holds
        self._is_known = False

    def learn(self, stamps: Sequence[int]) -> None:
        """Take in the stamps of the samples since the last look, in the order of time."""
        if len(stamps) >= ENOUGH:  # of a few, that came a moment after the last, the spacing says nothing
            span = stamps[-1] - stamps[0]
            if self.last and stamps[0] - self.last > 4 * span // (len(stamps) - 1):
                self.microseconds, self._is_known = span, True
            elif not self._is_known:
                self.microseconds = max(self.microseconds, 2 * span)
        if stamps:
            self.last = stamps[-1]
