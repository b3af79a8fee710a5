"""Tables in a bucket: the same rows, bytes and promises as in a directory, on a real server of S3."""

from __future__ import annotations

import io
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.cli.doctor_store import check_store
from sam_cluster.cli.findings import Status
from sam_cluster.core.config import parse
from sam_cluster.core.errors import StoreError
from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.store import bucket as bucket_module
from sam_cluster.store.bucket import Bucket
from sam_cluster.store.commit import CommitLost, prepare
from sam_cluster.store.objects import ObjectFile
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.place import Place, answers, no_step, numbered
from sam_cluster.store.posix import Directory
from sam_cluster.store.rows import day_of, from_rows
from sam_cluster.store.tables import Snapshot, Tables
from tests.aggregating import HISTORY, accounting_of, digests, in_inbox, put_all, run_aggregate
from tests.aggregating import NOW as AGGREGATED
from tests.s3 import Server
from tests.small_store import NOW, add, begin, ids, job, killed_after_each_step
from tests.strategies import CLUSTER, DAY, EPOCH, HOUR
from tests.test_tables_document import blocks
from tests.unit.cli.stores import run

MARK = "commits/00000000.json"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server().running() as server:
        yield server


@pytest.fixture
def name(server: Server) -> str:
    return server.new_bucket()


@pytest.fixture
def paths(name: str, tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path / "store", f"s3://{name}")
    prepare(paths)
    return paths


# --- The same as in a directory --------------------------------------------------------------------------


def configured(paths: StorePaths) -> Path:
    """The configuration file of a store."""
    tables = f'[store]\ntables = "{paths.bucket}"\n' if paths.bucket else ""
    text = f'[cluster]\nname = "{CLUSTER}"\n[paths]\nstore = "{paths.root}"\n{tables}'
    (paths.root / "config.toml").write_text(text)
    return paths.root / "config.toml"


def said_by_commands(paths: StorePaths, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[int, str]]:
    """What the commands that read say of a store."""
    flags = ("--config", str(configured(paths)))
    now = from_utc_microseconds(AGGREGATED)
    found = {}
    for words in (("jobs", "-j", "101,102"), ("ledger", "-S", "2026-03-01"), ("results",)):
        code = run(*words, *flags, "--format", "json", now=now)
        found[words[0]] = code, capsys.readouterr().out
    out = paths.root / "pages"
    found["report"] = run("report", "--cluster", *flags, "--period", "2026-03", "-o", str(out), now=now), ""
    capsys.readouterr()
    return found | {page.name: (0, page.read_text()) for page in out.iterdir()}


def test_a_bucket_holds_the_same_files_as_a_directory_and_commands_say_the_same(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = server.new_bucket()
    stores = StorePaths(tmp_path / "one"), StorePaths(tmp_path / "two", f"s3://{bucket}/some/where")
    for paths in stores:
        put_all(paths)
        run_aggregate(paths, accounting=accounting_of(HISTORY), salt=lambda: "salt")
        assert in_inbox(paths) == []
    below = stores[0].tables
    files = {path.relative_to(below).as_posix(): path for path in below.rglob("*") if path.is_file()}
    assert server.names(bucket) == {f"some/where/{name}" for name in [*files, MARK]}
    assert {name: server.content(bucket, f"some/where/{name}") for name in files} == {
        name: path.read_bytes() for name, path in files.items()
    }
    assert not stores[1].tables.exists()
    copied = StorePaths(tmp_path / "none", f"s3://{server.new_bucket()}")
    for name, path in files.items():
        Bucket(f"{copied.bucket}").put(name, path.read_bytes(), no_step)
    back = StorePaths(tmp_path / "back")
    for name in files:
        path = back.tables / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(server.content(bucket, f"some/where/{name}"))
    assert digests(copied) == digests(back) == digests(stores[0])
    here, there = (said_by_commands(paths, capsys) for paths in stores)
    assert here == there
    assert '"job_id": "101"' in here["jobs"][1]


def test_plain_tools_read_the_files_as_the_page_on_tables_says(
    paths: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    add(paths, job(1), job(2))
    add(paths, job(3, EPOCH + DAY))
    names = {"address": paths.bucket}
    for kind in ("files-in-a-bucket", "run-polars"):
        (block,) = blocks(kind)
        exec(block, names)
    jobs = names["scan"]("jobs").collect()
    assert sorted(jobs["raw_job_id"]) == [1, 2, 3]
    assert "day" not in jobs.columns


#: What may be done with a place, each with a number.
DEEDS: dict[str, Callable[[Place, int], object]] = {
    "put": lambda place, number: place.put(f"jobs/{number}.parquet", b"%d" % number, no_step),
    "create": lambda place, number: place.create(numbered("commits", number), b"", no_step),
    "remove": lambda place, number: place.remove([f"jobs/{number}.parquet", "jobs/none.parquet"]),
    "remove a commit": lambda place, number: place.remove([numbered("commits", number)]),
    "list": lambda place, number: [entry.name for entry in place.entries("jobs")],
    "newest": lambda place, number: place.newest("commits"),
    "is there": lambda place, number: place.written_at(f"jobs/{number}.parquet") is not None,
    "read": lambda place, number: place.read(f"jobs/{number}.parquet"),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(1, 3)), max_size=12))
