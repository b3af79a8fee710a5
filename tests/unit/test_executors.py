"""Wherever it is computed the tables are the same bytes, and a worker that dies costs nothing."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster import __version__
from sam_cluster.aggregate.fold import Batch, read_batch
from sam_cluster.aggregate.inbox import InboxFile
from sam_cluster.aggregate.samples import read_samples
from sam_cluster.aggregate.spread import workers
from sam_cluster.aggregate.spread.waiting import AHEAD, FIRST, MOST_THREADS, answers, threads_for
from sam_cluster.aggregate.spread.wiring import (
    FIRST_BATCHES,
    SHARDS_IN_A_TASK,
    Executor,
    LocalExecutor,
)
from sam_cluster.aggregate.spread.workers import open_executor
from sam_cluster.cli.main import main
from sam_cluster.core.errors import SchedulerError
from sam_cluster.store.paths import StorePaths
from tests.aggregating import ONE_GPU, SYNCHRONOUS, in_inbox, in_quarantine, put_all, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import HOUR, History, PlannedRun

CORES = len(os.sched_getaffinity(0))
#: Of one task, and its successor may take its time to come on a machine that is busy.
ONE_DEATH = {
    "distributed.scheduler.allowed-failures": 1,
    "distributed.deploy.lost-worker-timeout": "10 minutes",
}
#: More than are read before there are threads.
MANY = Simulation(
    History(
        tuple(
            PlannedRun(300 + n, 0, n * HOUR, (n + 1) * HOUR, ONE_GPU) for n in range(sum(FIRST_BATCHES) + 5)
        )
    )
).shards()


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A worker in a process of its own; of one task it may die once, and no more."""
    with (
        dask.config.set(ONE_DEATH),
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL"
        ) as cluster,
    ):
        yield cluster


def tables(paths: StorePaths) -> dict[str, bytes]:
    """Every file below them; where the store lies is in the commit's problems only."""
    files = [path for path in paths.tables.rglob("*") if path.is_file()]
    root = str(paths.root).encode()
    return {str(path.relative_to(paths.root)): path.read_bytes().replace(root, b"STORE") for path in files}


def folded(
    root: Path, executor: Executor, progress: Callable[[str, int, int], None] = lambda *_: None
) -> StorePaths:
    """A store into which many shards were folded, and among them one that is torn."""
    paths = StorePaths(root)
    for shard in MANY:
        put(paths, shard)
    (paths.inbox / "gpu00" / "311-1772503200.7.parquet").write_bytes(b"PAR1 and no more")
    outcome = run_aggregate(paths, executor=executor, progress=progress, salt=lambda: "same")
    assert (len(outcome.problems), in_inbox(paths)) == (1, [])
    assert set(in_quarantine(paths)) == {"gpu00.311-1772503200.7.parquet"}
    return paths


def kill_once(root: Path, files: Sequence[InboxFile]) -> Batch:
    """Reads, but where nobody did before, the worker dies."""
    try:
        (root / "was here").touch(exist_ok=False)
    except FileExistsError:
        return read_batch(files)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


class DyingOnce:
    """An executor of which a worker dies with the first batch that it reads."""

    def __init__(self, executor: Executor, root: Path) -> None:
        self._executor, self._root = executor, root

    def map(self, function, items, done):
        return self._executor.map(
            partial(kill_once, self._root) if function is read_batch else function, items, done
        )


def test_the_tables_are_the_same_bytes_wherever_they_were_computed_and_whoever_died(
    tmp_path, cluster
) -> None:
    one_after_another = tables(folded(tmp_path / "one", SYNCHRONOUS))
    assert any("usage" in name for name in one_after_another)
    heard: list[tuple[str, int, int]] = []
    assert (
        tables(folded(tmp_path / "threads", LocalExecutor(), lambda *each: heard.append(each)))
        == one_after_another
    )
    read = [(done, of) for stage, done, of in heard if stage == "shards read"]
    assert read[0][0] == 0
    assert read == sorted(read)
    assert read[-1][0] == read[-1][1] == len(MANY) + 1
    with open_executor(store=tmp_path, scheduler=cluster.scheduler_address) as executor:
        dying = DyingOnce(executor, tmp_path)
        assert tables(folded(tmp_path / "workers", dying)) == one_after_another
    assert (tmp_path / "was here").exists()


