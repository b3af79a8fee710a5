"""When a GPU did nothing, and what it drew meanwhile: as the waveform says, wherever it is asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.energy.quiet import LEAST_PERIOD_MICROSECONDS, LONGEST_PERIOD_MICROSECONDS, QuietSeries
from sam_cluster.energy.series import PowerSeries

SECOND = 1_000_000
PERIOD = SECOND // 5
TICK = 20_000
IDLE, BUSY = 70_000, 400_000
SPELLS = st.lists(st.booleans(), min_size=4, max_size=40)  # whether it does nothing, in each PERIOD


def metered(spells: list[bool], looks: int) -> tuple[QuietSeries, PowerSeries]:
    """Both series after some looks, each of which finds what came since the one before."""
    power = [
        (place * PERIOD + tick, IDLE if is_idle else BUSY)
        for place, is_idle in enumerate(spells)
        for tick in range(1, PERIOD + 1, TICK)
    ]
    use = [((place + 1) * PERIOD, 0 if is_idle else 60) for place, is_idle in enumerate(spells)]
    quiet, series = QuietSeries(), PowerSeries()
    for look in range(1, looks + 1):
        until = len(spells) * PERIOD * look // looks + 1
        series.extend([point for point in power if point[0] <= until])
        quiet.extend([point for point in use if point[0] <= until], series)
    return quiet, series


@given(SPELLS, st.integers(1, 4), st.data())
def test_between_any_two_instants_it_was_quiet_for_as_long_as_its_samples_say(spells, looks, data) -> None:
    quiet, series = metered(spells, looks)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(PERIOD, len(spells) * PERIOD)] * 2)))
    first, last = quiet.until(begin, series), quiet.until(end, series)
    assert first is not None and last is not None
    found = last - first
    expected = sum(
        max(min(end, (place + 1) * PERIOD) - max(begin, place * PERIOD), 0)
        for place, is_idle in enumerate(spells)
        if is_idle
    )
    assert (found.microseconds, found.covered_microseconds) == (expected, end - begin)
    edges = 2 * (len(spells) + 1) * TICK * (BUSY - IDLE)  # a sample of power is of one instant
    assert abs(found.half_nanojoules - 2 * IDLE * expected) <= edges


@given(SPELLS)
def test_all_of_a_quiet_stretch_is_all_that_was_drawn(spells) -> None:
    quiet, series = metered([True] * len(spells), 2)
    begin, end = PERIOD, len(spells) * PERIOD
    found = quiet.until(end, series) - quiet.until(begin, series)
    assert found.microseconds == end - begin
    drawn = series.until(end) - series.until(begin)
    assert abs(found.half_nanojoules - drawn.half_nanojoules) <= 2 * (end - begin)


@given(
    st.lists(st.tuples(st.integers(1, 3_000_000), st.integers(0, BUSY)), min_size=2, max_size=60), st.data()
)
def test_energy_up_to_an_instant_is_that_of_the_series_near_and_far(steps, data) -> None:
    series, at = PowerSeries(), 0
    for span, power in steps * 40:
        at += span // 40
        series.extend([(at, power)])
    instant = data.draw(st.integers(series.points[0][0], at))
    drawn = series.until(instant)
    assert drawn is not None
    assert abs(series.half_nanojoules_until(instant) - drawn.half_nanojoules) <= 3_000_000


def test_samples_that_the_ring_no_longer_held_leave_a_hole() -> None:
    quiet, series = QuietSeries(), PowerSeries()
    series.extend([(tick * TICK, IDLE) for tick in range(500)])
    quiet.extend([(SECOND, 0), (2 * SECOND, 0), (3 * SECOND + LONGEST_PERIOD_MICROSECONDS, 0)], series)
    found = quiet.until(5 * SECOND, series) - quiet.until(SECOND, series)
    assert (found.microseconds, found.covered_microseconds) == (SECOND, SECOND)
    assert quiet.until(SECOND - LEAST_PERIOD_MICROSECONDS - 1, series) is None
