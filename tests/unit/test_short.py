"""Columns that say nothing twice say all that they said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.store.short import (
    COUNTER,
    COVERED,
    ENERGY,
    LONGEST_ONCE,
    PLACE,
    PREVIOUS_SEGMENT,
    PREVIOUS_UPTIME,
    SEGMENT,
    SINCE,
    UUID,
    lengthened,
    shortened,
)

GPU_NAMES = st.sampled_from(["GPU-a", "GPU-b", "GPU-" + "c" * LONGEST_ONCE])
FEW = st.none() | st.integers(0, 2)
NAMES = (*SINCE, *SINCE.values(), COUNTER, ENERGY, COVERED, PREVIOUS_UPTIME, "lag_microseconds")
BOUNDARY = st.fixed_dictionaries({
    UUID: GPU_NAMES, SEGMENT: st.sampled_from("ab"), PREVIOUS_SEGMENT: st.sampled_from(["a", "b", None]),
    **dict.fromkeys(NAMES, FEW),
})  # fmt: skip
GPU = st.fixed_dictionaries({"uuid": st.none() | GPU_NAMES, "requested": st.just("all")})


def in_columns(rows: list[dict]) -> dict[str, list]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def told(columns: dict[str, list]) -> dict[str, list]:
    """Without those that are null throughout."""
    return {name: values for name, values in columns.items() if any(each is not None for each in values)}


@given(st.lists(BOUNDARY, max_size=6) | st.lists(GPU, max_size=3), st.lists(st.none() | GPU_NAMES))
def test_columns_come_back_as_they_were(rows, uuids) -> None:
    columns = in_columns(rows)
    short = shortened(columns, uuids)
    assert told(lengthened(short, uuids)) == told(columns)
    assert set(short) <= {*columns, PLACE}


def boundaries_of_one_run(gpus: list[str]) -> dict[str, list]:
    """Two boundaries of each GPU, the second with what the first said."""
    rows = [
        {
            UUID: gpu, SEGMENT: "boot.0", "kind": kind, "lag_microseconds": 4,
            "at_microseconds": at, "uptime_microseconds": at - 10, ENERGY: at * 3, COUNTER: at * 3,
            COVERED: 70 if kind == "end" else None,
            PREVIOUS_SEGMENT: "boot.0" if kind == "start" else None,
            PREVIOUS_UPTIME: 5 if kind == "start" else None,
        }
        for gpu in gpus for kind, at in (("start", 30), ("end", 100))
    ]  # fmt: skip
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        first.update(dict.fromkeys(SINCE))
        second.update({name: first[of] for name, of in SINCE.items()})
    return in_columns(rows)


def test_of_a_run_as_most_are_nothing_is_said_twice() -> None:
    columns = boundaries_of_one_run(["GPU-a", "GPU-b"])
    short = shortened(columns, ["GPU-b", "GPU-a"])
    assert not {*SINCE, COUNTER, COVERED, PREVIOUS_SEGMENT, UUID} & set(short)
    assert short["lag_microseconds"] == [4]
    assert short[PLACE] == [1, 1, 0, 0]
    assert lengthened(short, ["GPU-b", "GPU-a"]) == columns


def test_the_first_of_gpus_with_one_name_stands_for_it() -> None:
    short = shortened(boundaries_of_one_run(["GPU-a"]), [None, "GPU-a", "GPU-a"])
    assert short[PLACE] == [1]


def test_where_a_gpu_is_none_of_the_shards_all_are_told_by_their_names() -> None:
    short = shortened(boundaries_of_one_run(["GPU-a", "GPU-b"]), ["GPU-a", None])
    assert PLACE not in short
    assert short[UUID] == ["GPU-a", "GPU-a", "GPU-b", "GPU-b"]


@pytest.mark.parametrize("place", [-1, 2, True, None])
def test_a_gpu_that_is_not_there_is_refused(place: int | None) -> None:
    with pytest.raises(ValueError, match="does not have"):
        lengthened({PLACE: [0, place]}, ["GPU-a", "GPU-b"])


@pytest.mark.parametrize("name", SINCE)
def test_a_boundary_before_that_is_another_one_is_told_whole(name: str) -> None:
    columns = boundaries_of_one_run(["GPU-a"])
    columns[name] = [None, 7]
    short = shortened(columns)
    assert {each: short[each] for each in SINCE} == {each: columns[each] for each in SINCE}
    assert lengthened(short) == columns


@pytest.mark.parametrize(
    ("name", "value"), [(COVERED, 69), (COVERED, None), (PREVIOUS_SEGMENT, "boot.1"), (COUNTER, 301)]
)
def test_what_is_otherwise_than_would_follow_is_told(name: str, value: int | str | None) -> None:
    columns = boundaries_of_one_run(["GPU-a"])
    columns[name] = [columns[name][0], value]
    short = shortened(columns)
    assert short[name] == (columns[name] if columns[name] != [None, None] else [None])
    assert lengthened(short) == columns


def test_what_is_not_known_though_it_would_follow_is_told() -> None:
    columns = {**boundaries_of_one_run(["GPU-a"]), COUNTER: [None, None]}
    assert shortened(columns)[COUNTER] == [None]
    assert lengthened(shortened(columns)) == columns


@pytest.mark.parametrize("value", ["x" * LONGEST_ONCE, ["open"] * LONGEST_ONCE])
def test_only_what_is_short_is_said_once_for_many(value: str | list[str]) -> None:
    more = value + value[:1]
    columns = {"uuid": ["a", "b"], "of_all": [value, value], "of_each": [more, more]}
    short = shortened(columns)
    assert short == {**columns, "of_all": [value]}
    assert lengthened(short) == columns
    with pytest.raises(ValueError, match="said once for many"):
        lengthened({**short, "of_each": [more]})


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        lengthened({"gpu_uuid": ["a", "b", "c"], ENERGY: [1, 2]})
