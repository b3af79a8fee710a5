"""Requeues, a lost node, hooks that come twice, late or never, and hostile texts, on the real Slurm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sam_cluster.core.model import Flag, Reason, Shard
from tests.bench.metered import Figure, MeteredCluster
from tests.bench.metered.figures import energy_millijoules, figure
from tests.slurm.mishaps import EVIL, EVIL_IN_ACCOUNTING, LOST, Mishaps, play

pytestmark = pytest.mark.timeout(420)


@dataclass
class Told:
    """What happened, and what the tables say of it."""

    story: Mishaps
    metered: MeteredCluster
    rows: dict[str, dict[str, Any]]

    def row(self, name: str) -> dict[str, Any]:
        """A job in the tables, by what happened to it."""
        return self.rows[str(self.story.jobs[name])]

    def only_shard(self, name: str, restart: int, node: str) -> Shard:
        [shard] = self.story.shards_of(name)[restart, node]
        return shard

    def figures(self, name: str) -> dict[tuple[int, str], Figure]:
        """By restart count and node, of the runs that have both ends."""
        return {
            (run.prolog.restart, run.node.name): figure(name, [(run, self.story.shards[run.key])])
            for run in self.story.runs_of(name)
            if run.epilog is not None
        }  # fmt: skip


@pytest.fixture(scope="module")
def told(metered: MeteredCluster) -> Iterator[Told]:
    story = play(metered)
    metered.slurm.wait_accounted(story.jobs.values())
    metered.sam_cluster("aggregate")
    yield Told(story, metered, {row["job_id"]: row for row in metered.jobs("-S", "now-1hour")})


def test_a_requeued_run_is_two_runs_though_its_epilog_carries_the_next_count(told: Told) -> None:
    runs = told.story.runs_of("requeued")
    assert [(run.prolog.restart, run.epilog and run.epilog.restart) for run in runs] == [(0, 1), (1, 1)]
    assert_figures_hold(told, "requeued", {(0, "n1"), (1, "n1")})
    row = told.row("requeued")
    assert [run["restart"] for run in row["runs"]] == [0, 1]
    assert row["energy_millijoules"] == sum(run["energy_millijoules"] for run in row["runs"])
    assert (row["quality"], row["flags"]) == ("measured", [])


def test_a_run_on_a_lost_node_is_metered_until_that_is_back_beside_the_run_elsewhere(told: Told) -> None:
    assert told.story.states["lost"][LOST].startswith("down")
    [lost, elsewhere] = told.story.runs_of("lost")
    assert (lost.node.name, elsewhere.node.name) == (LOST, "n1")
    assert lost.epilog is not None and lost.epilog.began_us > elsewhere.prolog.began_us
    assert_figures_hold(told, "lost", {(0, LOST), (1, "n1")})
    row = told.row("lost")
    assert (row["state"], row["quality"]) == ("COMPLETED", "measured")
    assert [(run["restart"], run["nodes_metered"]) for run in row["runs"]] == [(0, 1), (1, 1)]


def test_an_epilog_that_comes_twice_changes_nothing(told: Told) -> None:
    job = told.story.jobs["twice"]
    epilogs = [record for record in told.metered.records(job) if record.hook == "epilog"]
    assert [record.exit_code for record in epilogs] == [0, 0, 0]
    assert told.story.shards_of("twice").keys() == {(0, "n3")}
    assert_figures_hold(told, "twice", {(0, "n3")})
    assert len(told.row("twice")["runs"]) == 1


def test_a_run_whose_epilog_is_late_ends_with_that_epilog(told: Told) -> None:
    [_, skipped, late] = told.metered.records(told.story.jobs["late"])
    assert skipped.exit_code is None and late.exit_code == 0 and late.began_us > skipped.began_us + 100_000
    assert_figures_hold(told, "late", {(0, "n3")})


def test_a_run_whose_epilog_never_came_ends_when_its_job_starts_there_again(told: Told) -> None:
    assert told.story.shards_of("never").keys() == {(0, "n1"), (1, "n1")}
    first, second = (told.only_shard("never", restart, "n1") for restart in (0, 1))
    assert set(first.flags) == {Flag.NO_END, Flag.EARLY_END}
    [run, _] = told.story.runs_of("never")
    at = first.boundaries[-1].uptime_microseconds
    assert run.prolog.began_us <= at <= run.prolog.began_us + 15_000_000
    said = energy_millijoules([first])
    drawn = run.drawn_millijoules(run.prolog.began_us, at)  # up to its last reading
    assert said is not None and abs(said - drawn) <= 0.2 * drawn / ((at - run.prolog.began_us) / 1e6)
    assert second.flags == ()
    row = told.row("never")
    assert row["quality"] == "lower_bound"
    assert [run["quality"] for run in row["runs"]] == ["lower_bound", "measured"]


def test_a_run_whose_prolog_never_came_has_no_figure_and_says_why(told: Told) -> None:
    shard = told.only_shard("no prolog", 0, "n3")
    assert (shard.flags, shard.reason, shard.boundaries) == ((Flag.NO_START,), Reason.NO_PROLOG, ())
    row = told.row("no prolog")
    assert (row["energy_millijoules"], row["energy_kwh"], row["quality"]) == (None, None, "unknown")
    assert row["reasons"] == ["no_prolog"]


def test_a_run_of_which_one_node_saw_no_prolog_is_a_lower_bound(told: Told) -> None:
    assert_figures_hold(told, "half a prolog", {(0, "n1")})
    row = told.row("half a prolog")
    [run] = row["runs"]
    assert (run["nodes_expected"], run["nodes_metered"], run["quality"]) == (2, 1, "lower_bound")
    assert row["energy_millijoules"] == energy_millijoules([told.only_shard("half a prolog", 0, "n1")])


@pytest.mark.parametrize("option", ["--comment", "--chdir", "--job-name"])
def test_a_hostile_text_changes_nothing(told: Told, option: str) -> None:
    [run] = told.story.runs_of(option)
    variables = run.prolog.variables
    assert option == "--job-name" or EVIL in "\0".join(variables.values())
    assert_figures_hold(told, option, {(0, run.node.name)})
    shard = told.only_shard(option, 0, run.node.name)
    assert (shard.user, shard.account, len(shard.gpus)) == ("carol", "vision", 1)
    row = told.row(option)
    assert (row["user"], row["account"], row["gpus"], row["state"]) == ("carol", "vision", 1, "COMPLETED")
    assert row["name"] == (EVIL_IN_ACCOUNTING if option == "--job-name" else "sbatch")


def test_a_hostile_name_does_not_reach_the_terminal(told: Told) -> None:
    table = told.metered.sam_cluster("jobs", "-S", "now-1hour").stdout
    assert len(table.splitlines()) == len(told.rows) + sum(
        len(row["runs"]) for row in told.rows.values() if len(row["runs"]) > 1
    ) + 2  # fmt: skip
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", table)


def test_all_nodes_are_at_rest_and_no_hook_failed_and_no_agent_complained(told: Told) -> None:
    assert set(told.story.states["over"].values()) == {"idle"}
    assert {record.exit_code for record in told.metered.records()} == {0, None}
    for node in told.metered.nodes.values():
        assert not node.errors.exists() or node.errors.read_text() == ""


def assert_figures_hold(told: Told, name: str, places: set[tuple[int, str]]) -> None:
    """Each run that has both ends is within bounds, and has one shard."""
    figures = told.figures(name)
    assert figures.keys() == places
    for place, found in figures.items():
        print(found)
        assert found.is_within_bounds, found
        assert len(told.story.shards_of(name)[place]) == 1