@settings(max_examples=12, deadline=None)
def test_whatever_is_done_with_a_bucket_and_with_a_directory_has_the_same_outcome(
    server: Server, tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, int]]
) -> None:
    places: tuple[Place, ...] = (
        Directory(tmp_path_factory.mktemp("tables") / "tables"),
        Bucket(f"s3://{server.new_bucket()}/a/b"),
    )
    for place in places:
        assert place.newest("commits") is None
        place.prepare()
    for deed, number in [*deeds, ("create", 1), ("create", 1)]:
        outcomes: list[object] = []
        for place in places:
            try:
                outcomes.append(DEEDS[deed](place, number))
            except FileNotFoundError:
                outcomes.append("none")
        assert outcomes[0] == outcomes[1], deed


def test_a_large_file_is_read_in_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "TAIL_BYTES", 700)
    rows = pa.table({"number": range(10_000), "text": [f"{n:x}" * 3 for n in range(10_000)]})
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, row_group_size=1_000)
    place = Bucket(f"s3://{name}/far")
    place.put("jobs/large.parquet", sink.getvalue().to_pybytes(), no_step)
    for buffered in (True, False):
        file = pq.ParquetFile(place.parquet("jobs/large.parquet"), pre_buffer=buffered)
        assert file.read(columns=["text"]).equals(rows.select(["text"]))
    with pytest.raises(FileNotFoundError):
        place.parquet("jobs/none.parquet")


@given(st.data())
def test_any_part_of_a_file_is_read_as_it_is(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30))
    positions = st.integers(0, size + 2)
    reads, tail = data.draw(st.lists(st.tuples(positions, positions), max_size=8)), data.draw(positions)
    content = bytes(range(100, 100 + size))
    whole = memoryview(content)
    file = ObjectFile(size, whole[max(size - tail, 0) :], lambda start, end: whole[start:end])
    for at, length in reads:
        assert file.seek(at) == at
        assert file.read(length) == content[at : at + length]
    assert file.seek(-1, io.SEEK_END) == size - 1
    assert (file.read(), file.tell()) == (content[-1:], size)


