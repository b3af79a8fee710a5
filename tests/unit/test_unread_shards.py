"""Shards whose GPUs could not be read, and shards that others contradict: their order changes no row."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.model import Flag, Reason, Shard
from sam_cluster.store.paths import StorePaths
from tests.aggregating import ONE_GPU, accounting_of, digests, only, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import DAY, HOUR, History, PlannedRun, histories


def unread(shard: Shard) -> Shard:
    """The shard as it is where NVML failed throughout."""
    boundaries = (
        replace(boundary, energy_millijoules=None, since_energy_millijoules=None)
        for boundary in shard.boundaries
    )
    return replace(shard, boundaries=tuple(boundaries), reason=Reason.NVML_FAILED)


def test_energy_around_a_day_that_could_not_be_read_is_kept_in_any_order(tmp_path: Path) -> None:
    before = PlannedRun(101, 0, HOUR, 2 * HOUR, ONE_GPU)
    over_midnight = PlannedRun(102, 0, 3 * HOUR, DAY + HOUR, ONE_GPU)
    first, early, late = Simulation(History((before, over_midnight))).shards()
    counter = (late.boundaries[-1].energy_millijoules or 0) - (first.boundaries[0].energy_millijoules or 0)
    for number, order in enumerate(permutations([first, unread(early), late])):
        paths = StorePaths(tmp_path / str(number))
        for shard in order:
            put(paths, shard)
            run_aggregate(paths)
        used = sum(row["energy_millijoules"] or 0 for row in rows(paths, "usage"))
        gap = only(rows(paths, "gaps"))
        assert gap["kind"] == "unattributed"
        assert used + gap["energy_millijoules"] == counter


def doubts(shard: Shard) -> st.SearchStrategy[list[Shard]]:
    """The shard, alone or beside others that claim to be it."""
    fewer = replace(shard, boundaries=shard.boundaries[:-1])
    other = replace(shard, user="somebody")
    late = replace(shard, boundaries=(), flags=(Flag.NO_START,), reason=Reason.NO_PROLOG)
    return st.sampled_from(
        [[shard], [shard], [unread(shard)], [shard, fewer], [shard, other, unread(shard)], [late, shard]]
    )


@given(histories(max_runs=4, clock_steps=True), st.data())
@settings(max_examples=8, deadline=None)
def test_shards_unread_or_in_doubt_give_the_same_rows_in_any_order(tmp_path_factory, history, data) -> None:
    shards = [each for shard in Simulation(history).shards() for each in data.draw(doubts(shard))]
    accounting = accounting_of(history)
    once, one_by_one = (StorePaths(tmp_path_factory.mktemp("store")) for _ in range(2))
    for shard in shards:
        put(once, shard)
    run_aggregate(once, accounting=accounting)
    order = data.draw(st.permutations(shards))
    cut = data.draw(st.integers(0, len(order)))
    for part in (order[:cut], order[cut:], order[:1]):
        for shard in part:
            put(one_by_one, shard)
        run_aggregate(one_by_one, accounting=accounting)
    assert digests(one_by_one) == digests(once)
    used = sum(row["energy_millijoules"] or 0 for row in rows(once, "usage"))
    assert used == sum(row["energy_millijoules"] or 0 for row in rows(once, "jobs"))


def test_a_sample_of_no_day_costs_the_samples_of_its_shard_and_no_figure(tmp_path: Path) -> None:
    runs = (PlannedRun(101, 0, HOUR, 2 * HOUR, ONE_GPU), PlannedRun(102, 0, 3 * HOUR, 4 * HOUR, ONE_GPU))
    good, bad = Simulation(History(runs)).shards()
    paths = StorePaths(tmp_path)
    put(paths, good)
    put(paths, replace(bad, samples=(replace(bad.samples[0], at_microseconds=2**62),)))
    outcome = run_aggregate(paths)
    assert outcome.quarantined == 1
    assert "outside the years" in outcome.problems[0]
    assert {row["run_id"] for row in rows(paths, "usage")} == {"101.0", "102.0"}
    assert {row["run_id"] for row in rows(paths, "samples")} == {"101.0"}


@pytest.mark.parametrize("by", [-3 * DAY, -DAY])
def test_what_lies_over_a_clock_that_was_set_back_by_days_is_the_same_in_any_order(
    tmp_path: Path, by: int
) -> None:
    runs = (
        PlannedRun(101, 0, 26 * HOUR, 27 * HOUR, ONE_GPU),
        PlannedRun(103, 0, 30 * HOUR, 31 * HOUR, ONE_GPU),
    )
    simulation = Simulation(History(runs, clock_steps=((0, 29 * HOUR, by),)))
    found = set()
    for number, order in enumerate(permutations(simulation.shards())):
        paths = StorePaths(tmp_path / str(number))
        for shard in order:
            put(paths, shard)
            run_aggregate(paths)
        found.add(digests(paths)["gaps"])
        told = [*rows(paths, "usage"), *rows(paths, "gaps")]
        assert sum(row["energy_millijoules"] for row in told) == sum(simulation.total(0, 0).values())
    assert len(found) == 1
