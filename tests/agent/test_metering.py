"""What the meter says of a run, through real processes, beside what the GPUs truly drew."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sam_cluster.core.model import Flag, Kind, Reason, Rung, Shard
from tests.agent.node import AgentNode, bounds_millijoules
from tests.agent.slurmd import HookRun
from tests.unit.simulated_node import energy_of

RUN_SECONDS = 3.0


def assert_true_energy(
    shard: Shard, node: AgentNode, gpus: list[int], prolog: HookRun, epilog: HookRun
) -> None:
    least, most = bounds_millijoules(node, gpus, prolog, epilog)
    assert least <= energy_of(shard) <= most, shard.boundaries
    assert {boundary.gpu_uuid for boundary in shard.boundaries} == {node.standin.uuid(gpu) for gpu in gpus}
    assert shard.reason is None


def test_square_waves_on_several_gpus_are_metered_to_half_a_percent(agent_node: AgentNode) -> None:
    node = agent_node
    for gpu, (low, high, period) in enumerate([(60, 310, 700), (90, 690, 1_100), (75, 620, 330)]):
        node.standin.square(gpu, low * 1000, high * 1000, period * 1000)
        node.standin.set_counter(gpu, step_us=100_000, phase_us=31_000 * gpu)
    prolog = node.prolog(7, "0,1,2")
    time.sleep(RUN_SECONDS)
    epilog = node.epilog(7, "0,1,2")
    assert_true_energy(node.wait_shard(), node, [0, 1, 2], prolog, epilog)


@pytest.mark.parametrize("ring", [0, 1], ids=["without the driver's ring", "with the driver's ring"])
def test_a_run_under_an_agent_that_is_there_already_is_as_true(
    make_node: Callable[..., AgentNode], ring: int
) -> None:
    node = make_node(gpus=2, supports_samples=ring)
    node.standin.constant(0, 500_000)
    node.prolog(6, "1")
    node.wait_agent()
    time.sleep(1)
    prolog = node.prolog(7, "0")
    time.sleep(1)
    node.standin.constant(0, 200_000)
    time.sleep(1)
    epilog = node.epilog(7, "0")
    assert_true_energy(node.wait_shard(), node, [0], prolog, epilog)


def test_a_gpu_without_the_counter_is_metered_by_its_power(make_node: Callable[..., AgentNode]) -> None:
    node = make_node(gpus=1, supports_energy=0)
    node.standin.constant(0, 400_000)
    prolog = node.prolog(7)
    time.sleep(RUN_SECONDS)
    epilog = node.epilog(7)
    shard = node.wait_shard()
    assert Flag.POWER_ONLY in shard.flags
    assert_true_energy(shard, node, [0], prolog, epilog)


def test_a_site_map_by_uuid_stands_above_the_order_of_nvml(make_node: Callable[..., AgentNode]) -> None:
    node = make_node(order=[3, 2, 1, 0])
    node.configure({index: node.standin.uuid(index) for index in range(4)})
    _assert_the_gpu_of_its_index(node, Rung.SITE_MAP)


def test_a_site_map_by_device_file_stands_above_the_order_of_nvml(
    make_node: Callable[..., AgentNode],
) -> None:
    node = make_node(order=[3, 2, 1, 0])
    node.configure({index: f"/dev/nvidia{index}" for index in range(4)})
    _assert_the_gpu_of_its_index(node, Rung.DEVICE_MINOR)


def _assert_the_gpu_of_its_index(node: AgentNode, rung: Rung) -> None:
    for gpu, power in enumerate((100, 200, 400, 700)):
        node.standin.constant(gpu, power * 1000)
    prolog = node.prolog(7, "1")
    time.sleep(2)
    epilog = node.epilog(7, "1")
    shard = node.wait_shard()
    assert [(gpu.uuid, gpu.rung) for gpu in shard.gpus] == [(node.standin.uuid(1), rung)]
    assert_true_energy(shard, node, [1], prolog, epilog)
    assert Flag.ASSUMED_GPU not in shard.flags


def test_the_uuids_of_slurm_25_11_name_the_gpus(make_node: Callable[..., AgentNode]) -> None:
    node = make_node(gpus=2, order=[1, 0])
    node.standin.constant(0, 600_000)
    devices = {"CUDA_VISIBLE_DEVICES": node.standin.uuid(0)}
    prolog = node.prolog(7, "0", **devices)
    time.sleep(1)
    epilog = node.epilog(7, "0", **devices)
    shard = node.wait_shard()
    assert [gpu.rung for gpu in shard.gpus] == [Rung.UUID]
    assert_true_energy(shard, node, [0], prolog, epilog)


def test_two_slices_of_a_gpu_are_its_parent_once(agent_node: AgentNode) -> None:
    node = agent_node
    slices = node.standin.set_mig(2, [3, 4])
    node.standin.constant(2, 500_000)
    prolog = node.prolog(7, "0,1", CUDA_VISIBLE_DEVICES=",".join(slices))
    time.sleep(1)
    epilog = node.epilog(7, "0,1", CUDA_VISIBLE_DEVICES=",".join(slices))
    shard = node.wait_shard()
    assert [(gpu.uuid, gpu.mig_uuid) for gpu in shard.gpus] == [(node.standin.uuid(2), s) for s in slices]
    assert [gpu.mig_slices for gpu in shard.gpus] == [3, 4]
    assert_true_energy(shard, node, [2], prolog, epilog)


def test_a_shared_gpu_has_common_boundaries_and_idle_time_is_known(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.constant(0, 300_000)
    first = [node.prolog(7)]
    node.wait_agent()
    second = [node.prolog(8)]
    time.sleep(1)
    first.append(node.epilog(7))
    time.sleep(0.5)
    second.append(node.epilog(8))
    node.wait_shards(2)
    node.wait_ended()
    third = [node.prolog(9)]
    time.sleep(0.5)
    third.append(node.epilog(9))
    shards = node.wait_shards(3)
    for shard, (prolog, epilog) in zip(shards, (first, second, third), strict=True):
        assert_true_energy(shard, node, [0], prolog, epilog)
    boundaries = sorted(
        (b for shard in shards for b in shard.boundaries), key=lambda b: b.uptime_microseconds
    )
    energies = [b.energy_millijoules for b in boundaries]
    assert energies == sorted(energies)  # type: ignore[type-var]
    assert len({b.segment for b in boundaries}) == 1
    ended, started = boundaries[3], boundaries[4]
    assert (ended.kind, started.kind) == (Kind.END, Kind.START)
    assert started.previous_uptime_microseconds == ended.uptime_microseconds
    assert started.previous_energy_millijoules == ended.energy_millijoules
    assert [b.previous_segment for b in boundaries[:2]] == [None, None]


def test_a_requeued_run_is_two_runs_though_its_first_epilog_counts_one_more(agent_node: AgentNode) -> None:
    node = agent_node
    first = node.prolog(7), (time.sleep(0.5), node.epilog(7, restart=1))[1]
    second = node.prolog(7, restart=1), (time.sleep(0.5), node.epilog(7, restart=1))[1]
    shards = node.wait_shards(2)
    assert [shard.key.restart for shard in shards] == [0, 1]
    for shard, (prolog, epilog) in zip(shards, (first, second), strict=True):
        assert_true_energy(shard, node, [0], prolog, epilog)


def test_epilogs_that_come_twice_or_late_change_nothing(agent_node: AgentNode) -> None:
    node = agent_node
    prolog = node.prolog(7)
    time.sleep(0.5)
    epilog = node.epilog(7)
    node.epilog(7)
    node.wait_shard()
    node.wait_ended()
    node.epilog(7)
    node.wait_ended()
    assert_true_energy(node.wait_shard(), node, [0], prolog, epilog)
    assert not list(node.spool.glob("journal/*.journal"))


def test_an_epilog_alone_gives_a_run_with_its_reason(agent_node: AgentNode) -> None:
    agent_node.epilog(7, "0,1")
    shard = agent_node.wait_shard()
    assert shard.reason is Reason.NO_PROLOG
    assert [gpu.reason for gpu in shard.gpus] == [Reason.NO_PROLOG] * 2


def test_let_go_of_nvml_a_gpu_can_be_reset_under_a_run(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.constant(0, 300_000)
    node.prolog(7)
    node.wait_agent()
    node.wait(node.standin.clients, "a client of NVML")
    time.sleep(1)
    assert node.command("release", "--wait", "20").returncode == 0
    assert not node.standin.clients()
    node.prolog(8)  # it does not open NVML again
    assert node.wait_agent()
    assert not node.standin.clients()


def test_a_release_that_a_hanging_call_keeps_says_so(agent_node: AgentNode) -> None:
    node = agent_node
    node.prolog(7)
    node.wait_agent()
    node.wait(node.standin.clients, "a client of NVML")
    node.standin.set_latency(None, "shutdown", 60_000_000)
    done = node.command("release", "--wait", "1")
    assert done.returncode == 1
    said = node.errors.read_text()
    assert "NVML is not let go of within 1 s: a call of the agent, process" in said
    assert said.endswith("has not come back: nvml\n")
    node.standin.set_latency(None, "shutdown", 0)
    assert node.command("release", "--wait", "20").returncode == 0
    assert not node.standin.clients()


def test_without_an_agent_there_is_nothing_to_let_go_of(agent_node: AgentNode) -> None:
    assert agent_node.command("release", "--wait", "1").returncode == 0
