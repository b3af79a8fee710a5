"""From the inbox to the tables: any order, any number, any death in between, the same rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.accounting.records import JobRecord
from sam_cluster.aggregate.flow import Outcome, aggregate
from sam_cluster.aggregate.wiring import LocalExecutor, open_executor
from sam_cluster.core.config import Config
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.model import Flag, Reason
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import rows_digest, to_rows
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables
from tests.strategies import (
    CLUSTER,
    DAY,
    EPOCH,
    HOUR,
    MINUTE,
    History,
    PlannedRun,
    Simulation,
    histories,
    put,
)

NOW = EPOCH + 60 * DAY
SECOND = 1_000_000
ROOT = Path(__file__).resolve().parents[2]
SYNCHRONOUS = LocalExecutor("synchronous")


@dataclass
class Recorded:
    """Accounting as it was recorded."""

    records: list[JobRecord]
    lacks: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def jobs(self, start_microseconds: int, end_microseconds: int) -> Iterable[JobRecord]:
        return [each for each in self.records if each.overlaps(start_microseconds, end_microseconds)]


def record(number: int, start: int, end: int | None, **more) -> JobRecord:
    fields = {
        "cluster": CLUSTER, "job_id": str(number), "raw_job_id": number, "array_job_id": None,
        "array_task_id": None, "het_job_id": None, "het_offset": None, "job_name": f"train{number}",
        "user": f"user{number % 3}", "uid": 1000 + number % 3, "account": f"lab{number % 2}",
        "partition": "gpu", "qos": "normal", "state": "COMPLETED" if end else "RUNNING", "exit_code": "0:0",
        "restart_count": 0, "sluid": None, "submit": start - MINUTE, "eligible": start - MINUTE,
        "start": start, "end": end, "suspended_seconds": 0, "node_count": 1, "nodes": ("gpu00",), "gpus": 1,
        "gpu_shards": None, "alloc_tres": "gres/gpu=1",
    }  # fmt: skip
    return JobRecord(**{**fields, **more})


def accounting_of(history: History) -> Recorded:
    last = {run.job_id: run.restart for run in sorted(history.runs, key=lambda run: run.restart)}
    return Recorded([
        record(
            run.job_id,
            (EPOCH + run.start) // SECOND * SECOND,
            (EPOCH + run.end) // SECOND * SECOND,
            restart_count=run.restart,
            state="COMPLETED" if run.restart == last[run.job_id] else "REQUEUED",
            node_count=len({node for node, _ in run.gpus}),
            gpus=len(run.gpus),
        )
        for run in history.runs
    ])


def run_aggregate(paths: StorePaths, *, now: int = NOW, accounting=None, executor=SYNCHRONOUS, **more) -> Outcome:
    return aggregate(
        paths, Config(cluster_name=CLUSTER), accounting=accounting, now_microseconds=now, executor=executor, **more
    )


def digests(paths: StorePaths) -> dict[str, str]:
    snapshot = Tables(paths).snapshot()
    return {table: rows_digest(snapshot.read(table)) for table in TABLES}


def rows(paths: StorePaths, table: str, **where) -> list[dict]:
    return to_rows(Tables(paths).snapshot().read(table, **where))


def in_inbox(paths: StorePaths) -> list[str]:
    return sorted(path.name for path in paths.inbox.rglob("*.parquet"))


def in_quarantine(paths: StorePaths) -> dict[str, str]:
    return {
        path.name.removesuffix(".reason.txt"): path.read_text()
        for path in paths.quarantine.glob("*.reason.txt")
    }


@given(histories(clock_steps=True), st.data())
@settings(max_examples=8, deadline=None)
def test_any_order_number_and_partition_of_the_shards_give_the_same_rows(tmp_path_factory, history, data) -> None:
    shards = Simulation(history).shards()
    for lost in data.draw(st.lists(st.sampled_from(shards), max_size=2)):
        shards = [shard for shard in shards if shard != lost or len(shards) == 1]
    accounting = accounting_of(history)
    once, often = (StorePaths(tmp_path_factory.mktemp("store")) for _ in range(2))
    for shard in shards:
        put(once, shard)
    run_aggregate(once, accounting=accounting)

    twice = data.draw(st.permutations([*shards, *data.draw(st.lists(st.sampled_from(shards), max_size=3))]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(twice)), min_size=1, max_size=4)))
    for begin, end in zip([0, *cuts], [*cuts, len(twice)], strict=True):
        for shard in twice[begin:end]:
            put(often, shard)
        run_aggregate(often, accounting=accounting)
    assert digests(often) == digests(once)
    assert in_inbox(once) == in_inbox(often) == []


@given(histories(max_runs=5))
@settings(max_examples=8, deadline=None)
def test_jobs_runs_hours_and_gaps_add_up_to_the_counters_to_the_millijoule(tmp_path_factory, history) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    simulation = Simulation(history)
    for shard in simulation.shards():
        put(paths, shard)
    assert run_aggregate(paths, accounting=accounting_of(history)).complete
    used = sum(row["energy_millijoules"] or 0 for row in rows(paths, "usage"))
    assert sum(row["energy_millijoules"] or 0 for row in rows(paths, "runs")) == used
    assert sum(row["energy_millijoules"] or 0 for row in rows(paths, "jobs")) == used
    between = sum(row["energy_millijoules"] or 0 for row in rows(paths, "gaps"))
    gpus = {gpu for run in history.runs for gpu in run.gpus}
    assert used + between == sum(sum(simulation.total(*gpu).values()) for gpu in gpus)


ONE_GPU = ((0, 0),)
DAY_LONG = PlannedRun(101, 0, 20 * HOUR, 30 * HOUR, ONE_GPU)  # over one midnight
AFTER = PlannedRun(102, 0, 40 * HOUR, 41 * HOUR, ONE_GPU)
HISTORY = History((DAY_LONG, AFTER))


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "store")


def put_all(paths: StorePaths, history: History = HISTORY) -> None:
    for shard in Simulation(history).shards():
        put(paths, shard)


def only(found: list[dict]) -> dict:
    (row,) = found
    return row


def test_a_run_of_two_days_is_one_run_with_the_energy_of_both(paths) -> None:
    put_all(paths)
    outcome = run_aggregate(paths, accounting=accounting_of(HISTORY))
    assert (outcome.shards, outcome.runs, outcome.jobs, outcome.duplicates) == (3, 2, 2, 0)
    run = only(rows(paths, "runs", raw_job_ids=[101]))
    hours = rows(paths, "usage", raw_job_ids=[101])
    assert len(hours) == 10
    assert run["energy_millijoules"] == sum(row["energy_millijoules"] for row in hours)
    assert (run["quality"], run["flags"], run["gpu_microseconds"]) == ("measured", [], 10 * HOUR)
    job = only(rows(paths, "jobs", raw_job_ids=[101]))
    assert (job["job_name"], job["user"], job["state"], job["run_ids"]) == ("train101", "user2", "COMPLETED", ["101.0"])
    gap = only(rows(paths, "gaps"))
    assert (gap["kind"], gap["from_at"], gap["to_at"]) == ("idle", EPOCH + 30 * HOUR, EPOCH + 40 * HOUR)


def test_a_part_that_has_not_come_leaves_a_lower_bound_and_an_unattributed_gap(paths) -> None:
    first, second, after = Simulation(HISTORY).shards()
    for shard in (first, after):
        put(paths, shard)
    run_aggregate(paths, accounting=accounting_of(HISTORY))
    run = only(rows(paths, "runs", raw_job_ids=[101]))
    assert (run["quality"], run["flags"], run["reasons"]) == ("lower_bound", ["part_missing"], ["no_shard"])
    assert only(rows(paths, "gaps"))["cause"] == "shard_missing"
    put(paths, second)
    run_aggregate(paths, accounting=accounting_of(HISTORY))
    assert only(rows(paths, "runs", raw_job_ids=[101]))["quality"] == "measured"
    assert only(rows(paths, "gaps"))["kind"] == "idle"


def test_a_run_that_goes_on_is_open_and_a_lower_bound(paths) -> None:
    put(paths, Simulation(HISTORY).shards()[0])
    running = Recorded([record(101, EPOCH + 20 * HOUR, None)])
    run_aggregate(paths, accounting=running)
    job = only(rows(paths, "jobs"))
    assert (job["state"], job["flags"], job["quality"]) == ("RUNNING", ["open"], "lower_bound")
    assert job["ended_at"] == EPOCH + DAY


def test_a_late_shard_writes_its_own_day_and_no_other(paths) -> None:
    history = History(tuple(PlannedRun(200 + n, 0, n * DAY + HOUR, n * DAY + 2 * HOUR, ONE_GPU) for n in range(8)))
    shards = Simulation(history).shards()
    for shard in shards[:3] + shards[4:]:
        put(paths, shard)
    run_aggregate(paths)
    before = set(paths.tables.rglob("*.parquet"))
    put(paths, shards[3])
    run_aggregate(paths)
    written = {path.parent.name for path in set(paths.tables.rglob("*.parquet")) - before}
    # The idle time after it was part of a longer one, which was filed under the next day.
    assert written == {"day=2026-03-04", "day=2026-03-05"}
    again = {path.parent for path in set(paths.tables.rglob("*.parquet")) - before}
    assert {path.parent.name for path in again if path.name == "day=2026-03-05"} == {"gaps"}


def test_what_is_no_shard_goes_to_quarantine_with_its_reason_and_costs_nothing_else(paths) -> None:
    put_all(paths)
    shard = Simulation(HISTORY).shards()[0]
    inbox = paths.inbox / "gpu00"
    (inbox / "77.0-1.0.parquet").write_bytes(b"PAR1 but torn")
    pq.write_table(pa.table({"a": [1]}), inbox / "78.0-1.0.parquet")
    (inbox / "notes.txt").write_text("hello")
    (inbox / "link.parquet").symlink_to("/etc/passwd")
    put(paths, replace(shard, node="gpu00"), change=lambda name: "79.0-1.0.parquet")
    (paths.inbox / "elsewhere").mkdir()
    path = put(paths, replace(shard, part=5))
    path.rename(paths.inbox / "elsewhere" / path.name)
    put(paths, replace(shard, part=6, ended_at_microseconds=-(10**15)))
    backwards = replace(shard.boundaries[1], energy_millijoules=-1)
    put(paths, replace(shard, part=7, boundaries=(*shard.boundaries, backwards)))
    (inbox / ".being-written.part").write_bytes(b"")
    outcome = run_aggregate(paths)
    assert (outcome.shards, outcome.quarantined, outcome.complete) == (3, 8, False)
    reasons = in_quarantine(paths)
    assert len(reasons) == 8
    assert all((paths.quarantine / name).is_symlink() or (paths.quarantine / name).exists() for name in reasons)
    assert "not a readable Parquet file" in reasons["gpu00.77.0-1.0.parquet"]
    assert "not a shard of sam-cluster" in reasons["gpu00.78.0-1.0.parquet"]
    assert "not a regular file" in reasons["gpu00.link.parquet"]
    assert "its name says otherwise" in reasons["gpu00.79.0-1.0.parquet"]
    assert (paths.quarantine / "gpu00.link.parquet").is_symlink()
    assert [path.name for path in paths.inbox.rglob("*") if path.is_file()] == [".being-written.part"]
    clean = StorePaths(paths.root.parent / "clean")
    put_all(clean)
    run_aggregate(clean)
    assert digests(clean) == digests(paths)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("at_once", [True, False])
def test_of_two_shards_of_one_name_the_larger_coverage_counts_in_any_order(paths, order, at_once) -> None:
    whole = Simulation(HISTORY).shards()[-1]
    cut = replace(whole, boundaries=whole.boundaries[:1], ended_at_microseconds=whole.ended_at_microseconds - 1)
    claims = (whole, cut)
    for which in order:
        put(paths, claims[which])
        if not at_once:
            run_aggregate(paths)
    run_aggregate(paths)
    run = only(rows(paths, "runs"))
    assert run["energy_millijoules"] == whole.boundaries[-1].energy_millijoules - whole.boundaries[0].energy_millijoules
    assert (run["flags"], run["quality"]) == (["conflict"], "estimated")
    assert len(in_quarantine(paths)) == 1
    assert only(rows(paths, "shards"))["ended_at"] == whole.ended_at_microseconds


def test_a_node_that_sent_nothing_leaves_a_lower_bound(paths) -> None:
    history = History((PlannedRun(103, 0, HOUR, 2 * HOUR, ((0, 0), (1, 0))),))
    put(paths, Simulation(history).shards()[0])
    run_aggregate(paths, accounting=accounting_of(history))
    run = only(rows(paths, "runs"))
    assert (run["nodes_expected"], run["nodes_metered"], run["quality"]) == (2, 1, "lower_bound")
    assert (run["flags"], run["reasons"]) == (["node_missing"], ["no_shard"])


def test_an_end_without_its_start_confirms_a_run_that_has_a_figure_and_is_unknown_by_itself(paths) -> None:
    whole = Simulation(HISTORY).shards()[-1]
    end = replace(
        whole,
        started_at_microseconds=whole.ended_at_microseconds + HOUR,
        ended_at_microseconds=whole.ended_at_microseconds + HOUR,
        boundaries=(),
        samples=(),
        flags=(Flag.NO_START,),
        reason=Reason.NO_PROLOG,
    )
    put(paths, end)
    run_aggregate(paths)
    run = only(rows(paths, "runs"))
    assert (run["energy_millijoules"], run["quality"]) == (None, "unknown")
    assert (run["flags"], run["reasons"]) == (["gpu_missing", "no_start"], ["no_prolog"])
    put(paths, whole)
    run_aggregate(paths)
    run = only(rows(paths, "runs"))
    assert (run["quality"], run["flags"], run["started_at"]) == ("measured", [], whole.started_at_microseconds)


def test_a_job_with_gpus_and_no_shard_is_there_without_a_figure_once_it_had_time_to_come(paths) -> None:
    put_all(paths)
    start = EPOCH + 35 * HOUR
    silent = record(150, start, start + HOUR)
    others = [record(151, start, start + HOUR, gpus=0), record(152, start, start), record(153, start, None)]
    accounting = Recorded([*accounting_of(HISTORY).records, silent, *others])
    run_aggregate(paths, accounting=accounting, now=start + HOUR + 59 * MINUTE)
    assert rows(paths, "jobs", raw_job_ids=range(150, 160)) == []
    run_aggregate(paths, accounting=accounting, now=start + 3 * HOUR)
    job = only(rows(paths, "jobs", raw_job_ids=range(150, 160)))
    assert (job["raw_job_id"], job["energy_millijoules"], job["quality"]) == (150, None, "unknown")
    assert (job["flags"], job["reasons"]) == (["no_shard"], ["no_shard"])
    assert {row["raw_job_id"] for row in rows(paths, "accounting")} == {101, 150, 151, 152, 153}


def test_a_requeued_job_is_the_sum_over_its_runs_and_one_of_them_missing_is_said(paths) -> None:
    runs = [PlannedRun(104, restart, (1 + 2 * restart) * HOUR, (2 + 2 * restart) * HOUR, ONE_GPU) for restart in (0, 1)]
    history = History((PlannedRun(99, 0, 0, MINUTE, ONE_GPU), *runs))
    earlier, *shards = Simulation(history).shards()
    put(paths, earlier)
    put(paths, shards[1])
    run_aggregate(paths, accounting=accounting_of(history))
    job = only(rows(paths, "jobs", raw_job_ids=[104]))
    assert (job["run_ids"], job["quality"], job["flags"]) == (["104.1"], "lower_bound", ["no_shard"])
    put(paths, shards[0])
    run_aggregate(paths, accounting=accounting_of(history))
    job = only(rows(paths, "jobs", raw_job_ids=[104]))
    assert (job["run_ids"], job["quality"], job["flags"]) == (["104.0", "104.1"], "measured", [])
    energies = [run["energy_millijoules"] for run in rows(paths, "runs", raw_job_ids=[104])]
    assert job["energy_millijoules"] == sum(energies)
    assert (job["started_at"], job["gpu_microseconds"]) == (EPOCH + HOUR, 2 * HOUR)


@pytest.mark.parametrize("with_accounting", [True, False])
def test_a_job_number_that_is_used_again_is_another_job(paths, with_accounting) -> None:
    history = History((PlannedRun(105, 0, HOUR, 2 * HOUR, ONE_GPU), PlannedRun(105, 0, 50 * DAY, 50 * DAY + HOUR, ONE_GPU)))
    put_all(paths, history)
    accounting = accounting_of(history) if with_accounting else None
    run_aggregate(paths, accounting=accounting)
    found = rows(paths, "jobs")
    assert [job["started_at"] for job in found] == [EPOCH + HOUR, EPOCH + 50 * DAY]
    assert [job["job_id"] for job in found] == ["105", "105"]
    assert [job["flags"] for job in found] == [[] if with_accounting else ["no_accounting"]] * 2


def test_accounting_names_jobs_as_users_do(paths) -> None:
    put_all(paths)
    names = [
        record(101, EPOCH + 20 * HOUR, EPOCH + 30 * HOUR, job_id="90_7", array_job_id=90, array_task_id=7),
        record(102, EPOCH + 40 * HOUR, EPOCH + 41 * HOUR, job_id="102+1", het_job_id=102, het_offset=1),
    ]
    run_aggregate(paths, accounting=Recorded(names))
    assert [job["job_id"] for job in rows(paths, "jobs")] == ["90_7", "102+1"]


def test_shards_of_which_accounting_shows_nothing_are_a_problem_that_says_what_to_do(paths) -> None:
    put_all(paths)
    outcome = run_aggregate(paths, accounting=Recorded([]))
    assert not outcome.complete
    assert any("PrivateData=jobs" in problem for problem in outcome.problems)
    assert {job["user"] for job in rows(paths, "jobs")} == {"user0", "user2"}
    assert Tables(paths).snapshot().properties["problems"] == outcome.problems


def test_accounting_that_fails_keeps_no_energy_back_and_is_made_up_for_later(paths) -> None:
    class Broken(Recorded):
        def jobs(self, start_microseconds, end_microseconds):
            raise AccountingUnavailable("slurmdbd does not answer")

    put_all(paths)
    outcome = run_aggregate(paths, accounting=Broken([]))
    assert outcome.problems == ["accounting: slurmdbd does not answer"]
    assert [job["flags"] for job in rows(paths, "jobs")] == [["no_accounting"]] * 2
    assert run_aggregate(paths, accounting=accounting_of(HISTORY)).complete
    assert [job["flags"] for job in rows(paths, "jobs")] == [[], []]
    assert [job["job_name"] for job in rows(paths, "jobs")] == ["train101", "train102"]


def test_a_store_of_nothing_is_aggregated_to_empty_tables(paths) -> None:
    outcome = run_aggregate(paths)
    assert outcome == Outcome()
    assert set(digests(paths).values()) == {rows_digest(TABLES["jobs"].empty_table())}
    number = Tables(paths).snapshot().number
    run_aggregate(paths)
    assert Tables(paths).snapshot().number == number


def test_samples_are_kept_by_day_each_once(paths) -> None:
    shards = Simulation(HISTORY).shards()
    put_all(paths)
    run_aggregate(paths)
    put_all(paths)
    outcome = run_aggregate(paths)
    assert (outcome.shards, outcome.duplicates) == (0, 3)
    kept = rows(paths, "samples")
    assert len(kept) == sum(len(shard.samples) for shard in shards) == 13
    assert {row["at"] for row in kept} == {s.at_microseconds for shard in shards for s in shard.samples}


KILLED = """
import os, signal, sys
from pathlib import Path
from sam_cluster.store.paths import StorePaths
from tests.unit.test_aggregate import killed_after, run_aggregate

