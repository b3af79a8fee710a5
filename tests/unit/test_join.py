"""Runs, rows of accounting and jobs, put together where numbers alone do not say which is which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.aggregate.join import attempts, group_jobs, group_shards
from sam_cluster.core.model import Flag
from sam_cluster.store.schemas import TABLES
from tests.strategies import DAY, EPOCH, HOUR, MINUTE


def shard(node: str = "a", start: int = 0, end: int = HOUR, **more) -> dict:
    return {
        "run_id": "7.0", "node": node, "part": 0, "started_at": EPOCH + start, "ended_at": EPOCH + end,
        "flags": [], **more,
    }  # fmt: skip


def run(start: int, end: int, restart: int = 0, user: str | None = "ada") -> dict:
    return {"started_at": EPOCH + start, "ended_at": EPOCH + end, "restart": restart, "user": user}


def told(start: int, end: int | None, restart: int | None = None, **more) -> dict:
    return {
        **dict.fromkeys(TABLES["accounting"].names), "submitted_at": EPOCH + start - MINUTE,
        "started_at": EPOCH + start, "ended_at": None if end is None else EPOCH + end, "restart": restart,
        "state": "COMPLETED", "user": "ada", "job_name": "train", **more,
    }  # fmt: skip


def sizes(found: list) -> list[int]:
    return [len(each) for each in found]


def matched(found: list) -> list[tuple[bool, int]]:
    return [(each.record is not None, len(each.runs)) for each in found]


@given(st.permutations(range(5)))
def test_shards_of_one_run_are_those_whose_times_overlap_in_whatever_order(order) -> None:
    shards = [
        shard("a", 0, HOUR),
        shard("b", 3, HOUR + 3),
        shard("a", 0, 2 * HOUR, part=1),
        shard("a", 40 * DAY, 40 * DAY + HOUR),  # the number again
        shard("c", 41 * DAY, 41 * DAY, flags=[Flag.NO_START]),  # from a node that was lost
    ]
    found = group_shards([shards[at] for at in order])
    assert sizes(found) == [3, 2]
    assert [row["node"] for row in found[0]] == ["a", "a", "b"]


@given(st.permutations(range(4)))
def test_the_parts_of_a_run_are_one_run_though_the_wall_clock_was_set_back_over_midnight(order) -> None:
    # Two runs would each have all hours of the one, and its energy would count twice.
    began = 20 * MINUTE
    shards = [
        shard("a", began, 0),  # begun at 0:20, the clock set back by an hour, and midnight once more
        shard("a", began, 5 * HOUR, part=1),
        shard("b", began + 3, 0),
        shard("b", began + 3, 5 * HOUR, part=1),
    ]
    assert sizes(group_shards([shards[at] for at in order])) == [4]


def test_a_second_start_on_the_same_node_is_another_run_however_soon_it_comes() -> None:
    assert sizes(group_shards([shard("a", 0, HOUR), shard("a", HOUR + 5, 2 * HOUR)])) == [1, 1]
    assert sizes(group_shards([shard("a", 0, HOUR), shard("b", HOUR + 5, 2 * HOUR)])) == [2]


def test_a_run_is_the_row_of_accounting_that_it_overlaps_most() -> None:
    records = [told(0, HOUR), told(HOUR + 1, 3 * HOUR)]
    found = attempts([run(HOUR - MINUTE, 3 * HOUR, 1), run(2, HOUR)], [None, None], records)
    assert [each.runs[0]["restart"] for each in found] == [0, 1]


def test_where_both_have_a_sluid_it_says_which_is_which() -> None:
    records = [told(0, HOUR, sluid="s1"), told(0, HOUR, sluid="s2")]
    found = attempts([run(0, HOUR, 5), run(0, HOUR, 6)], ["s2", "s1"], records)
    assert {each.record["sluid"]: each.runs[0]["restart"] for each in found} == {"s1": 6, "s2": 5}


def test_among_rows_of_equal_times_the_restart_count_decides() -> None:
    records = [told(0, HOUR, 0), told(0, HOUR, 1)]
    found = attempts([run(0, HOUR, 1)], [None], records)
    assert [len(each.runs) for each in found if each.record["restart"] == 1] == [1]


def test_a_run_far_from_every_row_of_accounting_stands_alone() -> None:
    found = attempts([run(5 * DAY, 5 * DAY + HOUR)], [None], [told(0, HOUR)])
    assert matched(found) == [(True, 0), (False, 1)]


@pytest.mark.parametrize(
    ("records", "jobs"),
    [
        ([told(0, 1, 0), told(HOUR, 2 * HOUR, 1)], [2]),  # a requeue
        ([told(0, 1, 0), told(HOUR, 2 * HOUR, 0)], [1, 1]),  # the number given anew
        ([told(0, HOUR, 0, state="RESIZING"), told(HOUR, 2 * HOUR, 0)], [2]),
        ([told(0, 1), told(HOUR, 2 * HOUR)], [2]),  # nobody counted: the same owner and name
        ([told(0, 1), told(HOUR, 2 * HOUR, user="bob")], [1, 1]),
        ([told(0, 1), told(HOUR, 2 * HOUR, job_name="other")], [1, 1]),
        ([told(0, 1, 0), told(40 * DAY, 41 * DAY, 1)], [1, 1]),  # no requeue waits so long
        ([told(0, None, 0), told(HOUR, 2 * HOUR, 1)], [2]),
    ],
)
def test_what_follows_under_the_same_number_is_the_same_job_or_another(records, jobs) -> None:
    assert sizes(group_jobs(attempts([], [], records))) == jobs


def test_without_accounting_restart_counts_that_go_up_are_one_job() -> None:
    runs = [run(0, HOUR, 0), run(2 * HOUR, 3 * HOUR, 1), run(4 * HOUR, 5 * HOUR, 0)]
    assert sizes(group_jobs(attempts(runs, [None] * 3, []))) == [2, 1]


def test_a_run_that_accounting_has_forgotten_is_of_the_job_it_was_requeued_in() -> None:
    runs = [run(0, HOUR, 0), run(2 * HOUR, 3 * HOUR, 1)]
    found = attempts(runs, [None, None], [told(2 * HOUR, 3 * HOUR, 1)])
    assert matched(found) == [(False, 1), (True, 1)]
    assert sizes(group_jobs(found)) == [2]
