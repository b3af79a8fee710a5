"""Tables and their commit: the old state or the new one, whole, whatever dies and whoever writes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.errors import StoreError
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import day_of, from_rows, identifying, only, to_rows
from sam_cluster.store.schemas import DAY_COLUMN, KEYS, TABLES, since, version
from sam_cluster.store.tables import Tables
from tests.digests import rows_digest
from tests.small_store import NOW, add, begin, ids, job
from tests.strategies import DAY, EPOCH, HOUR
from tests.unit.test_numbers import JOBS, jobs


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path / "store")
    prepare(paths)
    return paths


def test_a_store_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path) -> None:
    with pytest.raises(StoreError, match=r"--store"):
        Tables(StorePaths(tmp_path / "nowhere")).snapshot()


def test_before_the_first_commit_every_table_is_empty(paths) -> None:
    snapshot = Tables(paths).snapshot()
    assert snapshot.number == 0
    assert all(snapshot.read(table).schema.equals(TABLES[table]) for table in TABLES)
    assert [len(snapshot.read(table)) for table in TABLES] == [0] * len(TABLES)


def test_the_layout_has_the_modes_that_its_users_need(paths) -> None:
    modes = {path.name: path.stat().st_mode & 0o7777 for path in paths.root.iterdir()}
    assert modes == {"inbox": 0o750, "submissions": 0o1733, "tables": 0o750, "quarantine": 0o750}


def test_rows_come_back_by_key_with_their_schema(paths) -> None:
    add(paths, job(3), job(1), job(2))
    snapshot = Tables(paths).snapshot()
    assert ids(snapshot.read("jobs")) == [1, 2, 3]
    assert snapshot.read("jobs", columns=["job_id", "energy_millijoules"]).to_pylist()[0] == {
        "job_id": "1", "energy_millijoules": 1,
    }  # fmt: skip
    assert snapshot.committed_at_microseconds == NOW


@given(
    rows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12),
    window=st.tuples(st.integers(0, 130), st.integers(1, 60)),
    wanted=st.sets(st.integers(0, 12)),
)
@settings(max_examples=25, deadline=None)
def test_a_read_gives_exactly_the_rows_that_overlap_and_are_wanted(
    tmp_path_factory, rows, window, wanted
) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    prepare(paths)
    jobs = [
        job(number, EPOCH + start * HOUR, EPOCH + (start + length) * HOUR)
        for number, (start, length) in enumerate(rows)
    ]
    add(paths, *jobs)
    start, end = EPOCH + window[0] * HOUR, EPOCH + (window[0] + window[1]) * HOUR
    snapshot = Tables(paths).snapshot()
    window_of = {"start_microseconds": start, "end_microseconds": end}
    found = snapshot.read("jobs", **window_of, raw_job_ids=wanted)
    overlapping = [j for j in jobs if j["started_at"] < end and j["ended_at"] >= start]
    assert ids(found) == [j["raw_job_id"] for j in overlapping if j["raw_job_id"] in wanted]
    energies = snapshot.read("jobs", **window_of, columns=["energy_millijoules"], in_any_order=True)
    assert energies.column_names == ["energy_millijoules"]
    assert sorted(energies[0].to_pylist()) == sorted(j["energy_millijoules"] for j in overlapping)


def test_a_row_of_which_it_is_not_known_whether_it_is_wanted_is_left_out() -> None:
    rows = pa.table({"n": [1, 2, 3]})
    assert only(rows, pa.array([True, None, False]))["n"].to_pylist() == [1]
    assert only(rows, pa.array([True, None, True]))["n"].to_pylist() == [1, 3]
    assert only(rows, pa.array([True, True, True])) is rows


def test_a_lookup_opens_only_files_that_may_hold_the_job(paths) -> None:
    for day in range(5):
        add(paths, *(job(100 * day + n, EPOCH + day * DAY) for n in range(3)))
    snapshot = Tables(paths).snapshot()
    assert [file.day for file in snapshot.files("jobs", raw_job_ids=[301, 999])] == [day_of(EPOCH + 3 * DAY)]
    window = {"start_microseconds": EPOCH + 2 * DAY, "end_microseconds": EPOCH + 2 * DAY + HOUR}
    assert [file.day for file in snapshot.files("jobs", **window)] == [day_of(EPOCH + 2 * DAY)]


def test_a_commit_writes_the_days_it_changes_and_no_others(paths) -> None:
    add(paths, *(job(day, EPOCH + day * DAY) for day in range(60)))
    before = set(paths.tables.rglob("*"))
    add(paths, job(1000, EPOCH + 5 * DAY))
    names = sorted(str(p.relative_to(paths.tables).parent) for p in set(paths.tables.rglob("*")) - before)
    assert names == ["commits", "index", "index", f"jobs/day={day_of(EPOCH + 5 * DAY)}"]


def test_a_manifest_does_not_grow_with_the_years(paths) -> None:
    add(paths, job(1))
    small = len((paths.tables / "commits" / "00000001.json").read_bytes())
    add(paths, *(job(month, EPOCH + month * 31 * DAY) for month in range(2, 120)))
    add(paths, job(5000))
    assert len((paths.tables / "commits" / "00000003.json").read_bytes()) < small + 400


def test_the_same_rows_make_the_same_bytes_in_whatever_order_they_came(tmp_path) -> None:
    names = []
    for order in ([1, 2, 3], [3, 1, 2]):
        paths = StorePaths(tmp_path / str(order))
        prepare(paths)
        for number in order:
            add(paths, job(number))
        names.append([file.digest for file in Tables(paths).snapshot().files("jobs")])
    assert names[0] == names[1]


@given(st.permutations(range(6)), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_the_digest_of_rows_is_that_of_the_set_whatever_order_and_chunks(order, cut) -> None:
    rows = [job(number, flags=["shared", "open"]) for number in order]
    parts = pa.concat_tables([from_rows("jobs", rows[:cut]), from_rows("jobs", rows[cut:])])
    assert rows_digest(parts) == rows_digest(from_rows("jobs", sorted(rows, key=lambda row: row["job_id"])))
    assert rows_digest(parts) != rows_digest(parts.slice(1))


def test_a_commit_that_changes_nothing_is_none(paths) -> None:
    add(paths, job(1))
    assert add(paths, job(1)).number == 1
    transaction = begin(paths)
    transaction.replace_day("jobs", day_of(EPOCH), Tables(paths).snapshot().read_day("jobs", day_of(EPOCH)))
    assert transaction.commit().number == 1


def test_a_row_takes_the_place_of_the_one_of_its_key(paths) -> None:
    add(paths, job(1), job(2))
    add(paths, job(2, energy_millijoules=99))
    assert Tables(paths).snapshot().read("jobs")["energy_millijoules"].to_pylist() == [1, 99]


def test_what_is_staged_is_read_as_if_it_were_committed(paths) -> None:
    add(paths, job(1), job(2, EPOCH + DAY))
    transaction = begin(paths)
    gone = transaction.read("jobs", raw_job_ids=[1])
    transaction.exchange("jobs", removed=gone, added=from_rows("jobs", [job(7, EPOCH + 2 * DAY)]))
    assert ids(transaction.read("jobs")) == [2, 7]
    assert ids(Tables(paths).snapshot().read("jobs")) == [1, 2]
    days = [day_of(EPOCH + n * DAY) for n in range(3)]
    assert list(transaction.days("jobs", before=days[2])) == [days[1]]
    assert list(transaction.days("jobs", after=days[0])) == days[1:]
    transaction.commit()
    assert ids(Tables(paths).snapshot().read("jobs")) == [2, 7]


@given(st.lists(st.tuples(JOBS, JOBS), max_size=4))
@settings(max_examples=60, deadline=None)
def test_rows_are_exchanged_by_their_keys_day_by_day_and_each_day_is_in_order(
    tmp_path_factory: pytest.TempPathFactory, changes
) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    prepare(paths)
    transaction, expected = begin(paths), dict[date, dict[tuple, dict]]()
    for lost, found in changes:
        removed, added = jobs(lost), jobs(found)
        transaction.exchange("jobs", removed=removed.select(identifying("jobs")), added=added)
        for gone in to_rows(removed):
            expected.get(day_of(gone["ended_at"]), {}).pop(key_of(gone), None)
        for come in to_rows(added):
            expected.setdefault(day_of(come["ended_at"]), {})[key_of(come)] = come
    for day, rows in expected.items():
        of_day = transaction.read_day("jobs", day)
        assert to_rows(of_day) == [rows[key] for key in sorted(rows)]
        assert all(column.num_chunks < 2 for column in of_day.columns)
    assert transaction.commit().read("jobs").num_rows == sum(map(len, expected.values()))


def key_of(row: dict) -> tuple:
    return tuple(row[name] for name in KEYS["jobs"])


def test_plain_tools_read_the_files(paths) -> None:
    snapshot = add(paths, job(1, energy_millijoules=5), job(2, energy_millijoules=None))
    (file,) = [str(paths.tables / each.path) for each in snapshot.files("jobs")]
    query = "select count(*), sum(energy_millijoules), epoch_us(min(started_at)) from read_parquet(?)"
    count, energy, started = duckdb.execute(query, [file]).fetchone()
    assert (count, energy, started) == (2, 5, EPOCH)
    frame = pd.read_parquet(file)
    assert frame["raw_job_id"].tolist() == [1, 2]
    assert frame["energy_millijoules"].isna().tolist() == [False, True]


def test_every_table_has_a_key_and_every_column_says_what_it_means() -> None:
    assert set(KEYS) == set(TABLES)
    for name, schema in TABLES.items():
        assert set(KEYS[name]) <= set(schema.names)
        assert DAY_COLUMN.get(name, schema.names[0]) in schema.names
        assert all(field.metadata[b"meaning"] for field in schema)


def rewritten(paths: StorePaths, table: str, change) -> pa.Table:
    """The rows of a table's one file, which is put on the disk anew as something changes it."""
    snapshot = Tables(paths).snapshot()
    (file,) = snapshot.files(table)
    rows = pq.ParquetFile(paths.tables / file.path).read()
    pq.write_table(change(rows), paths.tables / file.path)
    return Tables(paths).snapshot().read(table)


