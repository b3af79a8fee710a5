"""What becomes of shards, job numbers and accounting in each of the cases that a cluster knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.model import Flag, Reason
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.aggregating import (
    HISTORY,
    ONE_GPU,
    Recorded,
    accounting_of,
    digests,
    in_quarantine,
    only,
    put_all,
    record,
    rows,
    run_aggregate,
)
from tests.simulated import Simulation, put
from tests.strategies import DAY, EPOCH, HOUR, MINUTE, History, PlannedRun


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "store")


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
    assert (job["job_name"], job["user"], job["state"], job["run_ids"]) == (
        "train101",
        "user2",
        "COMPLETED",
        ["101.0"],
    )
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
    assert all(
        (paths.quarantine / name).is_symlink() or (paths.quarantine / name).exists() for name in reasons
    )
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
    cut = replace(
        whole, boundaries=whole.boundaries[:1], ended_at_microseconds=whole.ended_at_microseconds - 1
    )
    claims = (whole, cut)
    for which in order:
        put(paths, claims[which])
        if not at_once:
            run_aggregate(paths)
    run_aggregate(paths)
    run = only(rows(paths, "runs"))
    assert (
        run["energy_millijoules"]
        == whole.boundaries[-1].energy_millijoules - whole.boundaries[0].energy_millijoules
    )
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
    assert (run["quality"], run["flags"], run["started_at"]) == (
        "measured",
        [],
        whole.started_at_microseconds,
    )


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
    runs = [
        PlannedRun(104, restart, (1 + 2 * restart) * HOUR, (2 + 2 * restart) * HOUR, ONE_GPU)
        for restart in (0, 1)
    ]
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
    history = History(
        (PlannedRun(105, 0, HOUR, 2 * HOUR, ONE_GPU), PlannedRun(105, 0, 50 * DAY, 50 * DAY + HOUR, ONE_GPU))
    )
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


def test_a_gap_from_midnight_on_stays_when_the_day_before_is_divided_anew(tmp_path) -> None:
    """A run's part of one day is lost; then something comes that touches the day before it alone."""
    history = History(
        (
            PlannedRun(100, 0, 20 * HOUR, 26 * HOUR, ONE_GPU),
            PlannedRun(101, 0, 30 * HOUR, 31 * HOUR, ONE_GPU),
            PlannedRun(102, 0, 21 * HOUR, 22 * HOUR, ONE_GPU),
        )
    )
    shards = [s for s in Simulation(history).shards() if (s.key.job_id, s.part) != (100, 1)]
    late = [shard for shard in shards if shard.key.job_id == 102]
    at_once, in_turn = StorePaths(tmp_path / "at once"), StorePaths(tmp_path / "in turn")
    for shard in shards:
        put(at_once, shard)
    for shard in shards:
        if shard not in late:
            put(in_turn, shard)
    run_aggregate(in_turn)
    for shard in late:
        put(in_turn, shard)
    run_aggregate(at_once)
    run_aggregate(in_turn)
    assert [row["cause"] for row in rows(at_once, "gaps")] == ["shard_missing"]
    assert digests(in_turn) == digests(at_once)


def test_an_end_without_a_start_that_has_readings_all_the_same_is_no_more_than_a_run(paths) -> None:
    for shard in Simulation(HISTORY).shards():
        put(paths, replace(shard, flags=(Flag.NO_START,)))
    assert run_aggregate(paths).complete
    assert {tuple(row["flags"]) for row in rows(paths, "runs")} == {("no_start",)}
