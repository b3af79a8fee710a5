"""What is bridged, and what the second meter has, by hour and holder: shared as the energy is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.core.model import Flag, Kind, Quality, ShareRule
from sam_cluster.energy.claims import Divider, Division, equally
from sam_cluster.energy.hours import Usage, usage
from sam_cluster.energy.split import Holder, Reading, divide
from tests.strategies import EPOCH, HOUR, MINUTE

from .test_split import A, B, start, then

HOLDERS = [A, B, Holder("3.0", EPOCH, 3)]


def opened(holder: Holder, at: int, **more) -> Reading:
    return replace(start(holder, at, 0), kind=Kind.SEGMENT, **more)


def hours_of(*readings: Reading, divide_between: Divider = equally) -> dict[Holder, Usage]:
    found = usage(readings, divide(readings), divide_between)
    assert len({each.holder for each in found}) == len(found), "of one hour"
    return {each.holder: each for each in found}


@given(st.integers(1, 3), st.integers(0, 10**9), st.lists(st.integers(1, 7), min_size=3, max_size=3))
def test_what_was_bridged_is_shared_by_those_who_held_the_gpu_and_counted_once(
    count, bridged, weights
) -> None:
    readings = []
    for holder in HOLDERS[:count]:
        begun = opened(holder, MINUTE, gap_microseconds=MINUTE, bridged_millijoules=bridged)
        readings += [begun, then(begun, Kind.END, 10 * MINUTE, 1000)]

    def by_shards(holders: Sequence[Holder], from_at: int) -> Division:
        return Division(ShareRule.SHARDS, [weights[HOLDERS.index(holder)] for holder in holders])

    hours = hours_of(*readings, divide_between=by_shards)
    assert sum(each.bridged_millijoules for each in hours.values()) == bridged
    assert sum(each.energy_millijoules for each in hours.values()) == bridged + 1000
    for each in hours.values():
        assert each.device_energy_millijoules == bridged + 1000
        assert each.covered_microseconds == each.held_microseconds == 9 * MINUTE
        assert Flag.BRIDGED in each.flags
        assert each.quality is Quality.ESTIMATED


def test_a_gap_that_nothing_bridges_is_not_covered() -> None:
    begun = opened(A, MINUTE, gap_microseconds=3 * MINUTE, flags=frozenset({Flag.COUNTER_RESET}))
    (hour,) = hours_of(begun, then(begun, Kind.END, 10 * MINUTE, 1000)).values()
    assert (hour.held_microseconds, hour.covered_microseconds) == (9 * MINUTE, 6 * MINUTE)
    assert hour.quality is Quality.LOWER_BOUND
    assert hour.bridged_millijoules == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 3 * 10**6))
def test_the_second_meter_is_divided_as_the_first_is(before, during, after, power) -> None:
    first = start(A, 0, 0)
    energies = (before + during, before + during + after)
    second = start(B, 10 * MINUTE, before)
    ends = [
        then(second, Kind.END, 20 * MINUTE, energies[0], since_power_millijoules=during),
        then(first, Kind.END, 30 * MINUTE, energies[1], since_power_millijoules=power),
    ]
    hours = hours_of(first, second, *ends)
    assert sum(each.energy_millijoules for each in hours.values()) == energies[1]
    counted = energies[1]
    if counted:
        expected = power * hours[A].energy_millijoules / counted
        assert hours[A].power_energy_millijoules == pytest.approx(expected, abs=1)
    else:
        assert hours[A].power_energy_millijoules == pytest.approx(power * 5 / 6, abs=1)
    assert abs(hours[B].power_energy_millijoules - hours[B].energy_millijoules) <= 1


def test_where_the_second_meter_does_not_cover_all_it_says_nothing() -> None:
    begun = start(A, 0, 0)
    half = then(begun, Kind.HOUR, 10 * MINUTE, 500, since_power_millijoules=500)
    (hour,) = hours_of(begun, half, then(half, Kind.END, 20 * MINUTE, 900)).values()
    assert hour.power_energy_millijoules is None
    (hour,) = hours_of(begun, half).values()
    assert hour.power_energy_millijoules == 500


def test_idle_time_is_divided_by_time_and_its_energy_as_energy_is() -> None:
    """Over two hours, the second half of the second of which another run shares the GPU."""
    first, second = start(A, 0, 0), start(B, HOUR + HOUR // 2, 300)
    idle = {"since_idle_microseconds": HOUR, "since_idle_millijoules": 200}
    ends = [
        then(first, Kind.END, 2 * HOUR, 400, **idle),
        then(second, Kind.END, 2 * HOUR, 400, since_idle_microseconds=0, since_idle_millijoules=0),
    ]
    readings = [first, second, *ends]
    told = {
        (each.holder, each.hour_microseconds - EPOCH): (each.idle_microseconds, each.idle_energy_millijoules)
        for each in usage(readings, divide(readings))
    }
    # A has 350 of 400: 200 in the first hour, 100 and 50 in the halves of the second.
    assert told == {(A, 0): (HOUR // 2, 100), (A, HOUR): (HOUR // 2, 75), (B, HOUR): (0, 0)}
    unknown = [first, replace(ends[0], since_idle_microseconds=None)]
    assert {each.idle_microseconds for each in usage(unknown, divide(unknown))} == {None}


def test_power_alone_is_no_second_meter_and_as_sure_as_its_samples() -> None:
    only = frozenset({Flag.POWER_ONLY})
    begun = start(A, 0, 0, flags=only, uncertainty_millijoules=3)
    end = then(
        begun, Kind.END, 10 * MINUTE, 500, flags=only, uncertainty_millijoules=4,
        since_power_millijoules=500, since_power_uncertainty_millijoules=50,
    )  # fmt: skip
    (hour,) = hours_of(begun, end).values()
    assert hour.power_energy_millijoules is None
    assert hour.uncertainty_millijoules == 57


def test_a_disagreement_is_of_the_stretch_before_its_boundary() -> None:
    begun = start(A, 0, 0)
    wrong = then(begun, Kind.HOUR, HOUR, 500, flags=frozenset({Flag.METERS_DISAGREE}))
    readings = [begun, wrong, then(wrong, Kind.END, HOUR + MINUTE, 600)]
    before, after = usage(readings, divide(readings))
    assert Flag.METERS_DISAGREE in before.flags
    assert Flag.METERS_DISAGREE not in after.flags
