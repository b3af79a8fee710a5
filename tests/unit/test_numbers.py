"""Groups, order and likeness of rows by numbers are those of the rows themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.store import rows as store_rows
from sam_cluster.store.numbers import alike, greatest, least, numbers, order_of, total, uneven
from sam_cluster.store.rows import by_day, from_rows, in_order_by_day, to_rows, without
from tests.small_store import job
from tests.strategies import DAY, EPOCH, HOUR

SCHEMA = pa.schema(
    [("text", pa.string()), ("at", pa.timestamp("us", "UTC")), ("number", pa.int64()), ("other", pa.string())]
)
TEXTS = st.sampled_from([None, "", "a", "a\x1f", "\x1fb", "b", "é", "z\U0001f600"])
#: Spans that no product of them fits into 64 bits.
INTEGERS = st.sampled_from([None, 0, 1, -1, 7, -(1 << 63), (1 << 63) - 1, 1 << 40])
ROWS = st.lists(st.tuples(TEXTS, INTEGERS, INTEGERS, TEXTS), max_size=12)
#: A job's cluster, number, start and end, of days before and after one another.
JOBS = st.lists(
    st.tuples(
        st.sampled_from(["lab", "other"]),
        st.integers(1, 3),
        st.sampled_from([EPOCH, EPOCH + 1, EPOCH - DAY]),
        st.sampled_from([EPOCH + HOUR, EPOCH + DAY, EPOCH + 2 * DAY]),
    ),
    max_size=8,
)


def table(rows: list[tuple]) -> pa.Table:
    columns = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(SCHEMA.types)]
    whole = pa.Table.from_arrays(columns, schema=SCHEMA)
    return pa.concat_tables([whole[: len(rows) // 2], whole[len(rows) // 2 :]])  # in chunks, as it comes


def jobs(found: list[tuple]) -> pa.Table:
    each_once = {job_row[:3]: job_row for job_row in found}.values()
    return from_rows(
        "jobs", [job(number, start, end, cluster=cluster) for cluster, number, start, end in each_once]
    )


@given(ROWS, st.none() | st.integers(1, len(SCHEMA)))
@settings(deadline=None)
def test_rows_have_one_number_where_they_are_alike_and_the_order_that_arrow_gives_them(rows, first) -> None:
    once = list(dict.fromkeys(rows))
    found = table(rows)
    of_row = numbers([found[name] for name in SCHEMA.names])
    assert len(set(of_row.tolist())) == len(once) == 1 + max(of_row.tolist(), default=-1)
    assert [of_row[at] == of_row[0] for at in range(len(rows))] == [row == rows[0] for row in rows]
    distinct = table(once)
    order = order_of([distinct[name] for name in SCHEMA.names], first)
    by_arrow = distinct.sort_by([(name, "ascending") for name in SCHEMA.names])
    assert to_rows(distinct.take(pa.array(order))) == to_rows(by_arrow)


@given(st.lists(st.tuples(INTEGERS, st.sampled_from([["a"], [], None, ["a", "b"]])), min_size=1), st.data())
@settings(deadline=None)
def test_two_tables_are_alike_in_the_rows_that_are_the_same(rows, data) -> None:
    other = [data.draw(st.sampled_from([row, rows[0]])) for row in rows]
    one, two = (
        pa.table({"number": pa.array([r[0] for r in each], pa.int64()),
                  "words": pa.array([r[1] for r in each], pa.list_(pa.string()))})
        for each in (rows, other)
    )  # fmt: skip
    assert alike(one, two).tolist() == [a == b for a, b in zip(rows, other, strict=True)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), min_size=1))
@settings(deadline=None)
def test_sums_and_ends_of_groups_are_those_of_their_values(pairs) -> None:
    groups, values = (np.array(each) for each in zip(*pairs, strict=True))
    of = {group: [value for each, value in pairs if each == group] for group in set(groups.tolist())}
    for group, found in of.items():
        assert total(values, groups, 4)[group] == sum(found)
        assert least(values, groups, 4)[group] == min(found)
        assert greatest(values, groups, 4)[group] == max(found)
    assert set(uneven(values, groups, 4).tolist()) == {group for group in of if len(set(of[group])) > 1}


@given(JOBS, JOBS)
@settings(deadline=None)
def test_what_is_gone_is_gone_by_its_keys_and_each_day_is_in_order(found, lost) -> None:
    rows, gone = jobs(found), jobs(lost)
    lost_keys = {each[:3] for each in lost}
    left = [
        row
        for row in to_rows(rows)
        if (row["cluster"], row["raw_job_id"], row["started_at"]) not in lost_keys
    ]
    assert to_rows(without("jobs", rows, gone)) == left
    ordered = in_order_by_day("jobs", rows)
    plainly = {day: store_rows.in_order("jobs", each) for day, each in by_day("jobs", rows).items()}
    assert list(ordered) == list(plainly) == sorted(plainly)
    for day in plainly:
        assert ordered[day].equals(plainly[day])
