"""Energy beside the GPUs in the tables: a run's part of its nodes', in columns of its own, or a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sam_cluster.core.model import AgentCost, HostDomain, HostEnergy, Reason, Shard
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.shards import read_summary
from tests.aggregating import AFTER, DAY_LONG, HISTORY, Recorded, only, record, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import EPOCH, HOUR, History, PlannedRun

JOULE = 1_000
PACKAGES = (
    HostDomain(name="package-0", energy_millijoules=700 * JOULE),
    HostDomain(name="package-1", energy_millijoules=300 * JOULE),
)
NO_MEMORY = HostDomain(name="dram", reason=Reason.HOST_ABSENT)
NODE = HostEnergy(cpus=64, domains=(*PACKAGES, NO_MEMORY))
COST = AgentCost(
    cpu_microseconds=1, resident_bytes=2, nvml_calls=3, nvml_microseconds=4,
    nvml_longest_microseconds=5, missed_ticks=6,
)  # fmt: skip


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path)


def shards_of(history: History, **changes: object) -> list[Shard]:
    return [replace(shard, **changes) for shard in Simulation(history).shards()]  # type: ignore[arg-type]


def tables(paths: StorePaths, shards: Sequence[Shard], accounting: Recorded | None = None):
    for shard in shards:
        put(paths, shard)
    run_aggregate(paths, accounting=accounting)


def figures(paths: StorePaths, table: str, number: int) -> tuple[int | None, str, list[str]]:
    row = only([row for row in rows(paths, table) if row["raw_job_id"] == number])
    return row["host_energy_millijoules"], row["host_quality"], row["host_reasons"]


def accounted(cpus: int, nodes: int = 1) -> Recorded:
    tres = f"billing={cpus},cpu={cpus},gres/gpu=1,node={nodes}"
    start, end = EPOCH + AFTER.start, EPOCH + AFTER.end
    return Recorded([record(102, start, end, alloc_tres=tres, node_count=nodes)])


@pytest.mark.parametrize(
    ("changes", "accounting", "energy"),
    [
        ({"is_exclusive": True}, None, 1000),
        ({"is_exclusive": True, "cpus": 2}, accounted(2), 1000),
        ({"cpus": 16}, accounted(64), 250),
        ({"cpus": 128}, None, 1000),
        ({}, accounted(8), 125),
    ],
)
def test_a_run_has_its_part_by_the_cpus_it_held(
    paths: StorePaths, changes: dict[str, object], accounting: Recorded | None, energy: int
) -> None:
    tables(paths, shards_of(History((AFTER,)), host=NODE, **changes), accounting)
    for table in ("runs", "jobs"):
        assert figures(paths, table, 102) == (energy * JOULE, "estimated", [])


@pytest.mark.parametrize(
    ("host", "changes", "reason"),
    [
        (None, {"cpus": 16}, "host_off"),
        (NODE, {}, "host_share_unknown"),
        (HostEnergy(cpus=64, domains=(HostDomain(name="package", reason=Reason.HOST_ABSENT),)),
         {"cpus": 16}, "host_absent"),
        (HostEnergy(cpus=64, domains=(*PACKAGES[:1], HostDomain(name="package-1",
                                                                reason=Reason.HOST_UNREADABLE))),
         {"cpus": 16}, "host_unreadable"),
        (HostEnergy(cpus=64, domains=(*PACKAGES, HostDomain(name="package-0.dram",
                                                            reason=Reason.HOST_INTERRUPTED))),
         {"cpus": 16}, "host_interrupted"),
        (HostEnergy(cpus=64, domains=(*PACKAGES, HostDomain(name="package-2"))),
         {"cpus": 16}, "host_unreadable"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_null_with_its_reason(
    paths: StorePaths, host: HostEnergy | None, changes: dict[str, object], reason: str
) -> None:
    tables(paths, shards_of(History((AFTER,)), host=host, **changes))
    for table in ("runs", "jobs"):
        assert figures(paths, table, 102) == (None, "unknown", [reason])


def test_accounting_that_comes_later_gives_the_same(tmp_path: Path) -> None:
    shards, accounting = shards_of(History((AFTER,)), host=NODE), accounted(8)
    later, at_once = StorePaths(tmp_path / "later"), StorePaths(tmp_path / "at_once")
    tables(later, shards)
    run_aggregate(later, accounting=accounting)
    tables(at_once, shards, accounting)
    assert rows(later, "jobs") == rows(at_once, "jobs")
    assert figures(later, "jobs", 102)[0] == 125 * JOULE


def test_parts_nodes_and_runs_add_up_and_one_that_is_missing_leaves_no_figure(tmp_path: Path) -> None:
    over_two_nodes = PlannedRun(103, 0, 40 * HOUR, 41 * HOUR, ((0, 0), (1, 0)))
    again = replace(AFTER, restart=1, start=42 * HOUR, end=43 * HOUR)
    history = History((DAY_LONG, AFTER, again, over_two_nodes))
    shards = shards_of(history, host=NODE, cpus=32, nodes_expected=None)
    shards = [replace(s, nodes_expected=2 if s.key.job_id == 103 else 1) for s in shards]
    whole = StorePaths(tmp_path / "whole")
    tables(whole, shards)
    assert [figures(whole, "jobs", job)[0] for job in (101, 102, 103)] == [1_000 * JOULE] * 3
    for lost, job in ((101, 101), (103, 103)):
        partial = StorePaths(tmp_path / str(lost))
        first = next(shard for shard in shards if shard.key.job_id == lost)
        tables(partial, [shard for shard in shards if shard is not first])
        assert figures(partial, "jobs", job) == (None, "unknown", ["no_shard"])


def test_it_changes_nothing_of_the_energy_of_gpus(tmp_path: Path) -> None:
    with_host, without = StorePaths(tmp_path / "with"), StorePaths(tmp_path / "without")
    tables(with_host, shards_of(HISTORY, host=NODE, cpus=32))
    tables(without, shards_of(HISTORY))
    assert rows(with_host, "usage") == rows(without, "usage")
    for row, same in zip(rows(with_host, "jobs"), rows(without, "jobs"), strict=True):
        assert {k: v for k, v in row.items() if not k.startswith("host_")} == {
            k: v for k, v in same.items() if not k.startswith("host_")
        }


def test_what_the_agent_cost_is_in_the_table_of_shards(paths: StorePaths) -> None:
    (shard,) = shards_of(History((AFTER,)), agent_cost=COST, host=NODE, cpus=5)
    put(paths, shard)
    (file,) = paths.inbox.rglob("*.parquet")
    assert replace(read_summary(file)[0], samples=shard.samples) == shard
    run_aggregate(paths)
    row = only(rows(paths, "shards"))
    assert [row[name] for name in (
        "agent_cpu_microseconds", "agent_resident_bytes", "nvml_calls", "nvml_microseconds",
        "nvml_longest_microseconds", "missed_ticks", "cpus", "node_cpus",
    )] == [1, 2, 3, 4, 5, 6, 5, 64]  # fmt: skip
    assert row["host_domains"][-1] == {"name": "dram", "energy_millijoules": None, "reason": "host_absent"}


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_cost": replace(COST, nvml_calls=-1)},
        {"host": HostEnergy(cpus=2**40, domains=())},
        {"host": HostEnergy(cpus=1, domains=(HostDomain(name="package-0", energy_millijoules=-5),))},
        {"host": HostEnergy(cpus=1, domains=(HostDomain(name="p", energy_millijoules=10**15),) * 10_000)},
    ],
)
def test_a_shard_that_cannot_be_true_goes_to_quarantine(
    paths: StorePaths, changes: dict[str, object]
) -> None:
    tables(paths, shards_of(History((AFTER,)), **changes))
    assert rows(paths, "shards") == []
    assert list(paths.quarantine.iterdir())
