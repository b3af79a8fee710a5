"""The counter at an instant at which nobody read it."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.boundary import (
    COUNTER_STEP_MICROSECONDS,
    FURTHEST_MICROSECONDS,
    LATE_MICROSECONDS,
    Brought,
    Reading,
    bring_to,
)
from sam_cluster.energy.power import Power

SECOND = 1_000_000
LIMIT = 700_000


@st.composite
def around(draw: st.DrawFn) -> tuple[Reading, Reading, list[Power]]:
    """Two readings of one segment, and a series of power that may or may not speak for what is between."""
    before = Reading(draw(st.integers(0, 10**9)), draw(st.integers(0, 10**12)))
    span = draw(st.integers(1, 10 * SECOND) | st.integers(1, 10_000 * SECOND))
    grown = draw(st.integers(0, millijoules_from_power(LIMIT, span)))
    power = draw(st.none() | st.integers(0, LIMIT))
    after = Reading(before.uptime_microseconds + span, before.counter_millijoules + grown, power)
    series: list[Power] = []
    if draw(st.booleans()):
        step = max(span // 50, 1)
        stamps = range(before.uptime_microseconds, after.uptime_microseconds + step, step)
        series = [(at, draw(st.integers(0, LIMIT))) for at in list(stamps)[:60]]
    return before, after, series


@given(around(), st.data())
def test_it_is_never_outside_the_readings_around_it(
    readings: tuple[Reading, Reading, list[Power]], data: st.DataObject
) -> None:
    before, after, series = readings
    instant = data.draw(st.integers(before.uptime_microseconds, after.uptime_microseconds))
    brought = bring_to(instant, before, after, series, LIMIT)
    assert brought is not None
    assert before.counter_millijoules <= brought.energy_millijoules <= after.counter_millijoules
    assert brought.lag_microseconds == after.uptime_microseconds - instant
    assert brought.interpolated == (brought.lag_microseconds > LATE_MICROSECONDS)


@given(around(), st.data())
def test_a_later_instant_has_no_smaller_value(
    readings: tuple[Reading, Reading, list[Power]], data: st.DataObject
) -> None:
    before, after, series = readings
    instants = st.integers(before.uptime_microseconds, after.uptime_microseconds)
    first, second = sorted((data.draw(instants), data.draw(instants)))
    values = [bring_to(instant, before, after, series, LIMIT) for instant in (first, second)]
    assert values[0] is not None
    assert values[1] is not None
    assume(_by_the_same_rule(*values))
    assert values[0].energy_millijoules <= values[1].energy_millijoules


def _by_the_same_rule(*brought: Brought) -> bool:
    return len({value.interpolated for value in brought}) == 1


@given(st.integers(0, LIMIT), st.integers(0, 10 * SECOND), st.integers(0, 10 * SECOND))
def test_at_constant_power_it_is_exact(power: int, first: int, second: int) -> None:
    start = 10**12
    before = Reading(0, start, power)
    after = Reading(first + second, start + millijoules_from_power(power, first + second), power)
    assume(first + second > 0)
    brought = bring_to(first, before, after, [], LIMIT)
    assert brought is not None
    assert abs(brought.energy_millijoules - start - millijoules_from_power(power, first)) <= 1


@given(
    st.integers(1, 30 * SECOND), st.integers(0, 30 * SECOND), st.integers(0, LIMIT), st.integers(0, LIMIT),
    st.booleans(),
)  # fmt: skip
def test_whatever_was_drawn_the_truth_is_within_the_uncertainty(
    held: int, lag: int, power_before: int, power_after: int, has_before: bool
) -> None:
    """Power changes once, at the instant; the reading comes a lag later, and tells the power of then."""
    start = 10**12
    truth = start + millijoules_from_power(power_before, held)
    before = Reading(0, start) if has_before else None
    after = Reading(held + lag, truth + millijoules_from_power(power_after, lag), power_after)
    brought = bring_to(held, before, after, [], LIMIT)
    assert brought is not None
    assert abs(brought.energy_millijoules - truth) <= brought.uncertainty_millijoules


@given(st.integers(FURTHEST_MICROSECONDS + 1, 10**12))
def test_without_a_reading_before_nothing_is_guessed_far_back(lag: int) -> None:
    assert bring_to(0, None, Reading(lag, 10**12, 100_000), [], LIMIT) is None


def test_a_reading_at_the_instant_is_the_value_as_good_as_the_counter_steps() -> None:
    brought = bring_to(5, None, Reading(5, 1_000, 300_000), [], LIMIT)
    assert brought is not None
    assert (brought.energy_millijoules, brought.lag_microseconds) == (1_000, 0)
    assert brought.uncertainty_millijoules == millijoules_from_power(LIMIT, COUNTER_STEP_MICROSECONDS)
