"""Segments under a run: a handle that is lost, a driver that is loaded anew, an agent that dies, and what is
known of the time in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from sam_cluster.agent.events import Event
from sam_cluster.core.model import Flag, Reason, Shard
from sam_cluster.simulation.gpus import SimulatedReaders

from .simulated_node import SECOND, SimulatedNode, energy_of
from .waves import MILLIWATTS, WaveNode, constant, doubt_of, flags_of

#: So long NVML is let go of after a release.
RELEASED_SECONDS = 61


def release(node: SimulatedNode) -> None:
    at = node.clock
    node.deliver(
        Event("r", "release", at.uptime_microseconds(), at.now_microseconds(), node.boot_id, environ={})
    )


def finish(node: SimulatedNode, seconds: float, patience_seconds: float = 2) -> Shard:
    node.wait(seconds)
    node.epilog(7)
    node.wait(patience_seconds)
    (shard,) = node.shards()
    return shard


def of_segments(shard: Shard) -> int:
    return len({boundary.segment for boundary in shard.boundaries})


@pytest.mark.parametrize("is_reset", [True, False])
def test_after_a_release_a_large_counter_shows_whether_it_went_on(tmp_path: Path, is_reset: bool) -> None:
    node = WaveNode(tmp_path, constant(300), base=10**9)
    node.prolog(7)
    node.wait(20)
    release(node)
    if is_reset:
        node.gpu.reset()
    shard = finish(node, RELEASED_SECONDS + 30)
    assert of_segments(shard) == (2 if is_reset else 1)
    truth = node.truth_of(shard)
    if is_reset:  # what was drawn up to the release, since the last reading, nobody has
        assert flags_of(shard) == {Flag.COUNTER_RESET}
        assert truth - 10 * 300 * MILLIWATTS <= energy_of(shard) <= truth
    else:
        assert flags_of(shard) == set()
        assert energy_of(shard) == pytest.approx(truth, abs=doubt_of(shard))


@pytest.mark.parametrize("is_reset", [True, False])
def test_after_a_release_a_small_counter_is_not_believed_where_power_says_nothing(
    tmp_path: Path, is_reset: bool
) -> None:
    node = WaveNode(tmp_path, constant(300), base=0, sample_us=None)
    node.prolog(7)
    node.wait(20)
    release(node)
    if is_reset:
        node.gpu.reset()
    shard = finish(node, RELEASED_SECONDS + 30)
    assert of_segments(shard) == 2
    assert flags_of(shard) == {Flag.COUNTER_RESET}
    lost = RELEASED_SECONDS * 300 * MILLIWATTS
    truth = node.truth_of(shard)
    assert truth - 1.2 * lost - doubt_of(shard) <= energy_of(shard) <= truth - 0.9 * lost + doubt_of(shard)


def test_a_run_goes_on_under_another_driver(tmp_path: Path) -> None:
    node = WaveNode(tmp_path, constant(300), base=10**9)
    node.prolog(7)
    node.wait(20)
    release(node)
    node.gpu.reset()
    node.readers.driver_version = "newer"
    shard = finish(node, RELEASED_SECONDS + 30)
    assert of_segments(shard) == 2
    assert flags_of(shard) == {Flag.COUNTER_RESET}
    truth = node.truth_of(shard)
    assert truth - 10 * 300 * MILLIWATTS <= energy_of(shard) <= truth


def test_a_gpu_that_is_lost_under_a_run_ends_it_there_and_is_no_more_than_that(tmp_path: Path) -> None:
    node = WaveNode(tmp_path, constant(300))
    node.prolog(7)
    node.wait(30.5)
    node.readers.failing[node.gpu.info.uuid] = Reason.GPU_LOST
    shard = finish(node, 30, patience_seconds=200)
    assert Flag.EARLY_END in shard.flags
    assert 20 * 300 * MILLIWATTS <= energy_of(shard) <= 30.5 * 300 * MILLIWATTS


@pytest.mark.parametrize("has_counter", [True, False])
def test_what_an_agent_that_dies_had_sampled_is_not_lost(tmp_path: Path, has_counter: bool) -> None:
    node = SimulatedNode(tmp_path)
    node.gpus[0].has_counter = has_counter
    node.gpus[0].set_power(300_000)
    node.prolog(7)
    node.wait(300)
    node.kill_agent()
    node.start_agent()
    node.step()
    shard = finish(node, 300)
    assert energy_of(shard) == pytest.approx(600 * 300_000, rel=0.001)
    assert (Flag.POWER_ONLY in shard.flags) != has_counter


def test_the_second_meter_is_null_where_the_agent_was_dead(tmp_path: Path) -> None:
    node = WaveNode(tmp_path, constant(300))
    node.prolog(7)
    node.wait(300)
    node.kill_agent()
    node.readers = SimulatedReaders([node.gpu])  # type: ignore[list-item]
    node.start_agent()
    shard = finish(node, 300)
    (end,) = [b for b in shard.boundaries if b.since_energy_millijoules is not None]
    assert end.since_power_millijoules is None
    assert flags_of(shard) == set()
    assert energy_of(shard) == pytest.approx(600 * 300 * MILLIWATTS, abs=doubt_of(shard))
    assert end.uptime_microseconds - (end.since_uptime_microseconds or 0) == 600 * SECOND
