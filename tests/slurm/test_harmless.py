"""Whatever is broken on a node, its jobs run as if nothing were, and nothing that was measured is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sam_cluster.core.model import Flag, Reason, Shard
from tests.bench.metered import Figure, MeteredCluster, NodeRun
from tests.bench.metered.figures import energy_millijoules, figure
from tests.slurm.faults import FAILING_GPU, Faulty, play

pytestmark = pytest.mark.timeout(420)

HOOK_SECONDS = 1.0
"""Far more than a hook takes on a busy machine, and far less than any of the faults lasts."""

WHOLE = ("spool read-only", "spool full", "spool removed", "store hangs", "store hung", "store away",
         "python is back")  # fmt: skip
INFERRED = ("nvml hangs", "python missing")
UNMEASURED = ("nvml absent", "one gpu fails")


@dataclass
class Seen:
    """What was done, and what the nodes and the tables say of it."""

    metered: MeteredCluster
    faulty: Faulty
    node_runs: list[NodeRun]
    shards: dict[tuple[int, int, str], list[Shard]]
    rows: dict[str, dict[str, Any]]

    def figures(self, fault: str) -> list[tuple[Figure, set[Flag]]]:
        """Of a fault's runs, with their flags."""
        found = []
        for run in self.node_runs:
            if run.prolog.job_id in self.faulty.jobs[fault]:
                shards = self.shards[run.key]
                flags = {flag for shard in shards for flag in shard.flags}
                found.append((figure(fault, [(run, shards)]), flags - {Flag.ASSUMED_GPU}))
        assert len(found) == len(self.faulty.jobs[fault])
        return found

    def only(self, fault: str) -> tuple[NodeRun, Shard, dict[str, Any]]:
        """The run, the shard and the row of a fault's single job."""
        [job] = self.faulty.jobs[fault]
        [run] = [run for run in self.node_runs if run.prolog.job_id == job]
        [shard] = self.shards[run.key]
        return run, shard, self.rows[str(job)]


@pytest.fixture(scope="module")
def seen(metered: MeteredCluster) -> Iterator[Seen]:
    faulty = play(metered)
    node_runs, shards = metered.node_runs(), metered.shards()
    metered.slurm.wait_accounted([job for jobs in faulty.jobs.values() for job in jobs])
    metered.sam_cluster("aggregate")
    rows = {row["job_id"]: row for row in metered.jobs("-S", "now-1hour")}
    yield Seen(metered, faulty, node_runs, shards, rows)


def test_every_job_runs_to_its_end_and_no_node_is_drained(seen: Seen) -> None:
    assert seen.faulty.jobs.keys() == {*WHOLE, *INFERRED, *UNMEASURED}
    states = seen.metered.slurm.job_states()
    assert {states[str(job)] for jobs in seen.faulty.jobs.values() for job in jobs} == {"COMPLETED"}
    assert seen.metered.slurm.node_states() == {"n1": "idle", "n2": "idle", "n3": "idle"}
    assert seen.metered.slurm.run("sinfo", "--list-reasons", "--noheader").stdout == ""
    assert "drain" not in seen.metered.slurm.layout.log("slurmctld").read_text(errors="replace").lower()


def test_no_hook_fails_and_none_delays_a_job(seen: Seen) -> None:
    records = seen.metered.records()
    jobs = [job for jobs in seen.faulty.jobs.values() for job in jobs]
    assert len(records) == 2 * len(jobs)
    assert {record.exit_code for record in records} == {0}
    slowest = max(records, key=lambda record: record.seconds)
    print(f"the slowest of {len(records)} hooks: {slowest.seconds:.2f} s")
    assert slowest.seconds < HOOK_SECONDS, slowest


@pytest.mark.parametrize("fault", WHOLE)
def test_a_run_is_whole_when_what_kept_it_on_the_node_is_mended(seen: Seen, fault: str) -> None:
    for found, flags in seen.figures(fault):
        print(found)
        assert found.is_within_bounds, found
        assert flags == set()


@pytest.mark.parametrize("fault", INFERRED)
def test_what_nobody_could_read_in_time_is_inferred_and_says_so(seen: Seen, fault: str) -> None:
    [(found, flags)] = seen.figures(fault)
    print(found)
    assert found.is_within_uncertainty, found
    assert flags == {Flag.INTERPOLATED}
    assert seen.only(fault)[2]["quality"] == "estimated"


def test_a_run_without_nvml_is_there_with_its_reason(seen: Seen) -> None:
    _, shard, row = seen.only("nvml absent")
    assert (shard.reason, shard.boundaries) == (Reason.NVML_ABSENT, ())
    assert [gpu.reason for gpu in shard.gpus] == [Reason.NVML_ABSENT] * 2
    assert (row["energy_millijoules"], row["quality"], row["reasons"]) == (None, "unknown", ["nvml_absent"])


def test_a_run_of_which_one_gpu_failed_has_the_energy_of_the_others_as_a_lower_bound(seen: Seen) -> None:
    run, shard, row = seen.only("one gpu fails")
    reasons = {gpu.uuid: gpu.reason for gpu in shard.gpus}
    assert reasons.pop(seen.faulty.failing_uuid) is Reason.NVML_FAILED
    assert len(reasons) == 3 and set(reasons.values()) == {None}
    assert run.epilog is not None
    begin, end = run.prolog.began_us, run.epilog.began_us
    drawn = [run.node.standin.truth_millijoules(gpu, begin, end) for gpu in range(4) if gpu != FAILING_GPU]
    measured, truth = energy_millijoules([shard]), float(sum(drawn))
    assert measured is not None and measured == row["energy_millijoules"]
    assert abs(measured - truth) <= 0.005 * truth + 0.2 * truth / run.seconds
    assert (row["quality"], row["reasons"]) == ("lower_bound", ["nvml_failed"])
    assert "gpu_missing" in row["flags"]


def test_the_agents_end_and_none_of_them_broke_down(seen: Seen) -> None:
    for node in seen.metered.nodes.values():
        assert node.agent_pids() == []
        assert not node.errors.exists() or "Traceback" not in node.errors.read_text()
