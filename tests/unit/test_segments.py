"""What a counter did between two readings, and when power and counter are said to disagree."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.energy.power import integrate, roughness
from sam_cluster.energy.segments import Course, course, disagree
from sam_cluster.energy.series import Drawn, PowerSeries

SECOND = 1_000_000
LIMIT = 700_000
KILOJOULE = 1_000_000
NOTHING = (0, Drawn())
POINTS = st.lists(st.tuples(st.integers(1, 2 * SECOND), st.integers(0, LIMIT)), min_size=2, max_size=30).map(
    lambda steps: [(10 * SECOND + sum(s for s, _ in steps[: n + 1]), p) for n, (_, p) in enumerate(steps)]
)


def steady(counted: int, drawn: int) -> tuple[int, Drawn]:
    return counted, Drawn.of(drawn, 0)


def took(before: int, after: int, seconds: int = 10, **more) -> Course:
    known = {"drawn": Drawn.of(400_000 * seconds, seconds * SECOND), "record": steady(*[100 * KILOJOULE] * 2)}
    return course(
        before, after, seconds * SECOND, limit_milliwatts=LIMIT, **{"is_doubtful": False, **known, **more}
    )


def test_a_counter_that_goes_down_has_restarted() -> None:
    assert took(10**9, 10**9 - 1) is Course.BROKEN  # and yet it shows more than was drawn since
    assert took(10**9, 4 * KILOJOULE) is Course.FROM_ZERO
    assert took(10**9, 0) is Course.FROM_ZERO


def test_one_that_moves_further_than_any_gpu_draws_is_broken() -> None:
    assert took(10**9, 2 * 10**9) is Course.BROKEN


@given(st.integers(10 * KILOJOULE, 2**60), st.integers(0, 7 * KILOJOULE), st.booleans())
def test_one_that_shows_more_than_can_be_drawn_in_the_time_went_on_whatever_happened(
    before, more, is_doubtful
) -> None:
    nothing_known = {"drawn": None, "record": NOTHING}
    assert took(before, before + more, is_doubtful=is_doubtful, **nothing_known) is Course.WENT_ON


def test_a_restart_that_hides_is_told_by_the_power() -> None:
    assert took(2 * KILOJOULE, 2 * KILOJOULE + 400_000) is Course.FROM_ZERO
    assert took(2 * KILOJOULE, 6 * KILOJOULE) is Course.WENT_ON


def test_what_is_not_known_to_keep_to_the_power_is_not_judged_by_it() -> None:
    hiding = 2 * KILOJOULE, 2 * KILOJOULE + 400_000
    assert took(*hiding, record=NOTHING) is Course.WENT_ON
    assert took(*hiding, record=steady(50 * KILOJOULE, 100 * KILOJOULE)) is Course.WENT_ON  # half speed
    assert took(*hiding, drawn=None) is Course.WENT_ON
    assert took(2 * KILOJOULE, 2 * KILOJOULE) is Course.WENT_ON  # frozen
    assert took(2 * KILOJOULE, 10 * KILOJOULE) is Course.WENT_ON  # double speed


def test_after_a_lost_handle_a_counter_must_show_that_it_went_on() -> None:
    assert took(2 * KILOJOULE, 6 * KILOJOULE, is_doubtful=True) is Course.WENT_ON
    assert took(2 * KILOJOULE, 6 * KILOJOULE, is_doubtful=True, record=NOTHING) is Course.WENT_ON
    assert took(2 * KILOJOULE, 6 * KILOJOULE, is_doubtful=True, drawn=None) is Course.BROKEN
    assert took(2 * KILOJOULE, 2 * KILOJOULE, is_doubtful=True) is Course.BROKEN


def test_a_tenth_and_the_steps_are_no_disagreement() -> None:
    hour = Drawn.of(3600 * 300_000, 3600 * SECOND)
    assert not disagree(3600 * 325_000, hour, LIMIT)
    assert disagree(3600 * 340_000, hour, LIMIT)
    assert disagree(0, hour, LIMIT)
    assert not disagree(0, Drawn.of(300_000, SECOND), LIMIT)
    anything_in_between = Drawn(*[3600 * 300_000 * 2_000_000] * 3)
    assert not disagree(0, anything_in_between, LIMIT)


@given(POINTS, st.floats(0, 1), st.floats(0, 1), st.lists(st.integers(0, 29), max_size=4))
def test_the_series_has_what_the_integral_has_however_the_samples_came(points, one, other, cuts) -> None:
    first, last = points[0][0], points[-1][0]
    start, end = sorted(first + round((last - first) * place) for place in (one, other))
    series = PowerSeries()
    for begin, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(points)], strict=True):
        series.extend(points[max(begin - 2, 0) : stop])
    drawn = series.between(start, end)
    assert drawn is not None
    assert abs(drawn.millijoules - integrate(points, start, end)) <= 1
    assert abs(drawn.uncertainty_millijoules - roughness(points, start, end)) <= 1


@given(POINTS, st.lists(st.floats(0, 1), min_size=3, max_size=6))
def test_stretches_of_the_series_add_up(points, places) -> None:
    series = PowerSeries()
    series.extend(points)
    first, last = points[0][0], points[-1][0]
    instants = sorted(first + round((last - first) * place) for place in places)
    until = [series.until(at) for at in instants]
    parts = [later - earlier for earlier, later in pairwise(until)]
    whole = Drawn()
    for part in parts:
        whole += part
    assert whole == until[-1] - until[0]
    assert all(part.half_nanojoules >= 0 and part.covered_microseconds >= 0 for part in parts)


def test_a_silence_is_not_covered() -> None:
    series = PowerSeries()
    series.extend((second * SECOND, 300_000) for second in (10, 11, 20, 21))
    assert series.between(10 * SECOND, 21 * SECOND) is None
    last, first = series.until(21 * SECOND), series.until(10 * SECOND)
    assert (last - first) == Drawn.of(2 * 300_000, 2 * SECOND)
    assert series.between(20 * SECOND, 21 * SECOND) == Drawn.of(300_000, SECOND)
    series.extend([(40 * SECOND, 300_000)])
    assert series.until(40 * SECOND) == last
    assert series.until(1 * SECOND) is None