def in_first_schema(rows: pa.Table) -> pa.Table:
    """As the first release wrote them."""
    first = [column.name for column in rows.schema if since(column) == 1]
    metadata = {**rows.schema.metadata, b"sam_cluster.schema": b"1"}
    return rows.select(first).replace_schema_metadata(metadata)


def one_result(paths: StorePaths, **more) -> dict:
    row = {"submission_id": "a" * 32, "submitted_at": NOW, "job_ids": ["101"], "verdict": "accepted", **more}
    change = begin(paths)
    change.replace_day("results", None, from_rows("results", [row]))
    change.commit()
    return row


def test_what_the_first_release_wrote_is_read_with_nulls_for_what_came_later(paths) -> None:
    one_result(paths, digest="d" * 64, accuracy=0.5)
    rows = rewritten(paths, "results", in_first_schema)
    assert rows.schema.equals(TABLES["results"], check_metadata=True)
    (row,) = rows.to_pylist()
    assert (row["accuracy"], row["epochs"], row["data_fraction"], row["ground"]) == (0.5, None, None, None)
    only = Tables(paths).snapshot().read("results", columns=("epochs", "digest"))
    assert only.to_pylist() == [{"epochs": None, "digest": "d" * 64}]
    change = begin(paths)
    added = from_rows("results", [{**row, "submission_id": "b" * 32, "epochs": 9.0}])
    change.exchange("results", removed=TABLES["results"].empty_table(), added=added)
    snapshot = change.commit()
    assert [each["epochs"] for each in snapshot.read("results").to_pylist()] == [None, 9.0]
    (file,) = snapshot.files("results")
    assert version(pq.ParquetFile(paths.tables / file.path).schema_arrow.metadata) == 2


def test_a_column_that_is_missing_from_a_file_of_its_own_schema_is_an_error(paths) -> None:
    one_result(paths, digest="d" * 64)
    with pytest.raises(StoreError, match="cannot be read"):
        rewritten(paths, "results", lambda rows: rows.drop_columns(["epochs"]))


def test_a_file_of_a_later_release_is_not_guessed_at(paths) -> None:
    one_result(paths, digest="d" * 64)
    later = {b"sam_cluster.table": b"results", b"sam_cluster.schema": b"3"}
    with pytest.raises(StoreError, match="written by a later release"):
        rewritten(paths, "results", lambda rows: rows.replace_schema_metadata(later))
