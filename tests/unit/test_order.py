"""Where the wall clock tells another order than the one in which things were, and where two jobs claim a run:
the tables do not depend on what came first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from sam_cluster.core.model import Kind, Shard
from sam_cluster.store.paths import StorePaths
from tests.aggregating import ONE_GPU, digests, in_quarantine, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import DAY, EPOCH, HOUR, History, PlannedRun

Energies = dict[int | None, int]


def folded(root: Path, groups: Iterable[Sequence[Shard]]) -> StorePaths:
    """A store into which some shards came after the others."""
    paths = StorePaths(root)
    for group in groups:
        for shard in group:
            put(paths, shard)
        run_aggregate(paths)
    assert not in_quarantine(paths)
    return paths


def one_by_one(shards: Sequence[Shard]) -> list[Sequence[Shard]]:
    return [[shard] for shard in shards]


def energy(paths: StorePaths, table: str) -> int:
    return sum(row["energy_millijoules"] for row in rows(paths, table))


@pytest.mark.parametrize("by", [-100 * DAY, 3 * DAY])
def test_what_lies_over_a_clock_that_was_set_by_days_is_the_same_in_any_order(
    tmp_path: Path, by: int
) -> None:
    runs = (
        PlannedRun(101, 0, 26 * HOUR, 27 * HOUR, ONE_GPU),
        PlannedRun(103, 0, 30 * HOUR, 31 * HOUR, ONE_GPU),
        PlannedRun(105, 0, 32 * HOUR, 33 * HOUR, ONE_GPU),
    )
    simulation = Simulation(History(runs, clock_steps=((0, 29 * HOUR, by),)))
    shards = simulation.shards()
    found = set()
    for number, order in enumerate([(2, 1, 0), (1, 0, 2), (0, 2, 1)]):
        paths = folded(tmp_path / str(number), one_by_one([shards[at] for at in order]))
        found.add(digests(paths)["gaps"])
        assert energy(paths, "usage") + energy(paths, "gaps") == sum(simulation.total(0, 0).values())
    assert len(found) == 1


def test_the_boundary_before_is_found_by_uptime_among_days_that_were_shown_twice(tmp_path: Path) -> None:
    # The clock goes back by a hundred days at 50 hours: 105 and 107 are filed long before 101 and 103, and
    # 109, after the clock was set right again, beside them.
    runs = [PlannedRun(101 + 2 * n, 0, at * HOUR, (at + 1) * HOUR, ONE_GPU) for n, at in enumerate(
        (20, 45, 60, 90, 120)
    )]  # fmt: skip
    steps = ((0, 50 * HOUR, -100 * DAY), (0, 100 * HOUR, 100 * DAY))
    simulation = Simulation(History(tuple(runs), clock_steps=steps))
    shards = simulation.shards()
    at_once = folded(tmp_path / "once", [shards])
    assert [row["cause"] for row in rows(at_once, "gaps")] == [None] * 4
    for number, order in enumerate([(4, 0, 2, 1, 3), (3, 1, 4, 0, 2)]):
        paths = folded(tmp_path / str(number), one_by_one([shards[at] for at in order]))
        assert digests(paths) == digests(at_once)
    assert energy(at_once, "usage") + energy(at_once, "gaps") == sum(simulation.total(0, 0).values())


def test_what_lies_over_a_clock_that_was_not_set_yet_is_the_same_in_any_order(tmp_path: Path) -> None:
    runs = (PlannedRun(101, 0, HOUR, 2 * HOUR, ONE_GPU), PlannedRun(103, 0, 5 * HOUR, 6 * HOUR, ONE_GPU))
    simulation = Simulation(History(runs, clock_steps=((0, -HOUR, -EPOCH), (0, 4 * HOUR, EPOCH))))
    unset, was_set = simulation.shards()
    assert unset.started_at_microseconds == HOUR
    found = set()
    for number, order in enumerate(permutations([unset, was_set])):
        paths = folded(tmp_path / str(number), one_by_one(order))
        found.add(digests(paths)["gaps"])
        assert energy(paths, "usage") + energy(paths, "gaps") == sum(simulation.total(0, 0).values())
    assert len(found) == 1


def test_of_two_jobs_that_claim_one_run_each_has_its_own_part_and_no_joule_is_there_twice(
    tmp_path: Path,
) -> None:
    simulation = Simulation(History((PlannedRun(101, 0, 20 * HOUR, 30 * HOUR, ONE_GPU),)))
    first, second = (
        replace(shard, key=replace(shard.key, job_id=job_id, sluid="s0000000000ABC"))
        for shard, job_id in zip(simulation.shards(), (101, 102), strict=True)
    )
    assert (first.started_at_microseconds, first.part) != (second.started_at_microseconds, second.part)
    again = replace(first, key=second.key)  # the very same part, by another job's name
    found: dict[str, Energies] = {}
    for number, groups in enumerate(
        [[[first, second, again]], [[again], [first], [second]], [[second, first], [again]]]
    ):
        paths = folded(tmp_path / str(number), groups)
        jobs = {row["raw_job_id"]: row["energy_millijoules"] for row in rows(paths, "jobs")}
        found[str(digests(paths))] = jobs
        used = energy(paths, "usage")
        assert used == sum(jobs.values()) == energy(paths, "runs")
        assert used + energy(paths, "gaps") == sum(simulation.total(0, 0).values())
    ((jobs),) = found.values()
    ends = [[b.energy_millijoules for b in shard.boundaries] for shard in (first, second)]
    of_first = ends[0][-1] - ends[0][0]
    assert jobs[101] == pytest.approx(of_first / 2, abs=10)
    assert {b.kind for b in first.boundaries} == {Kind.START, Kind.HOUR}
