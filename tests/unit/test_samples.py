"""Samples of many nodes and days, brought together in whichever parts they come."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.samples import ENCODED, MEASURES, SampleBatch, fold_samples, together
from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction, prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows, to_rows
from sam_cluster.store.schemas import KEYS
from sam_cluster.store.tables import Tables
from tests.strategies import EPOCH

Row = dict[str, Any]

SAMPLE = st.builds(
    lambda node, day, second, value: {
        "cluster": "lab", "node": node, "gpu_uuid": f"GPU-{node}", "run_id": "7.0",
        "at": EPOCH + day * MICROSECONDS_PER_DAY + second, "uptime_microseconds": second,
        **dict.fromkeys(MEASURES, value),
    },
    st.sampled_from("abc"), st.integers(0, 1), st.integers(0, 3), st.integers(0, 9),
)  # fmt: skip
#: Commits of batches of rows, each in any order.
COMMITS = st.lists(st.lists(st.lists(SAMPLE, max_size=8), max_size=3), max_size=3)


def batch_of(rows: list[Row]) -> SampleBatch:
    return SampleBatch(rows=from_rows("samples", rows).cast(ENCODED).unify_dictionaries())


@given(COMMITS)
@settings(max_examples=60, deadline=None)
def test_each_reading_is_there_once_and_the_smaller_of_two_counts(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[list[Row]]]
) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    prepare(paths)
    least: dict[tuple[Any, ...], Row] = {}
    for batches in commits:
        transaction = Transaction(Tables(paths).snapshot(), now_microseconds=EPOCH)
        fold_samples(transaction, together(map(batch_of, batches)).rows, EPOCH, None)
        transaction.commit()
        for row in (row for rows in batches for row in rows):
            key = tuple(row[name] for name in KEYS["samples"])
            least[key] = min(row, least.get(key, row), key=lambda each: each[MEASURES[0]])
    snapshot = Tables(paths).snapshot()
    stored = [snapshot.read_day("samples", file.day) for file in snapshot.files("samples")]
    for rows in stored:
        assert rows.equals(rows.sort_by([(name, "ascending") for name in KEYS["samples"]]))
    found = to_rows(pa.concat_tables(stored)) if stored else []
    assert sorted(found, key=_key) == sorted(least.values(), key=_key)


def _key(row: Row) -> list[Any]:
    return [row[name] for name in KEYS["samples"]]
