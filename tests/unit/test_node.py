"""The agent's state machine: what a run's energy is when things go well, and when they do not."""

from __future__ import annotations

import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sam_cluster.agent.journal import Journal, encode
from sam_cluster.agent.ports import DriverError
from sam_cluster.agent.resume import left_behind
from sam_cluster.core.model import Flag, Kind, Reason, Rung, Shard
from sam_cluster.simulation.gpus import SimulatedGpu, SimulatedReaders

from .simulated_node import SECOND, SimulatedNode, energy_of, uuid_of


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    return SimulatedNode(tmp_path)


def test_a_run_has_the_energy_between_its_hooks_to_the_millijoule(node: SimulatedNode) -> None:
    node.prolog(7)
    before = node.gpus[0].energy_millijoules()
    node.gpus[0].set_power(300_000)
    node.wait(100)
    node.epilog(7)
    (shard,) = node.shards()
    assert energy_of(shard) == node.gpus[0].energy_millijoules() - before == 30_000_000
    assert [gpu.rung for gpu in shard.gpus] == [Rung.ASSUMED_INDEX]
    assert shard.flags == (Flag.ASSUMED_GPU,)
    assert not node.meter.open_runs


def test_nvml_is_let_go_of_when_no_run_is_open(node: SimulatedNode) -> None:
    node.prolog(7)
    assert node.readers.is_open
    node.wait(5)
    node.epilog(7)
    assert not node.readers.is_open


def test_the_parts_of_a_day_add_up_to_the_run(node: SimulatedNode) -> None:
    node.prolog(7, "0,1")
    node.gpus[1].set_power(123_457)
    node.wait(26 * 3600)
    node.epilog(7, "0,1")
    shards = node.shards()
    assert [(shard.part, shard.final) for shard in shards] == [(0, False), (1, True)]
    assert sum(energy_of(shard) for shard in shards) == 26 * 3600 * (50_000 + 123_457)
    hours = [b for b in shards[0].boundaries if b.kind is Kind.HOUR]
    assert all(b.at_microseconds % (3600 * SECOND) == 0 for b in hours)


