"""How a GPU that several runs hold is split between them: named, in proportion, to the millijoule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.model import Flag, Kind, Quality, ShareRule
from sam_cluster.energy.claims import END_MARGIN_MICROSECONDS, Accounted, divider
from sam_cluster.energy.hours import Usage, usage
from sam_cluster.energy.split import Holder, Reading, divide
from tests.strategies import EPOCH, HOUR, MINUTE

A, B, C = (Holder(f"{n}.0", EPOCH, n) for n in (1, 2, 3))


def held(holder: Holder, begin: int, end: int, **more) -> list[Reading]:
    """A run's start and end on a GPU whose counter shows its uptime in seconds."""

    def reading(kind: Kind, at: int, **since) -> Reading:
        return Reading(
            holder=holder, kind=kind, at_microseconds=EPOCH + at, uptime_microseconds=at, segment="s",
            energy_millijoules=at // 1_000_000, **since, **more,
        )  # fmt: skip

    first = reading(Kind.START, begin)
    return [
        first,
        reading(
            Kind.END, end, since_at_microseconds=first.at_microseconds,
            since_uptime_microseconds=begin, since_energy_millijoules=begin // 1_000_000,
        ),
    ]  # fmt: skip


def shared(readings: list[Reading], **accounted: Accounted) -> dict[Holder, Usage]:
    told = {holder: accounted[name] for holder, name in ((A, "a"), (B, "b"), (C, "c")) if name in accounted}
    found = usage(readings, divide(readings), divider(readings, told))
    return {each.holder: each for each in found}


BOTH = [*held(A, 0, HOUR), *held(B, 0, HOUR)]


def slices(a: int | None, b: int | None) -> list[Reading]:
    return [replace(each, mig_slices=a if each.holder == A else b) for each in BOTH]


@pytest.mark.parametrize(
    ("readings", "accounted", "rule", "parts"),
    [
        pytest.param(slices(3, 1), {}, ShareRule.MIG_SLICES, (2700, 900), id="MIG"),
        pytest.param(
            slices(3, 1), {"a": Accounted(gpu_shards=1), "b": Accounted(gpu_shards=1)},
            ShareRule.MIG_SLICES, (2700, 900), id="MIG is surer than what was asked for",
        ),
        pytest.param(slices(3, None), {}, ShareRule.EQUAL, (1800, 1800), id="slices of one are not known"),
        pytest.param(
            BOTH, {"a": Accounted(gpu_shards=1), "b": Accounted(gpu_shards=3)},
            ShareRule.SHARDS, (900, 2700), id="shards",
        ),
        pytest.param(
            BOTH, {"a": Accounted(gpu_mps=75), "b": Accounted(gpu_mps=25)},
            ShareRule.MPS, (2700, 900), id="MPS",
        ),
        pytest.param(
            BOTH, {"a": Accounted(gpu_shards=8, nodes=4), "b": Accounted(gpu_shards=2)},
            ShareRule.SHARDS, (1800, 1800), id="shards on several nodes are spread over them",
        ),
        pytest.param(
            BOTH, {"a": Accounted(gpu_shards=1)}, ShareRule.EQUAL, (1800, 1800), id="shards of one alone"
        ),
        pytest.param(
            BOTH, {"a": Accounted(gpu_shards=1), "b": Accounted(gpu_mps=50)},
            ShareRule.EQUAL, (1800, 1800), id="two kinds that do not compare",
        ),
        pytest.param(BOTH, {}, ShareRule.EQUAL, (1800, 1800), id="without accounting"),
    ],
)  # fmt: skip
def test_the_first_rule_by_which_every_part_is_known_holds(readings, accounted, rule, parts) -> None:
    found = shared(readings, **accounted)
    assert (found[A].energy_millijoules, found[B].energy_millijoules) == parts
    assert {each.share_rule for each in found.values()} == {rule}
    equal = {Flag.SHARED_EQUALLY} if rule is ShareRule.EQUAL else set()
    assert all(each.flags == {Flag.SHARED} | equal for each in found.values())
    assert all(each.device_energy_millijoules == 3600 for each in found.values())


