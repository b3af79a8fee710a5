"""The energy of a GPU, cut into pieces, shared, filed under hours: nothing twice, nothing lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.readings import readings_by_gpu
from sam_cluster.aggregate.shard_rows import reading_rows
from sam_cluster.core.model import Cause, Flag, GapKind, Kind, Quality, ShareRule
from sam_cluster.energy.gaps import gaps
from sam_cluster.energy.hours import Usage, usage
from sam_cluster.energy.split import Holder, Reading, counted_back, divide, segments
from sam_cluster.store.rows import from_rows
from tests.simulated import Simulation
from tests.strategies import EPOCH, HOUR, History, histories

SECOND = 1_000_000
A, B = Holder("1.0", EPOCH, 1), Holder("2.0", EPOCH, 2)


def readings_of(history: History) -> dict[tuple[str, str, str], list[Reading]]:
    rows = [row for shard in Simulation(history).shards() for row in reading_rows(shard, "digest")]
    return readings_by_gpu(from_rows("readings", rows))


def start(holder: Holder, at: int, energy: int | None, **more) -> Reading:
    return Reading(
        holder=holder, kind=Kind.START, at_microseconds=EPOCH + at, uptime_microseconds=at + HOUR,
        segment="s", energy_millijoules=energy, **more,
    )  # fmt: skip


def then(before: Reading, kind: Kind, at: int, energy: int | None, *, step: int = 0, **more) -> Reading:
    return Reading(
        holder=before.holder, kind=kind, at_microseconds=EPOCH + at + step, uptime_microseconds=at + HOUR,
        segment="s", energy_millijoules=energy, since_at_microseconds=before.at_microseconds,
        since_uptime_microseconds=before.uptime_microseconds,
        since_energy_millijoules=before.energy_millijoules, **more,
    )  # fmt: skip


def counted(hours: list[Usage]) -> int:
    """What runs used of what the counter counted: all but what was bridged while it restarted."""
    return sum((each.energy_millijoules or 0) - each.bridged_millijoules for each in hours)


@given(histories(max_runs=8, clock_steps=True), st.randoms())
@settings(max_examples=30, deadline=None)
def test_what_runs_used_and_what_nobody_held_is_the_counters_increase(history, random) -> None:
    simulation = Simulation(history)
    rows = [row for shard in simulation.shards() for row in reading_rows(shard, "digest")]
    random.shuffle(rows)
    for (_, node, uuid), readings in readings_by_gpu(from_rows("readings", rows)).items():
        expected = simulation.total(int(node[3:]), int(uuid[-4:]))
        for segment, mine in segments(readings).items():
            pieces = divide(mine)
            used = counted(usage(mine, pieces))
            between = [gap for gap in gaps(mine, pieces) if gap.from_uptime_microseconds is not None]
            first = min(r.uptime_microseconds for r in mine)
            inside = [gap for gap in between if gap.from_uptime_microseconds >= first]
            assert used + sum(gap.energy_millijoules for gap in inside) == expected[segment]


@given(histories(max_runs=8, clock_steps=True), st.randoms())
@settings(max_examples=25, deadline=None)
def test_readings_in_any_order_and_number_give_the_same_hours_and_gaps(history, random) -> None:
    for readings in readings_of(history).values():
        for mine in segments(readings).values():
            mixed = list(mine)
            random.shuffle(mixed)
            assert divide(mixed) == divide(mine)
            assert usage(mixed, divide(mixed)) == usage(mine, divide(mine))
            assert gaps(mixed, divide(mixed)) == gaps(mine, divide(mine))
            assert divide([*mixed, *mixed]) == divide(mine)


@given(histories(max_runs=8), st.data())
@settings(max_examples=25, deadline=None)
def test_without_any_subset_of_the_shards_nothing_is_counted_twice(history, data) -> None:
    shards = Simulation(history).shards()
    kept = data.draw(st.lists(st.sampled_from(shards), unique_by=id))
    rows = [row for shard in kept for row in reading_rows(shard, "digest")]
    for readings in readings_by_gpu(from_rows("readings", rows)).values():
        for mine in segments(readings).values():
            pieces = divide(mine)
            energies = [r.energy_millijoules for r in mine] + [
                r.since_energy_millijoules for r in mine if r.since_energy_millijoules is not None
            ]
            used = counted(usage(mine, pieces))
            between = sum(p.energy_millijoules for p in pieces if not p.holders)
            whole = sum(p.energy_millijoules for p in pieces)
            assert used + between == whole == max(energies) - min(energies)
            bridged = sum(each.bridged_millijoules for each in usage(mine, pieces))
            assert bridged == max((r.bridged_millijoules or 0 for r in mine), default=0)


@given(histories(max_runs=8, resets=False))
@settings(max_examples=25, deadline=None)
def test_where_every_shard_has_come_nothing_is_unattributed(history) -> None:
    for readings in readings_of(history).values():
        for mine in segments(readings).values():
            assert {gap.kind for gap in gaps(mine, divide(mine))} <= {GapKind.IDLE}


def test_two_runs_on_a_gpu_share_what_they_both_held_and_no_more() -> None:
    a, b = start(A, 0, 100), start(B, 600 * SECOND, 400)
    readings = [a, b, then(b, Kind.END, 1200 * SECOND, 1001), then(a, Kind.END, 1800 * SECOND, 1500)]
    found = {each.holder: each for each in usage(readings, divide(readings))}
    assert found[A].energy_millijoules == 300 + 300 + 499
    assert found[B].energy_millijoules == 301
    assert found[A].device_energy_millijoules == 1400
    assert found[B].device_energy_millijoules == 601
    assert (found[A].holders, found[A].quality) == (2, Quality.ESTIMATED)
    assert found[A].flags == {Flag.SHARED, Flag.SHARED_EQUALLY}
    assert (found[A].share_rule, found[B].share_rule) == (ShareRule.EQUAL, ShareRule.EQUAL)


def test_a_piece_over_a_full_hour_is_apportioned_by_time_and_flagged() -> None:
    a = start(A, 30 * 60 * SECOND, 0)
    readings = [a, then(a, Kind.END, 75 * 60 * SECOND, 900)]
    found = usage(readings, divide(readings))
    assert [each.hour_microseconds - EPOCH for each in found] == [0, HOUR]
    assert [each.energy_millijoules for each in found] == [600, 300]
    assert all(Flag.INTERPOLATED in each.flags for each in found)
    assert [each.held_microseconds for each in found] == [30 * 60 * SECOND, 15 * 60 * SECOND]


def test_a_wall_clock_that_jumps_changes_no_duration_and_counts_hours_back_from_the_later_reading() -> None:
    a = start(A, 0, 0)
    readings = [a, then(a, Kind.END, 600 * SECOND, 60, step=5 * HOUR)]
    (found,) = usage(readings, divide(readings))
    assert found.hour_microseconds == EPOCH + 5 * HOUR
    assert found.held_microseconds == 600 * SECOND
    assert Flag.CLOCK_STEPPED in found.flags
    assert found.quality is Quality.MEASURED


def test_clocks_that_drift_by_milliseconds_put_nothing_into_the_hour_before() -> None:
    first = replace(start(A, 0, 0), uptime_microseconds=HOUR - 2_000)
    second = then(first, Kind.HOUR, HOUR, 50)
    (found,) = usage([first, second], divide([first, second]))
    assert (found.hour_microseconds, found.held_microseconds) == (EPOCH, HOUR + 2_000)
    lone = replace(second, since_at_microseconds=None)
    (alone,) = usage([lone], divide([lone]))
    assert (alone.hour_microseconds, alone.flags) == (EPOCH, set())
    assert counted_back(EPOCH + HOUR, HOUR + 2 * SECOND) == EPOCH - 2 * SECOND


def test_two_values_at_one_instant_are_a_conflict_that_is_flagged_and_not_counted_twice() -> None:
    a, b = start(A, 0, 0), start(B, 600 * SECOND, 98)
    readings = [a, then(a, Kind.END, 600 * SECOND, 100), b, then(b, Kind.END, 1200 * SECOND, 200)]
    found = usage(readings, divide(readings))
    assert [each.energy_millijoules for each in found] == [98, 102]
    assert all(Flag.CONFLICT in each.flags and each.quality is Quality.ESTIMATED for each in found)


def test_an_interval_without_a_figure_is_unknown_and_not_zero() -> None:
    a = start(A, 0, None)
    readings = [a, then(a, Kind.END, 600 * SECOND, 100)]
    (found,) = usage(readings, divide(readings))
    assert found.energy_millijoules is None
    assert found.quality is Quality.UNKNOWN
    assert found.held_microseconds == 600 * SECOND


def test_uncertainties_count_at_a_runs_ends_and_not_at_its_hour_marks() -> None:
    a = start(A, 30 * 60 * SECOND, 0, uncertainty_millijoules=3)
    mark = then(a, Kind.HOUR, HOUR, 10, uncertainty_millijoules=50)
    end = then(mark, Kind.END, HOUR + 60 * SECOND, 20, uncertainty_millijoules=4)
    found = usage([a, mark, end], divide([a, mark, end]))
    assert [each.uncertainty_millijoules for each in found] == [3, 4]


def previous(reading: Reading, segment: str = "s") -> dict[str, object]:
    return {
        "previous_segment": segment,
        "previous_at_microseconds": reading.at_microseconds,
        "previous_uptime_microseconds": reading.uptime_microseconds,
        "previous_energy_millijoules": reading.energy_millijoules,
    }


def test_between_a_known_end_and_the_start_that_names_it_the_gpu_was_idle() -> None:
    a = start(A, 0, 0)
    end = then(a, Kind.END, 600 * SECOND, 100)
    b = start(B, 1200 * SECOND, 130, **previous(end))
    (gap,) = gaps([a, end, b], divide([a, end, b]))
    assert (gap.kind, gap.cause, gap.energy_millijoules) == (GapKind.IDLE, None, 30)


def test_the_first_start_that_is_known_brings_its_idle_time_with_it() -> None:
    earlier = start(A, 0, 70)
    b = start(B, 1200 * SECOND, 130, **previous(earlier))
    (gap,) = gaps([b], divide([b]))
    assert (gap.kind, gap.energy_millijoules, gap.from_at_microseconds) == (GapKind.IDLE, 60, EPOCH)


def test_a_start_that_names_a_boundary_nobody_sent_leaves_energy_unattributed() -> None:
    a = start(A, 0, 0)
    end = then(a, Kind.END, 600 * SECOND, 100)
    missing = start(A, 900 * SECOND, 110)
    b = start(B, 1200 * SECOND, 130, **previous(missing))
    (gap,) = gaps([a, end, b], divide([a, end, b]))
    assert (gap.kind, gap.cause, gap.energy_millijoules) == (GapKind.UNATTRIBUTED, Cause.SHARD_MISSING, 30)


def test_a_start_that_names_no_boundary_before_it_says_that_nobody_followed_the_gpu() -> None:
    a = start(A, 0, 0)
    end = then(a, Kind.END, 600 * SECOND, 100)
    b = start(B, 1200 * SECOND, 130)
    (gap,) = gaps([a, end, b], divide([a, end, b]))
    assert (gap.kind, gap.cause, gap.energy_millijoules) == (GapKind.UNATTRIBUTED, Cause.NOT_METERED, 30)


def test_over_a_counter_that_restarted_between_runs_the_energy_is_null() -> None:
    b = start(B, 1200 * SECOND, 5, **previous(start(A, 0, 100), segment="older"))
    (gap,) = gaps([b], divide([b]))
    assert (gap.cause, gap.energy_millijoules) == (Cause.COUNTER_RESET, None)
    assert gap.from_uptime_microseconds is None


def idle(at: int, energy: int, **more) -> Reading:
    return replace(start(Holder("0.0", EPOCH, 0), at, energy, **more), kind=Kind.IDLE)


def chained(reading: Reading, before: Reading) -> Reading:
    return replace(
        reading,
        previous_segment=before.segment,
        previous_uptime_microseconds=before.uptime_microseconds,
        previous_energy_millijoules=before.energy_millijoules,
    )


def test_a_reading_of_which_the_node_forgot_cuts_idle_time_and_says_nothing_of_who_held_the_gpu() -> None:
    """The agent was killed when the reading was on disk, and that it was of this GPU was not."""
    ended = then(start(A, 0, 100), Kind.END, 600 * SECOND, 200)
    forgotten = chained(idle(1200 * SECOND, 250), ended)
    begun = chained(start(B, 1800 * SECOND, 300), ended)
    readings = [start(A, 0, 100), ended, forgotten, begun, then(begun, Kind.END, 2400 * SECOND, 900)]
    found = gaps(readings, divide(readings))
    assert [(gap.kind, gap.energy_millijoules) for gap in found] == [(GapKind.IDLE, 50), (GapKind.IDLE, 50)]


def test_a_reading_whose_shard_has_not_come_leaves_the_time_before_it_unattributed() -> None:
    ended = then(start(A, 0, 100), Kind.END, 600 * SECOND, 200)
    begun = chained(start(B, 1800 * SECOND, 300), idle(1200 * SECOND, 250))
    readings = [start(A, 0, 100), ended, begun, then(begun, Kind.END, 2400 * SECOND, 900)]
    assert [gap.cause for gap in gaps(readings, divide(readings))] == [Cause.SHARD_MISSING]