def kill(_: Sequence[int]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_shards_that_every_worker_dies_of_are_an_error_in_a_line(tmp_path, cluster) -> None:
    with open_executor(store=tmp_path, scheduler=cluster.scheduler_address) as executor:
        with pytest.raises(SchedulerError, match="workers died one after another"):
            executor.map(kill, [1], lambda _: None)
        assert executor.map(sum, range(SHARDS_IN_A_TASK + 3), lambda _: None) == [
            sum(range(SHARDS_IN_A_TASK)), sum(range(SHARDS_IN_A_TASK, SHARDS_IN_A_TASK + 3))
        ]  # fmt: skip


#: Of tasks on workers that are threads of this process.
BEGAN, LEFT, BACK = threading.Event(), threading.Event(), threading.Event()


def read_when_workers_are_back(numbers: Sequence[int]) -> int:
    """The first that begins holds its worker until that is left; others hold theirs until it was seen."""
    if BEGAN.is_set():
        BACK.wait(30)
    BEGAN.set()
    LEFT.wait(30)
    return sum(numbers)


@pytest.mark.parametrize("others_come", [True, False])
def test_workers_that_all_went_away_are_waited_for_and_not_for_ever(
    others_come: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.2)
    heard: list[str | int] = []
    for event in (BEGAN, LEFT, BACK):
        event.clear()

    def hear(stage: str, done: int, of: int) -> None:
        heard.append(stage)
        if others_come:
            LEFT.set()
            cluster.scale(1)

    def done(shards: int) -> None:
        heard.append(shards)  # of 0 when there are workers again
        BACK.set()

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        executor = workers.ClusterExecutor(client, progress=hear, patience_seconds=60 if others_come else 0.3)
        asked = read_when_workers_are_back, range(SHARDS_IN_A_TASK + 1), done
        answer = pool.submit(executor.map, *asked)
        assert BEGAN.wait(30)
        cluster.scale(0)
        if others_come:
            assert answer.result(30) == [sum(range(SHARDS_IN_A_TASK)), SHARDS_IN_A_TASK]
            assert heard[0] == "waiting for workers"
            assert heard[-3:] == [0, SHARDS_IN_A_TASK, SHARDS_IN_A_TASK + 1]
        else:
            with pytest.raises(SchedulerError, match=r"in 0\.3 s none came; nothing is lost"):
                answer.result(30)
            assert set(heard) == {"waiting for workers"}
        LEFT.set()


def fail(_: Sequence[int]) -> None:
    raise TimeoutError(errno.ETIMEDOUT, "of a file server")


def test_a_task_that_a_time_ran_out_in_is_not_waited_for_again(tmp_path, cluster) -> None:
    with (
        open_executor(store=tmp_path, scheduler=cluster.scheduler_address) as executor,
        pytest.raises(TimeoutError, match="of a file server"),
    ):
        executor.map(fail, [1], lambda _: None)


class Blind:
    """An executor whose workers do not see the store while they do one thing."""

    def __init__(self, function: Callable, inbox: Path) -> None:
        self._function, self._inbox = function, inbox

    def map(self, function, items, done):
        if function is not self._function:
            return SYNCHRONOUS.map(function, items, done)
        self._inbox.rename(self._inbox.with_name("elsewhere"))
        try:
            return SYNCHRONOUS.map(function, items, done)
        finally:
            self._inbox.with_name("elsewhere").rename(self._inbox)


@pytest.mark.parametrize(("function", "shards"), [(read_batch, 0), (read_samples, 3)])
def test_workers_that_do_not_see_the_store_take_nothing_away_and_are_told_of(
    tmp_path, function, shards
) -> None:
    paths = StorePaths(tmp_path)
    put_all(paths)
    outcome = run_aggregate(paths, executor=Blind(function, paths.inbox))
    assert (outcome.shards, len(in_inbox(paths))) == (shards, 3)
    (problem,) = outcome.problems
    assert "workers did not find 3 shards" in problem
    assert run_aggregate(paths).complete
    assert (len(rows(paths, "shards")), len(rows(paths, "samples")), in_inbox(paths)) == (3, 13, [])


def test_workers_of_another_release_are_refused(tmp_path, cluster, monkeypatch, capsys) -> None:
    monkeypatch.setattr(workers, "__version__", "9.9.9")
    command = ["aggregate", "--store", str(tmp_path), "--no-accounting", "--scheduler"]
    assert main([*command, cluster.scheduler_address], environ={}) == 1
    assert f"has sam-cluster {__version__}, and this host 9.9.9" in capsys.readouterr().err


def test_a_scheduler_without_workers_or_that_is_not_there_is_said_in_a_line(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(workers, "WORKER_SECONDS", 0.1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for address in (f"tcp://127.0.0.1:{port}", f"tls://127.0.0.1:{port}", "nonsense://here"):
            command = ["aggregate", "--store", str(tmp_path), "--no-accounting", "--scheduler", address]
            assert main(command, environ={}) == 1
            (line,) = capsys.readouterr().err.splitlines()
            assert f"no Dask scheduler answers at {address}" in line
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty:
        command[-1] = empty.scheduler_address
        assert main(command, environ={}) == 1
    assert f"start some by `dask worker {command[-1]}`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_there_are_as_many_threads_as_wait_at_once_and_one_a_core_at_least(wall: float, cpu: float) -> None:
    threads = threads_for(wall, cpu)
    assert CORES <= threads <= max(CORES, MOST_THREADS)
    assert threads_for(wall * 2, cpu) >= threads
    if threads < max(CORES, MOST_THREADS):
        assert (threads + 0.5) * cpu >= CORES * wall


class Waiting:
    """Something that waits for each item, and knows how many waited at once."""

    def __init__(self) -> None:
        self._at_once, self.most, self._lock = 0, 0, threading.Lock()

    def batch(self, items: Sequence[int]) -> list[int]:
        with self._lock:
            self._at_once += 1
            self.most = max(self.most, self._at_once)
        time.sleep(0.002 * len(items))
        with self._lock:
            self._at_once -= 1
        return list(items)

    def item(self, item: int) -> int:
        return self.batch([item])[0]


def test_where_the_store_lets_threads_wait_there_are_many() -> None:
    batches, items, finished = Waiting(), Waiting(), list[int]()
    answered = LocalExecutor().map(batches.batch, range(1000), finished.append)
    assert [item for answer in answered for item in answer] == list(range(1000))
    assert answers(int, items.item, range(200)) == list(range(200))
    assert batches.most > 4 * CORES
    assert items.most > 4
    assert finished[-1] == 1000
    assert finished == sorted(finished)


def test_where_nothing_waits_there_are_no_more_threads_than_were() -> None:
    assert set(answers(int, lambda _: threading.get_ident(), range(100))) == {threading.get_ident()}


@given(st.integers(0, 3 * AHEAD))
def test_some_are_begun_before_the_first_is_finished_and_no_more_than_so_many(count: int) -> None:
    begun, finished, open_at_once = list[int](), list[int](), [0]

    def begin(item: int) -> int:
        begun.append(item)
        open_at_once.append(len(begun) - len(finished))
        return item

    assert answers(begin, lambda item: finished.append(item) or -item, range(count)) == [
        -item for item in range(count)
    ]
    assert begun == finished == list(range(count))
    assert max(open_at_once) == min(AHEAD + 1, max(count - FIRST, min(count, 1)))


def test_several_batches_begin_at_the_same_time_whatever_each_file_waits() -> None:
    together = threading.Barrier(2)  # broken after so many seconds, where one batch keeps the other waiting
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda batch: answers(int, lambda _: together.wait(20), batch), [range(FIRST)] * 2)
        assert [sorted(each) for each in zip(*found, strict=True)] == [[0, 1]] * FIRST