def test_killed_between_boundaries_the_energy_is_unchanged(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(30)
    node.kill_agent()
    node.gpus[0].set_power(200_000)
    node.pass_unwatched(1000)
    node.start_agent()
    node.wait(30)
    node.epilog(7)
    (shard,) = node.shards()
    assert energy_of(shard) == 30 * 50_000 + 1030 * 200_000
    assert Flag.INTERPOLATED not in shard.flags


def test_an_end_that_fell_into_an_outage_is_within_its_stated_uncertainty(node: SimulatedNode) -> None:
    node.prolog(7)
    node.gpus[0].set_power(300_000)
    node.wait(100)
    node.kill_agent()
    node.pass_unwatched(20)
    end = node.event("epilog", 7)
    truth = 120 * 300_000
    node.gpus[0].set_power(50_000)
    node.pass_unwatched(40)
    node.start_agent()
    node.deliver(end)
    (shard,) = node.shards()
    (last,) = [b for b in shard.boundaries if b.kind is Kind.END]
    assert Flag.INTERPOLATED in shard.flags
    assert abs(energy_of(shard) - truth) <= last.uncertainty_millijoules


def test_an_epilog_that_comes_again_changes_nothing(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(10)
    node.epilog(7)
    node.epilog(7)
    node.kill_agent()
    node.start_agent()
    node.epilog(7)
    assert len(node.shards()) == 1


def test_a_prolog_that_comes_again_changes_nothing(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(10)
    node.prolog(7)
    node.wait(10)
    node.epilog(7)
    (shard,) = node.shards()
    assert energy_of(shard) == 20 * 50_000


def test_a_requeued_run_is_paired_with_the_epilog_that_counts_one_more(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(10)
    node.epilog(7, restart=1)
    node.prolog(7, restart=1)
    node.wait(20)
    node.epilog(7, restart=1)
    first, second = node.shards()
    assert (first.key.restart, second.key.restart) == (0, 1)
    assert (energy_of(first), energy_of(second)) == (500_000, 1_000_000)


def test_an_epilog_without_a_prolog_gives_a_run_without_a_figure(node: SimulatedNode) -> None:
    node.epilog(9, "0,1")
    (shard,) = node.shards()
    assert shard.reason is Reason.NO_PROLOG
    assert shard.flags == (Flag.NO_START,)
    assert len(shard.gpus) == 2
    assert not shard.boundaries


def test_a_run_without_an_epilog_closes_at_its_last_reading_when_its_job_starts_anew(
    node: SimulatedNode,
) -> None:
    node.prolog(7)
    node.wait(60)
    node.prolog(7, restart=1)
    node.wait(10)
    node.epilog(7, restart=1)
    first, second = node.shards()
    assert Flag.NO_END in first.flags
    assert energy_of(first) == pytest.approx(60 * 50_000, abs=10 * 50_000)
    assert energy_of(second) == 10 * 50_000


def test_after_a_reboot_the_run_closes_at_its_last_reading(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(60)
    node.kill_agent()
    node.boot_id = "99999999-2222-3333-4444-555555555555"
    node.gpus[0].reset()
    node.start_agent()
    node.step()
    (shard,) = node.shards()
    assert Flag.NO_END in shard.flags
    assert energy_of(shard) == pytest.approx(60 * 50_000, abs=10 * 50_000)
    assert energy_of(shard) <= 60 * 50_000


def test_a_run_whose_step_daemon_is_gone_ends_when_it_went(node: SimulatedNode) -> None:
    node.prolog(7)
    node.live = {7}
    node.wait(130)
    node.live = set()
    node.wait(500)
    (shard,) = node.shards()
    assert Flag.NO_END in shard.flags
    assert energy_of(shard) == pytest.approx(130 * 50_000, abs=61 * 50_000)
    node.epilog(7)  # late: it only confirms
    assert len(node.shards()) == 1


def test_a_shared_gpu_is_metered_once_and_its_boundaries_are_common(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(10)
    node.prolog(8)
    node.wait(10)
    node.epilog(7)
    node.wait(10)
    node.epilog(8)
    first, second = node.shards()
    assert energy_of(first) == energy_of(second) == 20 * 50_000
    values = {b.uptime_microseconds: b.energy_millijoules for s in (first, second) for b in s.boundaries}
    assert sorted(values.values()) == [values[time] for time in sorted(values)]


def test_what_lies_between_runs_is_known_also_across_agents(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(10)
    node.epilog(7)
    node.kill_agent()
    node.pass_unwatched(100)
    node.start_agent()
    node.prolog(8)
    node.wait(10)
    node.epilog(8)
    start = next(b for s in node.shards() for b in s.boundaries if b.kind is Kind.START and s.key.job_id == 8)
    assert start.previous_segment == start.segment
    assert start.energy_millijoules - start.previous_energy_millijoules == 100 * 50_000


def run_over_a_reset(node: SimulatedNode) -> Shard:
    node.prolog(7)
    node.gpus[0].set_power(300_000)
    node.wait(95)
    node.gpus[0].reset()
    node.wait(95)
    node.epilog(7)
    (shard,) = node.shards()
    return shard


def test_what_a_counter_that_restarts_did_not_count_is_taken_from_power(node: SimulatedNode) -> None:
    shard = run_over_a_reset(node)
    assert Flag.BRIDGED in shard.flags
    assert Flag.COUNTER_RESET not in shard.flags
    assert energy_of(shard) == pytest.approx(190 * 300_000, abs=2)


def test_without_samples_of_power_it_is_missing(tmp_path: Path) -> None:
    node = SimulatedNode(tmp_path)
    node.gpus = [SimulatedGpu(gpu.info, node.clock, 50_000, ring_microseconds=None) for gpu in node.gpus]
    node.readers = SimulatedReaders(node.gpus)
    node.start_agent()
    shard = run_over_a_reset(node)
    assert Flag.COUNTER_RESET in shard.flags
    assert Flag.BRIDGED not in shard.flags
    assert energy_of(shard) == pytest.approx(190 * 300_000, abs=10 * 300_000)
    assert energy_of(shard) <= 190 * 300_000


def test_without_the_counter_the_integral_of_power_is_the_figure(node: SimulatedNode) -> None:
    node.gpus[0].has_counter = False
    node.prolog(7)
    node.wait(5)
    node.gpus[0].set_power(300_000)
    node.wait(100)
    node.epilog(7)
    (shard,) = node.shards()
    assert Flag.POWER_ONLY in shard.flags
    assert energy_of(shard) == pytest.approx(5 * 50_000 + 100 * 300_000, rel=0.001)


def test_nvml_that_hangs_for_a_minute_delays_the_figure_and_not_the_run(node: SimulatedNode) -> None:
    node.prolog(7)
    node.gpus[0].set_power(300_000)
    node.wait(104.5)
    node.readers.hanging = True
    node.epilog(7)
    node.gpus[0].set_power(50_000)
    node.wait(60)
    assert not node.shards()
    node.readers.hanging = False
    node.wait(20)
    (shard,) = node.shards()
    (last,) = [b for b in shard.boundaries if b.kind is Kind.END]
    assert abs(energy_of(shard) - 104_500 * 300) <= last.uncertainty_millijoules


def test_nvml_that_is_absent_gives_a_run_with_its_reason(node: SimulatedNode) -> None:
    node.readers.failing[None] = DriverError(Reason.NVML_ABSENT)
    node.prolog(7, "0,1")
    node.wait(60)
    node.epilog(7, "0,1")
    node.wait(20)
    (shard,) = node.shards()
    assert shard.reason is Reason.NVML_ABSENT
    assert [gpu.reason for gpu in shard.gpus] == [Reason.NVML_ABSENT] * 2


def test_one_gpu_that_fails_spoils_none_of_the_others(node: SimulatedNode) -> None:
    node.readers.failing[uuid_of(1)] = DriverError(Reason.GPU_LOST)
    node.prolog(7, "0,1,2,3")
    node.wait(60)
    node.epilog(7, "0,1,2,3")
    node.wait(200)
    (shard,) = node.shards()
    assert [gpu.reason for gpu in shard.gpus] == [None, Reason.GPU_LOST, None, None]
    assert energy_of(shard) == 3 * 60 * 50_000


def test_a_wall_clock_that_jumps_an_hour_changes_no_energy(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(60)
    node.clock.step_wall(3600 * SECOND)
    node.wait(60)
    node.epilog(7)
    (shard,) = node.shards()
    assert energy_of(shard) == 120 * 50_000
    assert Flag.CLOCK_STEPPED in shard.flags


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wall_clock_that_jumps_ends_no_run_before_its_time_limit(node: SimulatedNode, hours: int) -> None:
    begun = node.clock.now_microseconds() // SECOND
    limit = {"SLURM_JOB_START_TIME": str(begun), "SLURM_JOB_END_TIME": str(begun + 1_800)}
    node.prolog(7, **limit)  # type: ignore[arg-type]
    node.wait(300)
    node.clock.step_wall(hours * 3600 * SECOND)
    node.wait(900)
    node.epilog(7, **limit)  # type: ignore[arg-type]
    (shard,) = node.shards()
    assert energy_of(shard) == 1_200 * 50_000
    assert Flag.NO_END not in shard.flags


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_run_that_outlasts_its_time_limit_ends_by_the_clock_that_does_not_jump(
    node: SimulatedNode, hours: int
) -> None:
    begun = node.clock.now_microseconds() // SECOND
    node.clock.step_wall(hours * 3600 * SECOND)  # Slurm's controller and this node do not agree
    node.prolog(7, SLURM_JOB_START_TIME=str(begun), SLURM_JOB_END_TIME=str(begun + 600))
    node.wait(1_190)
    assert node.meter.open_runs
    node.wait(80)
    (shard,) = node.shards()
    assert Flag.NO_END in shard.flags


def test_an_epilog_taken_again_after_a_kill_does_not_end_the_run_that_followed(node: SimulatedNode) -> None:
    first = node.event("prolog", 7)
    node.clock.advance(10 * SECOND)
    ended = node.event("epilog", 7, restart=1)  # of a requeued run: it carries the next count
    node.clock.advance(5 * SECOND)
    second = node.event("prolog", 7, restart=1)
    node.deliver(first, ended, second)
    node.kill_agent()  # with the journal on disk, and the events not yet removed
    node.start_agent()
    node.deliver(first, ended, second)
    node.wait(100)
    node.epilog(7, restart=1)
    runs = {shard.key.restart: shard for shard in node.shards()}
    assert sorted(runs) == [0, 1]
    assert energy_of(runs[1]) == 100 * 50_000
    assert runs[1].ended_at_microseconds - runs[1].started_at_microseconds == 100 * SECOND


def test_an_agent_that_goes_on_with_a_run_never_holds_a_whole_day_of_samples(node: SimulatedNode) -> None:
    node.prolog(7)
    node.wait(30)
    (run,) = node.meter.open_runs
    (sample,) = run.last_samples.values()
    lines = [
        encode({"r": "sample", **asdict(replace(sample, uptime_microseconds=second * SECOND))})
        for second in range(20_000)
    ]
    node.kill_agent()
    with (node.directory / "journal" / f"{run.name}.journal").open("ab") as file:
        file.writelines(lines)
    tracemalloc.start()
    try:
        left = left_behind(Journal(str(node.directory / "journal")), lambda key, instant: False)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left.open[0].last_samples[sample.gpu_uuid].uptime_microseconds == 19_999 * SECOND
    assert most < sum(map(len, lines)) / 10


def test_a_run_whose_job_was_resized_ends_though_its_epilog_has_another_sluid(node: SimulatedNode) -> None:
    node.prolog(7, SLURM_JOB_SLUID="s0000000000001")
    node.wait(100)
    node.epilog(7, SLURM_JOB_SLUID="s0000000000002")
    node.gpus[0].set_power(300_000)
    node.prolog(8)
    node.wait(100)
    node.epilog(8)
    runs = {shard.key.job_id: shard for shard in node.shards()}
    assert energy_of(runs[7]) == 100 * 50_000
    assert energy_of(runs[8]) == 100 * 300_000  # and holds its GPU alone
    assert not {Flag.NO_END, Flag.NO_START} & {*runs[7].flags, *runs[8].flags}


def test_a_doubled_epilog_with_a_sluid_ends_no_later_run_of_its_job(node: SimulatedNode) -> None:
    node.prolog(7, SLURM_JOB_SLUID="s0000000000001")
    node.wait(100)
    node.epilog(7, restart=1, SLURM_JOB_SLUID="s0000000000001")
    node.prolog(7, restart=1, SLURM_JOB_SLUID="s0000000000002")
    node.wait(10)
    node.epilog(7, restart=1, SLURM_JOB_SLUID="s0000000000001")
    node.wait(90)
    node.epilog(7, restart=1, SLURM_JOB_SLUID="s0000000000002")
    assert [energy_of(shard) for shard in node.shards()] == [100 * 50_000, 100 * 50_000]