for steps, root in enumerate(sys.argv[1:]):
    child = os.fork()
    if not child:
        run_aggregate(StorePaths(Path(root)), step=killed_after(steps * 7))
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""


def killed_after(steps: int):
    def step(name: str) -> None:
        nonlocal steps
        if steps <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1

    return step


def test_an_aggregate_killed_at_any_step_and_run_again_ends_in_the_same_tables(tmp_path) -> None:
    history = History((replace(AFTER, gpus=((0, 0), (1, 1))),))
    clean = StorePaths(tmp_path / "clean")
    put_all(clean, history)
    taken: list[str] = []
    run_aggregate(clean, step=taken.append)
    stores = [StorePaths(tmp_path / str(steps)) for steps in range(len(taken) // 7 + 2)]
    for paths in stores:
        put_all(paths, history)
    command = [sys.executable, "-c", KILLED, *(str(paths.root) for paths in stores)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    states = [int(line) for line in ran.stdout.split()]
    assert set(states) == {0, signal.SIGKILL}
    assert len(set(map(len, map(in_inbox, stores)))) > 1
    for paths in stores:
        run_aggregate(paths)
        assert digests(paths) == digests(clean)
        assert in_inbox(paths) == []
        assert in_quarantine(paths) == {}


def test_two_aggregates_at_once_end_in_the_same_tables(tmp_path) -> None:
    history = History(tuple(PlannedRun(300 + n, 0, n * HOUR, (n + 3) * HOUR, ONE_GPU) for n in range(12)))
    clean, both = StorePaths(tmp_path / "clean"), StorePaths(tmp_path / "both")
    for paths in (clean, both):
        put_all(paths, history)
    run_aggregate(clean)
    with ThreadPoolExecutor() as pool:
        outcomes = [pool.submit(run_aggregate, both) for _ in range(2)]
        assert all(outcome.result().quarantined == 0 for outcome in outcomes)
    assert digests(both) == digests(clean)
    assert in_inbox(both) == []


def test_threads_and_a_cluster_give_what_one_thing_after_another_gives(tmp_path) -> None:
    history = History(tuple(PlannedRun(300 + n, 0, n * HOUR, (n + 3) * HOUR, ONE_GPU) for n in range(6)))
    found = []

    def through(executor) -> None:
        paths = StorePaths(tmp_path / str(len(found)))
        put_all(paths, history)
        heard: list[tuple[str, int, int]] = []
        run_aggregate(paths, executor=executor, progress=lambda *each: heard.append(each))
        assert ("shards", 1, 1) in heard
        found.append([file.digest for table in TABLES for file in Tables(paths).snapshot().files(table)])

    through(SYNCHRONOUS)
    with open_executor() as executor:
        through(executor)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        with open_executor(scheduler=cluster.scheduler_address) as executor:
            through(executor)
    assert found[0] == found[1] == found[2] != []
