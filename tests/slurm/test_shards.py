"""Two users on one GPU of the real Slurm, by shards: what each used adds up to the device."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sam_cluster.core.model import Flag, ShareRule
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows
from sam_cluster.store.tables import Tables
from tests.bench.metered import MeteredCluster

pytestmark = pytest.mark.timeout(300)


@dataclass
class OnOneGpu:
    """Alice has one shard of a GPU for a while, Bob three of the same one within that time."""

    metered: MeteredCluster
    alice: int
    bob: int

    def usage(self, job: int) -> list[dict[str, Any]]:
        """The rows of the table."""
        snapshot = Tables(StorePaths(self.metered.store)).snapshot()
        return to_rows(snapshot.read("usage", raw_job_ids=[job]))

    def sums(self, job: int) -> tuple[int, int]:
        """Energy of the whole device while the job held it, and the job's part."""
        rows = self.usage(job)
        return tuple(  # type: ignore[return-value]
            sum(row[name] for row in rows) for name in ("device_energy_millijoules", "energy_millijoules")
        )


@pytest.fixture(scope="module")
def on_one_gpu(metered: MeteredCluster) -> Iterator[OnOneGpu]:
    slurm = metered.slurm
    on = ("--nodelist=n1",)
    others = slurm.submit("sleep 120", user="carol", gpus_per_node=3, extra=on)  # one GPU is left for shards
    slurm.wait_started(others)
    alice = slurm.submit("sleep 9", user="alice", gpus_per_node=0, extra=(*on, "--gres=shard:1"))
    slurm.wait_started(alice)
    bob = slurm.submit("sleep 3", user="bob", gpus_per_node=0, extra=(*on, "--gres=shard:3"))
    metered.wait_over(alice, bob)
    slurm.cancel(others)
    metered.wait_over(others)
    metered.wait_sealed()
    slurm.wait_accounted([alice, bob, others])
    yield OnOneGpu(metered, alice, bob)


def test_shares_are_equal_without_accounting_and_add_up_to_the_device(on_one_gpu: OnOneGpu) -> None:
    on_one_gpu.metered.sam_cluster("aggregate", "--no-accounting")
    device, alices = on_one_gpu.sums(on_one_gpu.alice)
    at_once, bobs = on_one_gpu.sums(on_one_gpu.bob)
    assert alices + bobs == device
    assert abs(2 * bobs - at_once) <= len(on_one_gpu.usage(on_one_gpu.bob))
    assert {row["share_rule"] for row in on_one_gpu.usage(on_one_gpu.bob)} == {ShareRule.EQUAL}


def test_with_accounting_each_has_the_part_of_its_shards(on_one_gpu: OnOneGpu) -> None:
    on_one_gpu.metered.sam_cluster("aggregate")
    alices, bobs = on_one_gpu.usage(on_one_gpu.alice), on_one_gpu.usage(on_one_gpu.bob)
    assert {row["gpu_uuid"] for row in alices} == {row["gpu_uuid"] for row in bobs}
    assert {row["share_rule"] for row in bobs} == {ShareRule.SHARDS}
    assert {tuple(row["flags"]) for row in bobs} == {(Flag.SHARED,)}
    device, alice = on_one_gpu.sums(on_one_gpu.alice)
    at_once, bob = on_one_gpu.sums(on_one_gpu.bob)
    assert alice + bob == device
    assert abs(bob - at_once * 3 / 4) <= len(bobs)
    jobs = on_one_gpu.metered.jobs("-S", "now-1hour")
    assert {row["job_id"]: row["energy_millijoules"] for row in jobs if row["user"] != "carol"} == {
        str(on_one_gpu.alice): alice,
        str(on_one_gpu.bob): bob,
    }


def test_the_ledger_of_every_gpu_closes_and_nothing_is_unattributed(on_one_gpu: OnOneGpu) -> None:
    done = on_one_gpu.metered.sam_cluster("ledger", "-S", "now-2hours", "-E", "now+1hour", "--format", "json")
    *gpus, total = json.loads(done.stdout)
    assert len(gpus) == 4
    assert all(row["closes"] and row["counter_millijoules"] > 0 for row in gpus)
    assert total["unattributed_millijoules"] == 0
    assert total["runs_millijoules"] == sum(row["runs_millijoules"] for row in gpus)
