"""Jobs looked up by the names that users give them: exactly those, in the files that may hold them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.model import NO_JOB
from sam_cluster.report.records import names
from sam_cluster.store.commit import prepare
from sam_cluster.store.index import Span
from sam_cluster.store.named import are_within, least_and_greatest
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import day_of, from_rows
from sam_cluster.store.tables import Tables
from tests.small_store import add, begin, job
from tests.strategies import DAY, EPOCH, HOUR


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path / "store")
    prepare(paths)
    return paths


NAMES = st.one_of(
    st.integers(0, 30).map(str),
    st.tuples(st.integers(0, 30), st.sampled_from("_+"), st.integers(0, 9)).map(
        lambda parts: f"{parts[0]}{parts[1]}{parts[2]}"
    ),
    st.sampled_from(["17_[1-9%2]", "", "x", "_3", "9" * 30, "٣"]),
)


@given(
    rows=st.lists(st.tuples(NAMES, st.integers(0, 2)), max_size=9),
    wanted=st.sets(NAMES, max_size=4),
)
@settings(max_examples=15, deadline=None)
def test_a_lookup_by_names_gives_exactly_the_jobs_that_they_mean(tmp_path_factory, rows, wanted) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    prepare(paths)
    add(
        paths, *(job(900 - n, EPOCH + day * DAY, job_id=name) for n, (name, day) in enumerate(rows))
    )  # fmt: skip
    found = Tables(paths).snapshot().read("jobs", job_ids=wanted)
    meant = [name for name, _ in rows if any(names(one, name) for one in wanted)]
    assert sorted(found["job_id"].to_pylist()) == sorted(meant)
    assert sorted(begin(paths).read("jobs", job_ids=wanted)["job_id"].to_pylist()) == sorted(meant)


def test_the_tasks_of_an_array_are_looked_for_where_they_can_be(paths) -> None:
    # The numbers of an array's tasks are those of later jobs; its name's number is its own.
    for day in range(3):
        add(
            paths,
            job(100 * day + 50, EPOCH + day * DAY, job_id=f"{100 * day}_1"),
            job(100 * day + 60, EPOCH + day * DAY),
        )
    add(paths, job(360, EPOCH + 5 * DAY, job_id="100_7"))
    snapshot = Tables(paths).snapshot()
    assert [file.day for file in snapshot.files("jobs", job_ids=["100"])] == [
        day_of(EPOCH + DAY), day_of(EPOCH + 5 * DAY),
    ]  # fmt: skip
    assert snapshot.read("jobs", job_ids=["100"])["job_id"].to_pylist() == ["100_1", "100_7"]
    assert snapshot.files("jobs", job_ids=["99", "nobody's"]) == []


def test_of_an_index_of_an_earlier_release_any_file_may_hold_a_name() -> None:
    old, new = Span(rows=1), Span(rows=1, named_min=5, named_max=9)
    assert old.may_hold(None, None, None, [77])
    assert not new.may_hold(None, None, None, [77])
    assert Span.over([new, old]).may_hold(None, None, None, [77])
    assert not Span.over([new, new]).may_hold(None, None, None, [77])


def test_what_no_job_held_is_in_no_range_of_jobs_and_is_found(paths) -> None:
    def gpu(number: int, day: int) -> dict:
        start = EPOCH + day * DAY
        return {
            "cluster": "lab", "run_id": f"{number}.0", "raw_job_id": number, "node": "n", "part": 0,
            "started_at": start, "ended_at": start + HOUR,
        }  # fmt: skip

    for day in range(2):
        transaction = begin(paths)
        fresh = [gpu(NO_JOB, day), gpu(100 + day, day)]
        transaction.exchange("shards", removed=from_rows("shards", []), added=from_rows("shards", fresh))
        transaction.commit()
    snapshot = Tables(paths).snapshot()
    assert [file.day for file in snapshot.files("shards", raw_job_ids=[101])] == [day_of(EPOCH + DAY)]
    assert len(snapshot.read("shards", raw_job_ids=[NO_JOB])) == 2


@given(st.lists(NAMES), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
@settings(max_examples=50, deadline=None)
def test_ids_within_ranges(ids: list[str], ranges: list[tuple[int, int]]) -> None:
    found = are_within(pa.array(ids, pa.string()), ranges).to_pylist()
    for name, is_within in zip(ids, found, strict=True):
        least, _ = least_and_greatest(pa.chunked_array([[name]], pa.string()))
        assert is_within == (least is None or any(first <= least <= last for first, last in ranges))


def test_neither_a_commit_nor_a_lookup_opens_what_lists_other_months(paths) -> None:
    add(paths, *(job(month, EPOCH + month * 31 * DAY) for month in range(1, 25)))
    snapshot = Tables(paths).snapshot()
    months = sorted(snapshot.months("jobs").items())
    for _, month in months[:-1]:
        (paths.tables / "index" / month.name).unlink()
    last = EPOCH + 24 * 31 * DAY
    add(paths, job(25, last))
    found = Tables(paths).snapshot()
    assert found.read("jobs", job_ids=["25"])["job_id"].to_pylist() == ["25"]
    assert len(found.read("jobs", start_microseconds=last, end_microseconds=last + DAY)) == 2
