"""What is spread over cores is what one core makes."""

from __future__ import annotations

from threading import Barrier, get_ident

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core import cores
from sam_cluster.core.cores import WORTH_ROWS, on_all_cores
from sam_cluster.store.numbers import numbers, order_of


@pytest.mark.parametrize("rows", [0, WORTH_ROWS - 1, WORTH_ROWS])
def test_answers_come_in_the_order_of_what_was_asked_and_an_error_comes_through(rows: int) -> None:
    assert on_all_cores(lambda number: -number, range(100), rows) == [-number for number in range(100)]
    assert on_all_cores(str, [], rows) == []
    with pytest.raises(ZeroDivisionError):
        on_all_cores(lambda number: 1 // number, [2, 1, 0], rows)


@pytest.mark.skipif(cores.cores() < 2, reason="one core")
def test_what_is_worth_it_is_done_at_the_same_time_and_what_is_not_by_this_thread() -> None:
    together = Barrier(2)
    assert sorted(on_all_cores(lambda _: together.wait(30), [0, 1], WORTH_ROWS)) == [0, 1]
    assert on_all_cores(lambda _: get_ident(), [0, 1], WORTH_ROWS - 1) == [get_ident()] * 2


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3)), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_long_columns_are_numbered_and_sorted_as_short_ones(pairs: list[tuple[str | None, int]]) -> None:
    times = -(-WORTH_ROWS // len(pairs))
    short = [pa.chunked_array([list(values)]) for values in zip(*pairs, strict=True)]
    long = [pa.chunked_array(column.chunks * times) for column in short]
    assert np.array_equal(numbers(long), np.tile(numbers(short), times))
    key = {None: 2, "a": 0, "b": 1}
    rows = [(key[text], number) for text, number in pairs * times]
    assert [rows[at] for at in order_of(long).tolist()] == sorted(rows)
