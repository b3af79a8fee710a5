"""The integral of a power series.

A series is a list of (uptime in microseconds, power in milliwatts), in the order of time. Between
two samples power is taken to run in a straight line (the trapezoid rule); 1 mW × 1 s = 1 mJ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sam_cluster.core.units import MICROSECONDS_PER_SECOND

Power = tuple[int, int]

#: Over a longer silence the series does not speak for the time in between.
LONGEST_SILENCE_MICROSECONDS = 2_500_000
#: How far outside its ends a series speaks: sensors are read every 20 to 100 ms.
REACH_MICROSECONDS = 250_000


def integrate(series: Sequence[Power], start: int, end: int) -> int | None:
    """Millijoules between two instants (uptime, microseconds), rounded to the nearest.

    The first and the last sample speak for what lies up to REACH_MICROSECONDS outside of them. None
    where the series does not cover the whole stretch.
    """
    stretch = _covering(series, start, end)
    if stretch is None:
        return None
    doubled = 0  # milliwatts × microseconds × 2
    for (t0, p0), (t1, p1), a, b in _pieces(stretch, start, end):
        # power at a and b on the line from p0 to p1, both times (t1 - t0)
        at_a = p0 * (t1 - a) + p1 * (a - t0)
        at_b = p0 * (t1 - b) + p1 * (b - t0)
        doubled += (at_a + at_b) * (b - a) // (t1 - t0)
    return (doubled + MICROSECONDS_PER_SECOND) // (2 * MICROSECONDS_PER_SECOND)


def roughness(series: Sequence[Power], start: int, end: int) -> int:
    """Millijoules by which the integral is off at most, where between two samples power was anywhere
    between theirs: half of what it changed by, over the time in between. Rounded up."""
    stretch = _covering(series, start, end) or []
    doubled = sum(abs(p1 - p0) * (b - a) for (_, p0), (_, p1), a, b in _pieces(stretch, start, end))
    return -(-doubled // (2 * MICROSECONDS_PER_SECOND))


def _pieces(stretch: Sequence[Power], start: int, end: int) -> Iterator[tuple[Power, Power, int, int]]:
    """Neighbouring samples, and the instants between which they speak for the stretch asked for."""
    for first, second in pairwise(stretch):
        a, b = max(first[0], start), min(second[0], end)
        if b > a:
            yield first, second, a, b


def _covering(series: Sequence[Power], start: int, end: int) -> list[Power] | None:
    """The samples that speak for a stretch, drawn out to its ends; None where they leave some of it open."""
    if end <= start:
        return []
    around = _around(series, start, end)
    if not around:
        return None
    first, last = around[0], around[-1]
    if first[0] - start > REACH_MICROSECONDS or end - last[0] > REACH_MICROSECONDS:
        return None
    if first[0] > start:
        around.insert(0, (start, first[1]))
    if last[0] < end:
        around.append((end, last[1]))
    if any(t1 - t0 > LONGEST_SILENCE_MICROSECONDS for (t0, _), (t1, _) in pairwise(around)):
        return None
    return around


def _around(series: Sequence[Power], start: int, end: int) -> list[Power]:
    """The samples inside a stretch, and the next one on either side."""
    low = 0
    while low < len(series) and series[low][0] <= start:
        low += 1
    high = len(series)
    while high > low and series[high - 1][0] >= end:
        high -= 1
    return list(series[max(low - 1, 0) : high + 1])
