"""The integral of a power series, against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.energy.power import LONGEST_SILENCE_MICROSECONDS, Power, integrate, roughness

SECOND = 1_000_000
POWER = st.integers(0, 700_000)


@st.composite
def series(draw: st.DrawFn) -> list[Power]:
    steps = draw(st.lists(st.tuples(st.integers(1, LONGEST_SILENCE_MICROSECONDS), POWER), min_size=1))
    at, points = 0, []
    for step, power in steps:
        at += step
        points.append((at, power))
    return points


def exact(points: list[Power], start: int, end: int) -> Fraction:
    """Millijoules under the lines between the points; before the first and after the last it is flat."""
    total = Fraction(0)
    points = [
        (min(start, points[0][0]) - 1, points[0][1]),
        *points,
        (max(end, points[-1][0]) + 1, points[-1][1]),
    ]
    for (t0, p0), (t1, p1) in pairwise(points):
        a, b = max(t0, start), min(t1, end)
        if b > a:
            slope = Fraction(p1 - p0, t1 - t0)
            total += (p0 + slope * (a - t0) + p0 + slope * (b - t0)) / 2 * (b - a)
    return total / SECOND


@given(series(), st.data())
def test_it_is_the_area_under_the_lines(points: list[Power], data: st.DataObject) -> None:
    start = data.draw(st.integers(points[0][0] - 250_000, points[-1][0]))
    end = data.draw(st.integers(start, points[-1][0] + 250_000))
    energy = integrate(points, start, end)
    assert energy is not None
    assert abs(energy - exact(points, start, end)) <= 1


@given(series(), st.data())
def test_parts_add_up_to_the_whole(points: list[Power], data: st.DataObject) -> None:
    first, last = points[0][0], points[-1][0]
    a, b, c = sorted(data.draw(st.tuples(*[st.integers(first, last)] * 3)))
    whole, parts = integrate(points, a, c), [integrate(points, a, b), integrate(points, b, c)]
    assert None not in (whole, *parts)
    assert abs(whole - sum(parts)) <= 2  # type: ignore[operator, arg-type]


@given(series(), st.data())
def test_power_that_was_anywhere_between_the_samples_is_within_the_roughness(
    points: list[Power], data: st.DataObject
) -> None:
    start, end = points[0][0], points[-1][0]
    energy = integrate(points, start, end)
    least = sum(min(p, q) * (u - t) for (t, p), (u, q) in pairwise(points))
    most = sum(max(p, q) * (u - t) for (t, p), (u, q) in pairwise(points))
    rough = roughness(points, start, end)
    assert energy is not None
    assert energy - rough <= Fraction(least, SECOND) + 1
    assert energy + rough >= Fraction(most, SECOND) - 1


@given(series(), st.integers(250_001, 10**7))
def test_it_does_not_speak_for_what_lies_further_outside(points: list[Power], beyond: int) -> None:
    assert integrate(points, points[0][0] - beyond, points[-1][0]) is None
    assert integrate(points, points[0][0], points[-1][0] + beyond) is None


def test_it_does_not_speak_for_a_long_silence() -> None:
    points = [(0, 100), (LONGEST_SILENCE_MICROSECONDS + 1, 100)]
    assert integrate(points, 0, SECOND) is None
    assert integrate([], 0, 1) is None


def test_nothing_is_drawn_in_no_time() -> None:
    assert integrate([], 5, 5) == 0
    assert integrate([(0, 300_000)], 5, 5) == 0
