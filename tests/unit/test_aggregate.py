"""From the inbox to the tables: any order, any number, any death in between, the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.flow import Outcome
from sam_cluster.cli.main import main
from sam_cluster.core.uncertainty import energy_by_model
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables
from tests.aggregating import (
    HISTORY,
    NOW,
    ONE_GPU,
    accounting_of,
    digests,
    in_inbox,
    put_all,
    rows,
    run_aggregate,
)
from tests.digests import rows_digest
from tests.simulated import Simulation, gpu_model, put
from tests.strategies import DAY, HOUR, History, PlannedRun, histories

ROOT = Path(__file__).resolve().parents[2]


def daily(days: int) -> History:
    return History(
        tuple(PlannedRun(200 + n, 0, n * DAY + HOUR, n * DAY + 2 * HOUR, ONE_GPU) for n in range(days))
    )


@given(histories(clock_steps=True), st.data())
@settings(max_examples=8, deadline=None)
def test_any_order_number_and_partition_of_the_shards_give_the_same_rows(
    tmp_path_factory, history, data
) -> None:
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
    bridged = sum(row["bridged_millijoules"] for row in rows(paths, "usage"))
    assert used - bridged + between == sum(sum(simulation.total(*gpu).values()) for gpu in gpus)
    restarts = {
        (node, gpu, at)
        for node, gpu, at in history.resets
        if any((node, gpu) in run.gpus and run.start < at < run.end for run in history.runs)
    }
    assert bridged == sum(simulation.bridged(*restart) or 0 for restart in restarts)


@given(histories(max_runs=5))
@settings(max_examples=8, deadline=None)
def test_what_sums_need_is_the_same_from_the_hours_the_runs_and_the_jobs(tmp_path_factory, history) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    for shard in Simulation(history).shards():
        put(paths, shard)
    run_aggregate(paths, accounting=accounting_of(history))
    hours, runs, jobs = (rows(paths, table) for table in ("usage", "runs", "jobs"))
    by_model = energy_by_model(hours)
    for sums in (runs, jobs):
        parts = [part for row in sums for part in row["energy_by_model"] or ()]
        assert energy_by_model(parts) == by_model
        assert sum(row["boundary_uncertainty_millijoules"] or 0 for row in sums) == sum(
            row["uncertainty_millijoules"] for row in hours if row["energy_millijoules"] is not None
        )
    assert set(by_model) <= {gpu_model(node) for node in range(2)}
    for row in [*runs, *jobs]:
        assert row["energy_millijoules"] is None or row["covered_microseconds"] <= row["held_microseconds"]
        if row["idle_microseconds"] is not None:
            assert 0 <= row["idle_microseconds"] <= row["held_microseconds"]
            assert 0 <= row["idle_energy_millijoules"] <= row["energy_millijoules"] + 1
        assert row["meters_ratio"] is None or 0.97 < row["meters_ratio"] <= 1
        if (power := row["power_energy_millijoules"]) is not None:
            counted = row["energy_millijoules"] - row["bridged_millijoules"]
            assert abs(power - counted - counted / 50) <= 200


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "store")


def test_a_late_shard_writes_its_own_day_and_no_other(paths) -> None:
    history = daily(8)
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


def test_no_figure_waits_for_samples(paths) -> None:
    """Their stage begins when the energy is committed, and none is there yet."""
    found: list[tuple[int, int]] = []

    def hear(stage: str, done: int, of: int) -> None:
        if stage == "shards read for their samples" and not done:
            found.append((len(rows(paths, "jobs")), len(rows(paths, "samples"))))

    put_all(paths)
    run_aggregate(paths, progress=hear)
    assert found[0] == (len(rows(paths, "jobs")), 0)
    assert found[0][0] > 0


def test_a_store_of_nothing_is_aggregated_to_empty_tables(paths) -> None:
    outcome = run_aggregate(paths)
    assert outcome == Outcome()
    assert set(digests(paths).values()) == {rows_digest(TABLES["jobs"].empty_table())}
    number = Tables(paths).snapshot().number
    run_aggregate(paths)
    assert Tables(paths).snapshot().number == number


def test_a_new_day_opens_no_file_of_days_long_past(paths) -> None:
    *history, last = Simulation(daily(9)).shards()
    for shard in history:
        put(paths, shard)
    run_aggregate(paths)
    for file in paths.tables.rglob("day=*/*.parquet"):
        if file.parent.name < "day=2026-03-08":
            file.write_bytes(b"nobody looks here")
    put(paths, last)
    assert run_aggregate(paths).shards == 1
    assert len(rows(paths, "usage", start_microseconds=last.started_at_microseconds)) == 1


def test_a_new_day_opens_nothing_of_months_long_past_not_even_what_lists_them(paths) -> None:
    days = (0, 40, 80, 120, 121)
    runs = (PlannedRun(200 + n, 0, n * DAY + HOUR, n * DAY + 2 * HOUR, ONE_GPU) for n in days)
    *history, last = Simulation(History(tuple(runs))).shards()
    for shard in history:
        put(paths, shard)
    run_aggregate(paths, now=NOW + 120 * DAY)
    snapshot = Tables(paths).snapshot()
    for table in ("shards", "readings", "usage", "runs", "jobs", "samples"):
        for month in sorted(snapshot.months(table))[:-2]:  # the one before is looked into, at most
            (paths.tables / "index" / snapshot.months(table)[month].name).write_bytes(b"nobody looks here")
    put(paths, last)
    assert run_aggregate(paths, now=NOW + 120 * DAY).shards == 1


def test_what_was_idle_before_a_start_depends_on_boundaries_days_before(paths) -> None:
    first, missing, last = Simulation(daily(6)).shards()[::2]
    for shard in (first, last):
        put(paths, shard)
        run_aggregate(paths)
    (gap,) = rows(paths, "gaps")
    assert (gap["kind"], gap["cause"]) == ("unattributed", "shard_missing")
    assert (gap["from_at"], gap["to_at"]) == (first.ended_at_microseconds, last.started_at_microseconds)
    unattributed = gap["energy_millijoules"]
    put(paths, missing)
    run_aggregate(paths)
    causes = [(gap["kind"], gap["cause"]) for gap in rows(paths, "gaps")]
    assert causes == [("unattributed", "shard_missing")] * 2
    used = sum(row["energy_millijoules"] for row in rows(paths, "usage", raw_job_ids=[202]))
    assert sum(gap["energy_millijoules"] for gap in rows(paths, "gaps")) + used == unattributed


def test_the_command_says_what_it_did_and_by_its_exit_code_whether_that_was_all(paths, capsys) -> None:
    command = ["aggregate", "--store", str(paths.root), "--no-accounting"]
    assert main(command, environ={}) == 1
    assert "there is no directory" in capsys.readouterr().err
    paths.root.mkdir()
    put_all(paths)
    assert main(command, environ={}) == 0
    told = capsys.readouterr()
    assert (told.out, "3 shards folded" in told.err) == ("", True)
    (paths.inbox / "gpu00" / "evil\x1b[31m.parquet").write_bytes(b"")
    assert main(command, environ={}) == 3
    told = capsys.readouterr().err
    assert "moved to quarantine" in told
    assert "\x1b" not in told


def test_idle_time_before_the_first_boundary_known_is_corrected_when_an_earlier_one_comes(paths) -> None:
    earlier, _, named, later = Simulation(daily(4)).shards()
    put(paths, later)
    run_aggregate(paths)
    (gap,) = rows(paths, "gaps")
    assert (gap["kind"], gap["from_at"]) == ("idle", named.ended_at_microseconds)
    put(paths, earlier)
    run_aggregate(paths)
    (gap,) = rows(paths, "gaps")
    assert (gap["cause"], gap["from_at"]) == ("shard_missing", earlier.ended_at_microseconds)
