"""A commit: the old state or the new one, whole, whatever dies and whoever writes."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from sam_cluster.core.errors import StoreError
from sam_cluster.store.commit import CommitLost, prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import day_of, from_rows
from sam_cluster.store.tables import Snapshot, Tables
from tests.small_store import NOW, add, begin, ids, job, killed_after_each_step
from tests.strategies import DAY, EPOCH, HOUR


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path / "store")
    prepare(paths)
    return paths


def test_of_two_writers_that_began_at_once_one_wins_and_the_other_starts_anew(paths) -> None:
    one, two = begin(paths), begin(paths)
    for transaction, number in ((one, 1), (two, 2)):
        transaction.replace_day("jobs", day_of(EPOCH), from_rows("jobs", [job(number)]))
    one.commit()
    with pytest.raises(CommitLost):
        two.commit()
    assert ids(Tables(paths).snapshot().read("jobs")) == [1]


def test_many_writers_at_once_lose_nothing_and_readers_always_see_a_whole_state(paths) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 4):
            while True:
                try:
                    add(paths, job(number), job(number + 1000, EPOCH + DAY))
                    break
                except CommitLost:
                    continue

    seen: list[tuple[int, int]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            snapshot = Tables(paths).snapshot()
            first = snapshot.read("jobs", end_microseconds=EPOCH + HOUR)
            seen.append((len(first), len(snapshot.read("jobs")) - len(first)))

    writers = [threading.Thread(target=write, args=(first,)) for first in (1, 101)]
    reader = threading.Thread(target=look)
    for thread in [*writers, reader]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    first = Tables(paths).snapshot().read("jobs", end_microseconds=EPOCH + HOUR)
    assert ids(first) == [1, 2, 3, 4, 101, 102, 103, 104]
    assert seen
    assert all(one == two for one, two in seen)


def test_a_writer_killed_at_any_step_leaves_the_old_state_or_the_new_one(tmp_path) -> None:
    stores = [StorePaths(tmp_path / str(steps)) for steps in range(16)]
    for paths in stores:
        prepare(paths)
        add(paths, job(1))
    states = killed_after_each_step(stores)
    assert set(states) == {0, signal.SIGKILL}
    found = [ids(Tables(paths).snapshot().read("jobs")) for paths in stores]
    assert [1] in found
    for rows, state, paths in zip(found, states, stores, strict=True):
        assert rows == [1, 7, 8] if state == 0 else rows in ([1], [1, 7, 8])
        add(paths, job(9))
        assert ids(Tables(paths).snapshot().read("jobs")) == sorted([*rows, 9])


def test_a_reader_keeps_its_state_for_an_hour_and_then_the_files_are_gone(paths) -> None:
    add(paths, job(1), now=NOW)
    old = Tables(paths).snapshot()
    add(paths, job(2), now=NOW + HOUR)
    add(paths, job(3), now=NOW + 2 * HOUR - 1)
    assert ids(old.read("jobs")) == [1]
    fresh = Tables(paths).snapshot()
    assert ids(fresh.read("jobs")) == [1, 2, 3]
    add(paths, job(4), now=NOW + 2 * HOUR)
    with pytest.raises(StoreError, match="begin again"):
        Snapshot(paths, old.manifest).read("jobs")
    assert ids(fresh.read("jobs")) == [1, 2, 3]


def test_what_a_dead_writer_left_is_removed_after_a_day_and_nothing_else_is(paths) -> None:
    old = add(paths, job(1))
    directory = paths.tables / "jobs" / f"day={day_of(EPOCH).isoformat()}"
    left = [directory / "0123-2.parquet", directory / ".0123-2.parquet.part"]
    left += [paths.tables / "index" / "0123-2.json", paths.tables / "commits" / ".00000002.json.part"]
    young = directory / "4567-2.parquet"
    for path in [*left, young]:
        path.write_bytes(b"")
    for path in [*left, *directory.glob("*-1.parquet"), *(paths.tables / "index").glob("*-1.json")]:
        os.utime(path, (0, 0))
    add(paths, job(2), now=NOW + 1)
    assert not any(path.exists() for path in left)
    assert young.exists()
    assert ids(Snapshot(paths, old.manifest).read("jobs")) == [1]
    add(paths, job(3), now=NOW + 2)
    assert ids(Tables(paths).snapshot().read("jobs")) == [1, 2, 3]


def test_commits_older_than_a_month_are_removed_and_younger_ones_stay(paths) -> None:
    for number in range(4):
        add(paths, job(number), now=NOW + number * DAY)
    commits = paths.tables / "commits"
    for number in (1, 2):
        os.utime(commits / f"0000000{number}.json", (0, 0))
    add(paths, job(5), now=NOW + 5 * DAY)
    assert sorted(path.name for path in commits.iterdir()) == [f"0000000{n}.json" for n in (3, 4, 5)]


def test_a_file_that_was_torn_or_removed_is_an_error_that_names_it(paths) -> None:
    snapshot = add(paths, job(1))
    (file,) = snapshot.files("jobs")
    (paths.tables / file.path).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=file.path):
        Tables(paths).snapshot().read("jobs")
    for content in ("{", "[]", "null", '{"format":1}', '{"format":1,"superseded":[]}', "[" * 10_000):
        (paths.tables / "commits" / "00000001.json").write_text(content)
        with pytest.raises(StoreError, match=r"00000001\.json"):
            Tables(paths).snapshot()


def test_a_list_of_files_that_was_changed_is_an_error_that_names_it(paths) -> None:
    snapshot = add(paths, job(1))
    for name in (snapshot.manifest.tables["jobs"], snapshot.months("jobs")["2026-03"].name):
        path = paths.tables / "index" / name
        content = path.read_bytes()
        for other in (b"", b"{}", content.replace(b"1", b"2"), b"[" * 10_000):
            path.write_bytes(other)
            with pytest.raises(StoreError, match=f"{name} does not hold what its name says"):
                Tables(paths).snapshot().read("jobs")
        path.write_bytes(content)