def test_what_is_done_at_once_comes_in_order_and_is_not_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "READERS", 3)
    begun: list[int] = []
    found = answers(Bucket("s3://none"), lambda item: begun.append(item) or item, range(40))
    for number in range(40):
        assert next(found) == number
        assert len(begun) <= number + 4
    assert next(found, None) is None
    with pytest.raises(ZeroDivisionError):
        list(answers(Bucket("s3://none"), lambda item: 1 // item, (1, 0, 1)))


def test_a_snapshot_can_be_handed_to_another_process(paths: StorePaths) -> None:
    add(paths, job(1), job(2, EPOCH + DAY))
    handed = pickle.loads(pickle.dumps(Tables(paths).snapshot()))
    assert ids(handed.read("jobs")) == [1, 2]


# --- One state or the other ------------------------------------------------------------------------------


def test_of_two_writers_that_began_at_once_one_wins_and_the_other_starts_anew(paths: StorePaths) -> None:
    one, two = begin(paths), begin(paths)
    for transaction, number in ((one, 1), (two, 2)):
        transaction.replace_day("jobs", day_of(EPOCH), from_rows("jobs", [job(number)]))
    one.commit()
    with pytest.raises(CommitLost, match=f"commit 1 of {paths.bucket}"):
        two.commit()
    assert ids(Tables(paths).snapshot().read("jobs")) == [1]


@pytest.mark.parametrize("kind", ["good", "careless"])
def test_writers_at_once_lose_nothing(server: Server, tmp_path: Path, kind: str) -> None:
    paths = StorePaths(tmp_path, f"s3://{server.new_bucket(kind)}", single_writer=True)
    prepare(paths)

    def write(first: int) -> None:
        for number in (first, first + 1):
            while True:
                try:
                    add(paths, job(number))
                    break
                except CommitLost:
                    continue

    writers = [threading.Thread(target=write, args=(first,)) for first in (1, 11, 21)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    snapshot = Tables(paths).snapshot()
    assert (snapshot.number, ids(snapshot.read("jobs"))) == (6, [1, 2, 11, 12, 21, 22])


def test_a_writer_killed_between_two_puts_leaves_the_old_state_or_the_new_one(
    server: Server, tmp_path: Path
) -> None:
    stores = [StorePaths(tmp_path, f"s3://{server.new_bucket()}/tables") for _ in range(8)]
    for paths in stores:
        prepare(paths)
        add(paths, job(1))
    states = killed_after_each_step(stores)
    assert set(states) == {0, signal.SIGKILL}
    found = [ids(Tables(paths).snapshot().read("jobs")) for paths in stores]
    assert found[0] == [1]
    for rows, state in zip(found, states, strict=True):
        assert rows == [1, 7, 8] if state == 0 else rows in ([1], [1, 7, 8])
    add(stores[3], job(9))
    assert ids(Tables(stores[3]).snapshot().read("jobs")) == sorted([*found[3], 9])


def test_a_commit_whose_answer_was_lost_is_made_once(server: Server, tmp_path: Path) -> None:
    paths = StorePaths(tmp_path, f"s3://{server.new_bucket('forgetful')}")
    prepare(paths)
    assert add(paths, job(1)).number == 1
    assert ids(Tables(paths).snapshot().read("jobs")) == [1]


# --- Sweeping --------------------------------------------------------------------------------------------


def test_a_reader_keeps_its_state_for_an_hour_and_then_the_files_are_gone(
    server: Server, name: str, paths: StorePaths
) -> None:
    add(paths, job(1), now=NOW)
    old = Tables(paths).snapshot()
    (file,) = old.files("jobs")
    add(paths, job(2), now=NOW + HOUR)
    assert ids(old.read("jobs")) == [1]
    add(paths, job(3), now=NOW + 2 * HOUR)
    assert file.path not in server.names(name)
    with pytest.raises(StoreError, match="begin again"):
        Snapshot(paths, old.manifest).read("jobs")
    assert ids(Tables(paths).snapshot().read("jobs")) == [1, 2, 3]


def test_what_no_commit_names_is_removed_after_a_day_and_nothing_else_is(
    server: Server, name: str, paths: StorePaths
) -> None:
    old = add(paths, job(1))
    day = f"jobs/day={day_of(EPOCH).isoformat()}"
    place = Bucket(f"s3://{name}")
    left = [f"{day}/0123-2.parquet", "index/0123-2.json"]
    others = [f"{day}/4567-2.parquet", f"{day}/below/0123-2.parquet", "somebody/else.txt"]
    for each in [*left, *others]:
        place.put(each, b"", no_step)
    for each in [*left, *others[1:], *server.names(name)]:
        if each not in (others[0], numbered("commits", 1)):
            server.make_old(name, each)
    add(paths, job(2), now=NOW + 1)
    assert server.names(name) & {*left, *others} == set(others)
    assert MARK in server.names(name)
    assert ids(Snapshot(paths, old.manifest).read("jobs")) == [1]
    add(paths, job(3), now=NOW + 2)
    assert ids(Tables(paths).snapshot().read("jobs")) == [1, 2, 3]


def test_the_newest_of_many_commits_is_found_by_few_lists(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "PAGE", 3)
    place = Bucket(f"s3://{name}")
    assert place.newest("commits") is None
    for number in (0, *range(7, 300)):
        server.put(name, numbered("commits", number))
        if number in (0, 7, 8, 9, 10, 20, 50, 299):
            server.asked.clear()
            assert place.newest("commits") == number
    assert len(server.asked) < 18  # of 294 names, three in a page
    server.put(name, numbered("commits", 1_000))
    assert place.newest("commits") == 1_000


def test_commits_older_than_a_month_are_removed_and_younger_ones_and_the_mark_stay(
    server: Server, name: str, paths: StorePaths
) -> None:
    for number in range(4):
        add(paths, job(number), now=NOW + number * DAY)
    for number in (0, 1, 2):
        server.make_old(name, numbered("commits", number))
    assert add(paths, job(5), now=NOW + 5 * DAY).number == 5
    assert {each for each in server.names(name) if each.startswith("commits/")} == {
        numbered("commits", number) for number in (0, 3, 4, 5)
    }


# --- Servers that are not as they should be --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["careless", "simple"])
def test_where_a_server_gives_a_name_twice_only_a_single_writer_writes(
    server: Server, tmp_path: Path, kind: str
) -> None:
    bucket = f"s3://{server.new_bucket(kind)}"
    with pytest.raises(StoreError, match="single_writer = true"):
        prepare(StorePaths(tmp_path, bucket))
    with pytest.raises(StoreError, match="single_writer = true"):
        add(StorePaths(tmp_path, bucket), job(1))
    paths = StorePaths(tmp_path, bucket, single_writer=True)
    prepare(paths)
    one, two = begin(paths), begin(paths)
    for transaction, number in ((one, 1), (two, 2)):
        transaction.replace_day("jobs", day_of(EPOCH), from_rows("jobs", [job(number)]))
    one.commit()
    with pytest.raises(CommitLost):  # one after the other it is still told
        two.commit()
    assert ids(Tables(StorePaths(tmp_path, bucket)).snapshot().read("jobs")) == [1]


def test_doctor_looks_for_the_tables_where_they_are(paths: StorePaths) -> None:
    add(paths, job(1))
    found = {each.check: each for each in check_store(parse(configured(paths).read_text()))}
    assert (found["aggregated"].status, found["aggregated"].found) == (Status.OK, "commit 1")
    assert {"inbox", "quarantine"} < set(found)
    assert "tables" not in found


def complaint(paths: StorePaths, capsys: pytest.CaptureFixture[str], command: str = "jobs") -> str:
    """The one line that a command prints that fails."""
    more = ("--no-accounting",) if command == "aggregate" else ()
    assert run(command, "--config", str(configured(paths)), *more) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    return line


@pytest.mark.parametrize("command", ["jobs", "aggregate"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "NoSuchBucket: The specified bucket does not exist; make the bucket"),
        ("closed", "AccessDenied: 403 Forbidden; who writes must be allowed"),
        ("keyless", "Missing AccessKeyId; set AWS_ACCESS_KEY_ID"),
        ("nobody", "none in the environment, and this host has no role; set AWS_ACCESS_KEY_ID"),
        ("gone", "Connection refused; look whether the server answers at AWS_ENDPOINT_URL"),
    ],
)
def test_what_is_wrong_with_a_bucket_is_said_in_a_line(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    said: str,
    command: str,
) -> None:
    name = f"{kind}-{command}"
    if kind in ("keyless", "nobody"):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    if kind == "nobody":
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    if kind == "gone":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        monkeypatch.setattr(bucket_module, "RETRIES", {"max_retries": 1})
    line = complaint(StorePaths(tmp_path, f"s3://{name}"), capsys, command)
    assert line.startswith(f"sam-cluster: s3://{name}/commits")
    assert said in line


def test_a_bucket_without_tables_and_a_missing_library_say_what_to_do(
    server: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    paths = StorePaths(tmp_path, f"s3://{name}/typo")
    assert f"there are no tables in s3://{name}/typo" in complaint(paths, capsys)
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "sam_cluster.store.bucket")
    assert "sam-cluster[s3]" in complaint(paths, capsys)


def test_another_store_that_is_named_by_a_flag_has_its_own_tables(
    paths: StorePaths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(paths, job(1))
    other = StorePaths(tmp_path / "other")
    prepare(other)
    add(other, job(2))
    printed = []
    for store in (paths, other):
        words = ("jobs", "-j", "1,2", "--config", str(configured(paths)), "--format", "csv")
        run(*words, "--store", str(store.root))
        printed.append(capsys.readouterr().out.splitlines()[1].split(",")[:2])
    assert printed == [["lab", "1"], ["lab", "2"]]
