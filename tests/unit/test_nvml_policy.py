"""The table of NVML's codes: its numbers are NVML's, and one GPU that is ill is dealt with alone."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from sam_cluster.agent import nvml_policy
from sam_cluster.agent.nvml_policy import POLICIES, driver_error
from sam_cluster.agent.ports import Remedy
from sam_cluster.core.model import Flag, Reason, Shard
from sam_cluster.simulation.gpus import SimulatedReaders
from tests.unit.simulated_node import SimulatedNode, uuid_of


def test_the_numbers_are_those_of_nvml() -> None:
    named = {name: value for name, value in vars(nvml_policy).items() if isinstance(value, int)}
    assert set(named.values()) == set(POLICIES)
    for name, value in named.items():
        assert value == getattr(pynvml, f"NVML_ERROR_{name}")


@pytest.mark.parametrize(
    ("code", "remedy", "reason"),
    [
        (3, Remedy.FALL_BACK, Reason.COUNTER_UNSUPPORTED),
        (13, Remedy.FALL_BACK, Reason.COUNTER_UNSUPPORTED),
        (10, Remedy.AGAIN, Reason.NVML_HUNG),
        (999, Remedy.AGAIN, Reason.NVML_FAILED),
        (15, Remedy.CLOSE, Reason.GPU_LOST),
        (16, Remedy.CLOSE, Reason.GPU_LOST),
        (1, Remedy.REOPEN, Reason.NVML_FAILED),
        (18, Remedy.REOPEN, Reason.NVML_FAILED),
        (12_345, Remedy.AGAIN, Reason.NVML_FAILED),
    ],
)
def test_what_is_done_about_a_code(code: int, remedy: Remedy, reason: Reason) -> None:
    error = driver_error(code)
    assert (error.remedy, error.reason) == (remedy, reason)


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    node = SimulatedNode(tmp_path, gpus=8)
    for number, gpu in enumerate(node.gpus):
        gpu.set_power((100 + 50 * number) * 1000)
    return node


def by_gpu(shard: Shard) -> dict[str, int]:
    energies: dict[str, int] = {}
    for boundary in shard.boundaries:
        since = boundary.since_energy_millijoules
        if boundary.energy_millijoules is not None and since is not None:
            counted = boundary.energy_millijoules - since
            energies[boundary.gpu_uuid] = energies.get(boundary.gpu_uuid, 0) + counted
    return energies


@pytest.mark.parametrize("code", [1, 10, 15, 16, 18, 999])
@pytest.mark.parametrize("since_the_start", [True, False])
def test_a_code_of_one_gpu_in_eight_costs_the_others_nothing(
    node: SimulatedNode, code: int, since_the_start: bool
) -> None:
    error = driver_error(code)
    if since_the_start:
        node.readers.failing[uuid_of(3)] = error
    node.prolog(1, ",".join(map(str, range(8))))
    node.wait(100)
    node.readers.failing[uuid_of(3)] = error
    node.wait(200)
    node.epilog(1)
    node.wait(130)
    (shard,) = node.shards()
    energies = by_gpu(shard)
    for number in {*range(8)} - {3}:
        assert energies[uuid_of(number)] == (100 + 50 * number) * 300 * 1000
    if since_the_start:
        assert uuid_of(3) not in energies
        (held,) = [gpu for gpu in shard.gpus if gpu.reason]
        assert (held.uuid, held.reason) == (uuid_of(3), error.reason)
    else:
        assert 0 < energies[uuid_of(3)] <= 250 * 100 * 1000
        assert Flag.EARLY_END in shard.flags


def test_nvml_that_is_ill_as_a_whole_is_opened_anew_until_it_is_well(node: SimulatedNode) -> None:
    node.prolog(1, ",".join(map(str, range(8))))
    node.wait(100)
    for number in range(8):
        node.readers.failing[uuid_of(number)] = driver_error(18)
    node.wait(60)
    node.readers.failing.clear()
    node.wait(60)
    node.epilog(1)
    node.wait(130)
    (shard,) = node.shards()
    assert by_gpu(shard) == {uuid_of(number): (100 + 50 * number) * 220 * 1000 for number in range(8)}
    assert not {Flag.EARLY_END, Flag.COUNTER_RESET, Flag.BRIDGED} & set(shard.flags)


class UnwellUntilOpened(SimulatedReaders):
    """Handles of a driver that was loaded anew: none is good before NVML was opened so many times more."""

    left = 3

    def open(self) -> None:
        super().open()
        if self.failing:
            self.left -= 1
        if not self.left:
            self.failing.clear()


def test_nvml_is_opened_as_often_as_it_takes(tmp_path: Path) -> None:
    node = SimulatedNode(tmp_path, gpus=8)
    node.readers = UnwellUntilOpened(node.gpus)
    node.start_agent()
    node.prolog(1, ",".join(map(str, range(8))))
    node.wait(100)
    node.readers.failing.update({uuid_of(number): driver_error(1) for number in range(8)})
    node.wait(100)
    node.epilog(1)
    (shard,) = node.shards()
    assert by_gpu(shard) == {uuid_of(number): 200 * 50_000 for number in range(8)}
