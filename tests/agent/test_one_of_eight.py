"""One bad GPU never spoils eight: each of NVML's codes, and calls that hang, on one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sam_cluster.core.model import Flag, Reason, Shard
from tests.agent.node import AgentNode, bounds_millijoules
from tests.agent.slurmd import HookRun
from tests.bench.powercap import Powercap

GPUS = 8
ILL = 3
DEVICES = ",".join(map(str, range(GPUS)))
HANG_US = 120_000_000


@pytest.fixture
def node(make_node: Callable[..., AgentNode]) -> AgentNode:
    node = make_node(gpus=GPUS)
    for gpu in range(GPUS):
        node.standin.constant(gpu, 100_000 + 50_000 * gpu)
    return node


def energies(node: AgentNode, shard: Shard) -> dict[int, int]:
    numbers = {node.standin.uuid(gpu): gpu for gpu in range(GPUS)}
    found: dict[int, int] = {}
    for boundary in shard.boundaries:
        energy, since = boundary.energy_millijoules, boundary.since_energy_millijoules
        if energy is not None and since is not None:
            gpu = numbers[boundary.gpu_uuid]
            found[gpu] = found.get(gpu, 0) + energy - since
    return found


def assert_true(node: AgentNode, shard: Shard, gpus: set[int], prolog: HookRun, epilog: HookRun) -> None:
    found = energies(node, shard)
    for gpu in gpus:
        least, most = bounds_millijoules(node, [gpu], prolog, epilog)
        assert least <= found[gpu] <= most, gpu


def reasons(shard: Shard) -> dict[str, Reason]:
    return {gpu.requested: gpu.reason for gpu in shard.gpus if gpu.reason}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, Reason.NVML_FAILED),
        (3, None),
        (10, Reason.NVML_HUNG),
        (13, None),
        (15, Reason.GPU_LOST),
        (16, Reason.GPU_LOST),
        (18, Reason.NVML_FAILED),
        (999, Reason.NVML_FAILED),
    ],
)
def test_each_code_on_one_gpu(node: AgentNode, code: int, reason: Reason | None) -> None:
    node.standin.set_error(ILL, "energy", code)
    prolog = node.prolog(7, DEVICES)
    node.wait_agent()
    time.sleep(3)
    epilog = node.epilog(7, DEVICES)
    shard = node.wait_shard()
    others = {*range(GPUS)} - {ILL}
    assert_true(node, shard, others, prolog, epilog)
    ill = node.standin.uuid(ILL)
    if reason is None:  # it is metered by its power
        assert {b.gpu_uuid for b in shard.boundaries if Flag.POWER_ONLY in b.flags} == {ill}
        assert_true(node, shard, {ILL}, prolog, epilog)
    else:
        assert reasons(shard) == {str(ILL): reason}
        assert ILL not in energies(node, shard)


def test_a_counter_that_is_gone_midway_is_followed_by_power(node: AgentNode) -> None:
    """Refused once it may be back; refused for good, the other meter takes over, and the gap is bridged."""
    node.configure(interval_seconds=0.5)
    prolog = node.prolog(7, DEVICES)
    node.wait_agent()
    node.wait(lambda: node.standin.calls("energy") >= GPUS, "a reading of each")
    time.sleep(1)
    node.standin.set_error(ILL, "energy", 3)
    time.sleep(5)
    epilog = node.epilog(7, DEVICES)
    shard = node.wait_shard()
    assert_true(node, shard, {*range(GPUS)} - {ILL}, prolog, epilog)
    mine = [b for b in shard.boundaries if b.gpu_uuid == node.standin.uuid(ILL)]
    assert {Flag.BRIDGED, Flag.POWER_ONLY} <= {flag for b in mine for flag in b.flags}
    figure = energies(node, shard)[ILL] + sum(b.bridged_millijoules or 0 for b in mine)
    truth = float(node.standin.truth_millijoules(ILL, prolog.began_us, epilog.ended_us))
    assert figure == pytest.approx(truth, rel=0.08)


@pytest.mark.parametrize("function", ["uuid", "enumeration"])
def test_a_gpu_that_hangs_while_nvml_is_opened(node: AgentNode, function: str) -> None:
    node.standin.set_latency(ILL, function, HANG_US)
    prolog = node.prolog(7, DEVICES)
    node.wait_agent()
    time.sleep(7)
    epilog = node.epilog(7, DEVICES)
    shard = node.wait_shard()
    assert_true(node, shard, {*range(GPUS)} - {ILL}, prolog, epilog)
    assert reasons(shard) == {str(ILL): Reason.NVML_HUNG}
    node.standin.set_latency(ILL, function, 0)


def test_a_driver_whose_lock_hangs_for_all(node: AgentNode) -> None:
    """From before the end of a run to after the begin of the next: no event waits, and no joule is lost."""
    first = node.prolog(7, DEVICES)
    node.wait_agent()
    node.wait(lambda: node.standin.calls("energy") >= GPUS, "a reading of each")
    time.sleep(1)
    node.standin.set_latency(None, "any", HANG_US)
    time.sleep(1.5)
    end, begin = node.epilog(7, DEVICES), node.prolog(8, DEVICES)
    node.wait(lambda: not node.waiting_events(), "the events to be taken")
    time.sleep(1.5)
    node.standin.set_latency(None, "any", 0)
    time.sleep(1)
    last = node.epilog(8, DEVICES)
    shards = node.wait_shards(2)
    for shard, prolog, epilog in ((shards[0], first, end), (shards[1], begin, last)):
        found = energies(node, shard)
        for gpu in range(GPUS):
            least, most = bounds_millijoules(node, [gpu], prolog, epilog)
            mine = [b for b in shard.boundaries if b.gpu_uuid == node.standin.uuid(gpu)]
            doubt = sum(b.uncertainty_millijoules for b in mine if Flag.INTERPOLATED in b.flags)
            assert least - doubt <= found[gpu] <= most + doubt


def test_what_the_agent_costs_and_what_the_host_draws_are_told(node: AgentNode, tmp_path: Path) -> None:
    tree = Powercap(tmp_path / "powercap", {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram"})
    tree.start_at("intel-rapl:0", tree.largest - 1_000_000)
    node.configure(powercap=tree.root)
    node.prolog(7, DEVICES, SLURM_JOB_CPUS_PER_NODE="16(x2)")
    node.wait_agent()
    tree.draw("intel-rapl:0", 400_000_000)
    tree.draw("intel-rapl:0:0", 50_000_000)
    time.sleep(2)
    assert " NVML calls (" in node.command("status").stdout
    node.epilog(7, DEVICES)
    shard = node.wait_shard()
    assert shard.host
    assert [domain.energy_millijoules for domain in shard.host.domains] == [400_000, 50_000]
    assert shard.cpus == 16
    cost = shard.agent_cost
    assert cost
    assert 0 < cost.cpu_microseconds < 10_000_000
    assert 5_000_000 < cost.resident_bytes < 100_000_000
    assert GPUS <= cost.nvml_calls <= node.standin.calls()
    assert 0 < cost.nvml_longest_microseconds <= cost.nvml_microseconds + 1_000_000
    assert cost.missed_ticks == 0
