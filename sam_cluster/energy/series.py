"""The second meter of a GPU: the integral of its power, kept up with the samples as they come.

What it has counted up to an instant is a `Drawn`; two of them subtracted are the stretch between. Between two
samples power is taken to run in a straight line (as in `power.py`). A longer silence than
LONGEST_SILENCE_MICROSECONDS is not covered: nothing is counted for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .power import LONGEST_SILENCE_MICROSECONDS, REACH_MICROSECONDS, Power

KEPT_MICROSECONDS = 60_000_000
#: Of so many samples, of about two looks, what was drawn up to each is kept.
SUMS_KEPT = 1024
HALF_NANOJOULES_PER_MILLIJOULE = 2_000_000


@dataclass(frozen=True, slots=True)
class Quiet:
    """For how long a GPU did nothing over the part of a stretch that is covered, and what it drew meanwhile
    (see `quiet`)."""

    microseconds: int = 0
    half_nanojoules: int = 0
    covered_microseconds: int = 0

    def __sub__(self, other: Quiet) -> Quiet:
        return Quiet(
            self.microseconds - other.microseconds,
            self.half_nanojoules - other.half_nanojoules,
            self.covered_microseconds - other.covered_microseconds,
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn over the part of a stretch that samples cover.

    Between two samples power may have been anywhere between theirs: half of what it changed by, over the time
    in between, is the most that one trapezoid is off. Where samples and load go in step all are off in the
    same way, so that these errors are added up as they are. In `quiet` of it the GPU did nothing; None where
    that is not asked for or not known.
    """

    half_nanojoules: int = 0
    covered_microseconds: int = 0
    error_half_nanojoules: int = 0
    quiet: Quiet | None = None

    @classmethod
    def of(cls, energy_millijoules: int, covered_microseconds: int) -> Drawn:
        """What is known without an error."""
        return cls(energy_millijoules * HALF_NANOJOULES_PER_MILLIJOULE, covered_microseconds)

    def __sub__(self, other: Drawn) -> Drawn:
        return Drawn(
            self.half_nanojoules - other.half_nanojoules,
            self.covered_microseconds - other.covered_microseconds,
            self.error_half_nanojoules - other.error_half_nanojoules,
            self.quiet - other.quiet if self.quiet and other.quiet else None,
        )

    def __add__(self, other: Drawn) -> Drawn:
        return Drawn(
            self.half_nanojoules + other.half_nanojoules,
            self.covered_microseconds + other.covered_microseconds,
            self.error_half_nanojoules + other.error_half_nanojoules,
        )

    @property
    def millijoules(self) -> int:
        """Rounded to the nearest."""
        half = HALF_NANOJOULES_PER_MILLIJOULE // 2
        return (self.half_nanojoules + half) // HALF_NANOJOULES_PER_MILLIJOULE

    @property
    def uncertainty_millijoules(self) -> int:
        """How far off it is at most for what lies between the samples, rounded up."""
        return -(-max(self.error_half_nanojoules, 0) // HALF_NANOJOULES_PER_MILLIJOULE)


class PowerSeries:
    """The samples of the last minute, and what has been drawn since the first of all."""

    def __init__(self) -> None:
        self.points: deque[Power] = deque()
        self._sums: deque[int] = deque(maxlen=SUMS_KEPT)  # half nanojoules up to each of the last ones
        self._total = Drawn()  # up to the last sample
        self._is_whole = True  # the first of all samples is still kept

    @property
    def latest_milliwatts(self) -> int | None:
        """The power of the last sample."""
        return self.points[-1][1] if self.points else None

    def extend(self, power: Iterable[Power]) -> None:
        """Take in samples, in the order of time; those that are known are left out."""
        points = self.points
        energy, covered, error = 0, 0, 0
        before = self._total.half_nanojoules
        last = points[-1] if points else None
        for point in power:
            if last is not None:
                span = point[0] - last[0]
                if span <= 0:
                    continue
                if span <= LONGEST_SILENCE_MICROSECONDS:
                    energy += (point[1] + last[1]) * span
                    covered += span
                    error += abs(point[1] - last[1]) * span
            points.append(point)
            self._sums.append(before + energy)
            last = point
        if covered:
            self._total += Drawn(energy, covered, error)
        if last is not None:
            oldest = last[0] - KEPT_MICROSECONDS
            while points[0][0] < oldest:
                points.popleft()
                self._is_whole = False

    def until(self, instant: int) -> Drawn | None:
        """What was drawn up to an instant (uptime, microseconds), counted from the first sample of all.

        The last sample speaks for REACH_MICROSECONDS after it. The very first speaks for what was shortly
        before it, where nothing was looked at yet, as the reading of a counter does. None where the samples
        do not reach back to the instant.
        """
        points = self.points
        if not points:
            return None
        if instant >= points[-1][0]:
            return self._total + _flat(points[-1][1], self._reached(instant - points[-1][0]))
        drawn = self._total
        later = points[-1]
        for point in reversed(points):
            if later[0] - point[0] <= LONGEST_SILENCE_MICROSECONDS:
                drawn -= _trapezoid(point, later, max(point[0], instant))
            if point[0] <= instant:
                return drawn
            later = point
        before = later[0] - instant
        if not self._is_whole or before > LONGEST_SILENCE_MICROSECONDS:
            return None
        return drawn - _flat(later[1], before) - Drawn(0, 0, 2 * later[1] * before)

    def half_nanojoules_until(self, instant: int) -> int:
        """The same as energy alone, which is found faster among the latest samples; before those that are
        kept, as at the first of them."""
        points = self.points
        after = bisect_right(points, instant, key=_uptime)
        place = after - 1 - (len(points) - len(self._sums))
        if place < 0:
            drawn = self.until(max(instant, points[0][0])) if points else None
            return drawn.half_nanojoules if drawn else 0
        (t0, p0), energy = points[after - 1], self._sums[place]
        if after == len(points):
            return energy + 2 * p0 * min(instant - t0, LONGEST_SILENCE_MICROSECONDS)
        t1, p1 = points[after]
        if t1 - t0 > LONGEST_SILENCE_MICROSECONDS:
            return energy
        return energy + (2 * p0 + (p1 - p0) * (instant - t0) // (t1 - t0)) * (instant - t0)

    def between(self, start: int, end: int) -> Drawn | None:
        """What was drawn between two instants; None where samples do not cover all of it."""
        first, last = self.until(start), self.until(end)
        if first is None or last is None:
            return None
        drawn = last - first
        return drawn if drawn.covered_microseconds >= end - start else None

    @staticmethod
    def _reached(span: int) -> int:
        return span if span <= REACH_MICROSECONDS else 0


def _uptime(point: Power) -> int:
    return point[0]


def _flat(milliwatts: int, span: int) -> Drawn:
    return Drawn(2 * milliwatts * span, span)


def _trapezoid(first: Power, second: Power, start: int) -> Drawn:
    """From an instant between two samples to the second of them."""
    (t0, p0), (t1, p1) = first, second
    span = t1 - start
    if span <= 0:
        return Drawn()
    at_start = p0 if start == t0 else (p0 * (t1 - start) + p1 * (start - t0)) // (t1 - t0)
    return Drawn((at_start + p1) * span, span, abs(p1 - p0) * span)
