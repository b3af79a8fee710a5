"""NVML let go of under a running measurement: a GPU can be reset, and the figure stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from sam_cluster.core.model import Flag, Kind, Quality
from sam_cluster.energy.quality import quality, run_flags

from .simulated_node import SimulatedNode, energy_of

WATTS = 300_000


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    node = SimulatedNode(tmp_path)
    for gpu in node.gpus:
        gpu.set_power(WATTS)
    node.prolog(1, "0,1")
    node.wait(100)
    return node


def release(node: SimulatedNode) -> None:
    node.deliver(node.event("release", 0))


@pytest.mark.parametrize("is_reset", [True, False])
def test_a_measurement_goes_on_after_a_release(node: SimulatedNode, is_reset: bool) -> None:
    node.wait(5)  # what was drawn since the last tick is read before NVML is let go of
    release(node)
    assert not node.readers.is_open
    state = node.meter.release_state
    assert state
    assert (state["asked"], state["done"]) == (node.clock.uptime_microseconds(), True)
    if is_reset:
        node.gpus[0].reset()
    node.wait(30)
    assert not node.readers.is_open
    node.wait(65)
    assert node.readers.is_open
    node.epilog(1)
    (shard,) = node.shards()
    truth = 2 * WATTS * 200
    assert energy_of(shard) == pytest.approx(truth, rel=0.05 if is_reset else 0)
    flags = run_flags(shard.flags, shard.boundaries) - {Flag.ASSUMED_GPU}
    assert flags == ({Flag.BRIDGED} if is_reset else set())
    assert quality(flags, known=True) is (Quality.ESTIMATED if is_reset else Quality.MEASURED)
    segments = [
        len({b.segment for b in shard.boundaries if b.gpu_uuid == gpu.info.uuid}) for gpu in node.gpus
    ]
    assert segments == ([2, 1, 0, 0] if is_reset else [1, 1, 0, 0])


def test_a_run_that_begins_and_ends_while_nvml_is_let_go_of_has_its_figure(node: SimulatedNode) -> None:
    release(node)
    node.wait(5)
    node.prolog(2, "2")
    node.wait(20)
    node.epilog(2, "2")
    assert not node.readers.is_open
    node.wait(60)
    (shard,) = node.shards()
    end = next(b for b in shard.boundaries if b.kind is Kind.END)
    assert abs(energy_of(shard) - 20 * WATTS) <= end.uncertainty_millijoules


def test_a_release_that_hangs_is_not_done_and_says_what_it_waits_for(node: SimulatedNode) -> None:
    node.readers.is_stuck = True
    release(node)
    state = node.meter.release_state
    assert state
    assert not state["done"]
    assert state["waits_for"] == ["nvml"]
    node.readers.is_stuck = False
    node.readers.close()
    assert node.meter.release_state == {**state, "done": True, "waits_for": []}


def test_an_end_just_before_a_release_is_read_before_it(node: SimulatedNode) -> None:
    """As a site's epilogs have it: ours, then one that resets the GPU."""
    node.wait(5)
    node.meter.event(node.event("epilog", 1))
    release(node)
    for gpu in node.gpus:
        gpu.reset()
    node.wait(2)
    (shard,) = node.shards()
    assert energy_of(shard) == 2 * WATTS * 105
    assert run_flags(shard.flags, shard.boundaries) == {Flag.ASSUMED_GPU}
    assert not node.readers.is_open


def test_a_gpu_that_does_not_answer_keeps_nvml_for_a_second_and_no_longer(node: SimulatedNode) -> None:
    node.readers.hanging = True
    node.meter.event(node.event("release", 0))
    for seconds, is_open in ((0.5, True), (0.6, False)):
        node.wait(seconds)
        assert node.readers.is_open == is_open
