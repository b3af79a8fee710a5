"""Counter and power side by side: resets, seen and hidden, are bridged; a counter that lies is flagged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sam_cluster.core.model import Flag

from .simulated_node import SECOND, energy_of
from .waves import MILLIWATTS, WaveNode, constant, doubt_of, flags_of, steps

#: The waveforms are dear to compute.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
WAVEFORMS = st.one_of(
    st.integers(50, 650).map(constant),
    st.builds(steps, st.integers(50, 200), st.integers(200, 650), st.sampled_from([700_000, 3_400_000])),
)
SENSORS = st.fixed_dictionaries({
    "sensor_ppm": st.integers(950_000, 1_050_000),
    "step_us": st.sampled_from([20_000, 100_000]),
    "phase_us": st.integers(0, 99_999),
    "sample_us": st.sampled_from([100_000, None]),
})  # fmt: skip


@settings(max_examples=60, deadline=None, phases=NO_SHRINKING)
@given(WAVEFORMS, SENSORS, st.floats(0.5, 200), st.sampled_from([0, 30_000, 10**9]))
def test_an_honest_counter_is_never_flagged_and_never_said_to_restart(
    waveform, sensors, seconds, base
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = WaveNode(Path(directory), waveform, base=base, **sensors)
        shard = node.run(seconds)
    assert flags_of(shard) == set()
    assert abs(energy_of(shard) - node.truth_of(shard)) <= doubt_of(shard)


@settings(max_examples=40, deadline=None, phases=NO_SHRINKING)
@given(
    WAVEFORMS,
    SENSORS,
    st.floats(30, 200),
    st.sampled_from([0, 30_000, 10**9]),
    st.sampled_from([0, 2 * 10**6]),
)
def test_a_counter_that_is_frozen_or_of_double_speed_is_flagged_and_never_taken_for_restarts(
    waveform, sensors, seconds, base, counter_ppm
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = WaveNode(Path(directory), waveform, base=base, counter_ppm=counter_ppm, **sensors)
        shard = node.run(seconds)
    assert flags_of(shard) == {Flag.METERS_DISAGREE}
    (end,) = [b for b in shard.boundaries if b.since_energy_millijoules is not None]
    truth = node.truth_of(shard)
    off = end.since_power_uncertainty_millijoules + 1.1 * truth / 20 + 700 * MILLIWATTS // 10
    assert abs(end.since_power_millijoules - truth) <= off
    assert abs(energy_of(shard) - truth * counter_ppm / 10**6) <= 2 * doubt_of(shard)


@pytest.mark.parametrize("counter_ppm", [500_000, 800_000, 1_300_000])
def test_a_counter_of_another_speed_is_flagged_and_never_taken_for_restarts(tmp_path, counter_ppm) -> None:
    shard = WaveNode(tmp_path, constant(300), base=0, counter_ppm=counter_ppm).run(200)
    assert flags_of(shard) == {Flag.METERS_DISAGREE}


SPELLS = st.lists(st.tuples(st.integers(200, 650), st.floats(1, 25)), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None, phases=NO_SHRINKING)
@given(
    SPELLS,
    st.lists(st.floats(40, 70), max_size=3),
    st.sampled_from([30_000_000, 10**9, 0]),
)
def test_with_restarts_at_any_moment_the_figure_is_as_sure_as_it_says(spells, restarts, base) -> None:
    """Restarts are so far apart that each hides more than what steps and lags can explain."""
    with tempfile.TemporaryDirectory() as directory:
        node = WaveNode(Path(directory), constant(spells[0][0]), base=base)
        node.prolog(7)
        begun = node.clock.uptime_microseconds()
        events = [("power", watts, sum(s for _, s in spells[:n])) for n, (watts, _) in enumerate(spells)]
        events += [("reset", 0, sum(restarts[: n + 1])) for n in range(len(restarts))]
        for what, watts, after in sorted(events, key=lambda event: event[2]):
            node.wait(max((begun + round(after * SECOND) - node.clock.uptime_microseconds()) / SECOND, 0))
            node.gpu.reset() if what == "reset" else node.gpu.draw(constant(watts))
        node.wait(11)
        node.epilog(7)
        node.wait(2)
        (shard,) = node.shards()
    assert Flag.COUNTER_RESET not in shard.flags
    assert (Flag.BRIDGED in shard.flags) == bool(restarts)
    assert abs(energy_of(shard) - node.truth_of(shard)) <= doubt_of(shard), shard.boundaries


def test_a_restart_at_the_end_of_the_load_is_no_loss(tmp_path: Path) -> None:
    """CodeCarbon: 335 J for 2,155 J, for by the time it looks at the power the load is over."""
    node = WaveNode(tmp_path, constant(300))
    node.prolog(7)
    node.wait(6.9)
    node.gpu.reset()
    node.gpu.draw(constant(50))
    node.wait(1.7)
    node.epilog(7)
    node.wait(2)
    (shard,) = node.shards()
    assert node.truth_of(shard) == pytest.approx(2_155_000)
    assert energy_of(shard) == pytest.approx(2_155_000, rel=0.02)
    assert Flag.BRIDGED in shard.flags


def test_a_restart_that_hides_behind_its_old_value_is_found(tmp_path: Path) -> None:
    """Readings are 10 s apart: by the next one the counter has overtaken what it showed at the last."""
    node = WaveNode(tmp_path, constant(250), base=0)
    node.prolog(7)
    node.wait(21)
    node.gpu.draw(constant(650))
    node.gpu.reset()
    node.wait(200)
    node.epilog(7)
    node.wait(2)
    (shard,) = node.shards()
    opened = [b for b in shard.boundaries if b.opens_segment]
    shown = [s.counter_millijoules for s in shard.samples]
    assert shown == sorted(shown), "it does not hide"
    assert [b.bridged_millijoules is not None for b in opened] == [True]
    assert energy_of(shard) == pytest.approx(node.truth_of(shard), rel=0.01)
    for b in shard.boundaries:
        if b.since_energy_millijoules is not None:  # also where a part of the stretch was bridged
            counted = b.energy_millijoules - b.since_energy_millijoules
            assert b.since_power_millijoules == pytest.approx(counted, rel=0.02)