def test_one_that_holds_a_part_alone_has_the_whole_devices_energy() -> None:
    (found,) = shared([replace(each, mig_slices=1) for each in held(A, 0, HOUR)]).values()
    assert (found.energy_millijoules, found.share_rule) == (3600, ShareRule.WHOLE)
    assert (found.flags, found.quality) == (set(), Quality.MEASURED)


def test_a_run_on_two_gpus_has_half_of_its_shards_on_each() -> None:
    readings = [replace(each, gpus_held=2) if each.holder == A else each for each in BOTH]
    found = shared(readings, a=Accounted(gpu_shards=6), b=Accounted(gpu_shards=1))
    assert (found[A].energy_millijoules, found[B].energy_millijoules) == (2700, 900)


def test_who_was_over_by_accounting_has_no_part_of_what_others_hold_after_the_margin() -> None:
    """A's epilog was lost: the node took it to hold the GPU for an hour, and was over after ten minutes."""
    readings = [*held(A, 0, HOUR), *held(B, 30 * MINUTE, HOUR)]
    found = shared(readings, a=Accounted(ended_at_microseconds=EPOCH + 10 * MINUTE))
    assert (found[A].energy_millijoules, found[B].energy_millijoules) == (1800, 1800)
    assert (found[A].flags, found[B].flags) == ({Flag.AFTER_END}, set())
    assert found[A].held_microseconds == found[B].held_microseconds == 30 * MINUTE
    assert found[B].quality is Quality.MEASURED


@pytest.mark.parametrize("late", [END_MARGIN_MICROSECONDS - 1, END_MARGIN_MICROSECONDS])
def test_an_epilog_within_the_margin_ends_a_run_as_any_other(late: int) -> None:
    readings = [*held(A, 0, HOUR), *held(B, 30 * MINUTE, HOUR)]
    found = shared(readings, a=Accounted(ended_at_microseconds=EPOCH + 30 * MINUTE - late))
    assert (Flag.AFTER_END in found[A].flags) is (late == END_MARGIN_MICROSECONDS)


def test_where_accounting_says_that_all_were_over_all_have_a_part() -> None:
    over = Accounted(gpu_shards=1, ended_at_microseconds=EPOCH - HOUR)
    found = shared(BOTH, a=over, b=over)
    assert (found[A].energy_millijoules, found[B].energy_millijoules) == (1800, 1800)


COUNTS = st.none() | st.integers(0, 100)
ACCOUNTED = st.builds(
    Accounted, gpu_shards=COUNTS, gpu_mps=COUNTS, nodes=st.none() | st.integers(1, 9),
    ended_at_microseconds=st.none() | st.integers(EPOCH, EPOCH + 3 * HOUR),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_parts_add_up_to_the_device_whatever_accounting_says(data: st.DataObject) -> None:
    readings: list[Reading] = []
    for holder in (A, B, C):
        begin, length = data.draw(st.integers(0, 2 * HOUR)), data.draw(st.integers(1, HOUR))
        more = {
            "mig_slices": data.draw(st.none() | st.integers(1, 7)),
            "gpus_held": data.draw(st.integers(1, 3)),
        }
        readings += held(holder, begin, begin + length, **more)
    pieces = divide(readings)
    told = {holder: data.draw(ACCOUNTED) for holder in (A, B, C)}
    found = usage(readings, pieces, divider(readings, told))
    assert sum(each.energy_millijoules or 0 for each in found) == sum(
        piece.energy_millijoules for piece in pieces if piece.holders
    )
    assert all((each.energy_millijoules or 0) >= 0 and each.held_microseconds >= 0 for each in found)
    mixed = data.draw(st.permutations(readings))
    assert usage(mixed, divide(mixed), divider(mixed, told)) == found
