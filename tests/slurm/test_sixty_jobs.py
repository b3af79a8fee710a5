"""Sixty jobs on the real Slurm: from sbatch to millijoules, without a joule twice or lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sam_cluster.core.model import Rung
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.bench.metered import Figure, MeteredCluster
from tests.bench.metered.figures import energy_millijoules
from tests.slurm.sixty import Submitted, Workload

pytestmark = pytest.mark.timeout(420)


@dataclass
class Sixty:
    """What was asked for, what the nodes told, and what the tables say."""

    metered: MeteredCluster
    submitted: list[Submitted]
    figures: dict[tuple[int, int], Figure]
    rungs: dict[str, set[Rung]]
    shard_millijoules: list[int | None]
    said: str
    """What `aggregate` wrote to standard error."""
    jobs: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def sixty(metered: MeteredCluster) -> Iterator[Sixty]:
    work = Workload(metered.slurm)
    work.run()
    metered.wait_sealed()
    shards = [shard for part in metered.shards().values() for shard in part]
    rungs: dict[str, set[Rung]] = {}
    for shard in shards:
        rungs.setdefault(shard.node, set()).update(gpu.rung for gpu in shard.gpus)
    figures = metered.figures()
    metered.slurm.wait_accounted(work.ids)
    said = metered.sam_cluster("aggregate").stderr
    jobs = {row["job_id"]: row for row in metered.jobs("-S", "now-1hour")}
    energies = [energy_millijoules([shard]) for shard in shards]
    yield Sixty(metered, work.jobs, figures, rungs, energies, said, jobs)


def test_every_run_is_within_half_a_percent_and_its_power_for_a_fifth_of_a_second(sixty: Sixty) -> None:
    figures = list(sixty.figures.values())
    by_seconds = max(figures, key=lambda figure: abs(figure.error_seconds))
    by_percent = max(figures, key=lambda figure: abs(figure.error_percent))
    print(f"{len(figures)} runs\nlargest in seconds: {by_seconds}\nlargest in percent: {by_percent}")
    assert len(figures) == sum(job.runs for job in sixty.submitted) == 64
    assert [str(figure) for figure in figures if not figure.is_within_bounds] == []
    assert [str(figure) for figure in figures if not figure.is_within_uncertainty] == []


def test_each_node_names_its_gpus_in_its_own_way(sixty: Sixty) -> None:
    assert sixty.rungs == {"n1": {Rung.SITE_MAP}, "n2": {Rung.DEVICE_MINOR}, "n3": {Rung.ASSUMED_INDEX}}


def test_each_of_sixty_jobs_is_there_as_its_user_names_it_and_as_it_ended(sixty: Sixty) -> None:
    assert len(sixty.submitted) == 60
    expected = {job.name: job for job in sixty.submitted}
    assert sixty.jobs.keys() == expected.keys()
    for name, row in sixty.jobs.items():
        job = expected[name]
        found = (row["user"], row["account"], row["nodes"], row["gpus"], row["state"], len(row["runs"]))
        assert found == (job.user, job.account, job.nodes, job.gpus, job.state, job.runs), name
        assert row["quality"] in ("measured", "estimated"), row
        assert {run["nodes_metered"] for run in row["runs"]} == {job.nodes}


def test_a_job_is_the_sum_of_its_runs_and_all_jobs_are_all_shards_to_the_millijoule(sixty: Sixty) -> None:
    for row in sixty.jobs.values():
        assert row["energy_millijoules"] == sum(run["energy_millijoules"] for run in row["runs"]) > 0
    assert None not in sixty.shard_millijoules
    total = sum(row["energy_millijoules"] for row in sixty.jobs.values())
    assert total == sum(energy for energy in sixty.shard_millijoules if energy is not None)
    assert total == sum(figure.measured_millijoules for figure in sixty.figures.values())


def test_each_run_in_the_tables_has_the_figure_of_its_shards(sixty: Sixty) -> None:
    runs = [run for row in sixty.jobs.values() for run in row["runs"]]
    assert {run["run_id"]: run["energy_millijoules"] for run in runs} == {
        f"{job}.{restart}": figure.measured_millijoules
        for (job, restart), figure in sixty.figures.items()
    }  # fmt: skip


def test_jobs_are_found_by_account_user_lab_and_number(sixty: Sixty) -> None:
    names = {}
    for account, users in (("vision", {"alice", "carol"}), ("nlp", {"bob"}), ("bio", {"carol"})):
        rows = sixty.metered.jobs("-S", "now-1hour", "-A", account)
        assert {row["user"] for row in rows} == users
        assert rows == sixty.metered.jobs("-S", "now-1hour", "--group", account)
        names[account] = {row["job_id"] for row in rows}
    assert names == {
        account: {job.name for job in sixty.submitted if job.account == account} for account in names
    }
    task = next(job.name for job in sixty.submitted if job.name.endswith("_4"))
    [row] = sixty.metered.jobs("-j", task)
    assert row["job_id"] == task
    array = sixty.metered.jobs("-j", task.partition("_")[0])
    assert len(array) == len([job for job in sixty.submitted if job.name.startswith(task[:-1])])


def test_runs_and_idle_time_of_each_gpu_add_up_to_what_its_counter_counted(sixty: Sixty) -> None:
    snapshot = Tables(StorePaths(sixty.metered.store)).snapshot()
    readings, usage, gaps = (snapshot.read(table).to_pylist() for table in ("readings", "usage", "gaps"))
    accounted: Counter[str] = Counter()
    for row in usage:
        accounted[row["gpu_uuid"]] += row["device_energy_millijoules"]
    for row in gaps:
        assert row["kind"] == "idle", row
        accounted[row["gpu_uuid"]] += row["energy_millijoules"]
    by_gpu: dict[str, list[dict[str, Any]]] = {}
    for row in readings:
        by_gpu.setdefault(row["gpu_uuid"], []).append(row)
    assert len(by_gpu) == 12
    for uuid, rows in by_gpu.items():
        assert len({row["segment"] for row in rows}) == 1
        first, last = (order(rows, key=lambda row: row["uptime_microseconds"]) for order in (min, max))
        # One after another, jobs hold a GPU whole, so that a GPU's energy is no more than the counter's.
        assert accounted[uuid] == last["energy_millijoules"] - first["energy_millijoules"]


def test_nothing_was_missing_and_nobody_complained(sixty: Sixty) -> None:
    told = re.match(r"(\d+) shards folded, 0 known before, 0 to quarantine", sixty.said)
    # Over a full hour there are readings of GPUs that nobody held, too.
    assert told and int(told[1]) >= len(sixty.shard_millijoules)
    again = sixty.metered.sam_cluster("aggregate").stderr
    assert again.startswith("0 shards folded")
    assert {record.exit_code for record in sixty.metered.records()} == {0}
    for node in sixty.metered.nodes.values():
        assert not node.errors.exists() or node.errors.read_text() == ""
        assert node.agent_pids() == []
