"""One GPU: segments of its counter, and values that never contradict one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.meter import GpuMeter
from sam_cluster.agent.ports import RawReading
from sam_cluster.agent.restart import Restart
from sam_cluster.agent.states import MeterState
from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.boundary import Reading
from sam_cluster.energy.power import Power

SECOND = 1_000_000
LIMIT = 700_000
BOOT = "11111111-2222-3333-4444-555555555555"


def meter(driver: str | None = "570") -> GpuMeter:
    return GpuMeter("GPU-0", BOOT, driver, LIMIT)


def take(gpu: GpuMeter, at: int, counter: int | None, *power: Power) -> Restart | None:
    raw = RawReading(uptime_microseconds=at, counter_millijoules=counter, power=power)
    return gpu.take(raw, at, keep=True, is_held=True)[1]


@given(
    st.lists(st.tuples(st.integers(1, 30 * SECOND), st.integers(0, LIMIT)), min_size=2, max_size=12),
    st.lists(st.floats(0, 1), min_size=2, max_size=30),
)
def test_boundaries_asked_for_in_any_order_never_contradict_one_another(
    stretches: list[tuple[int, int]], places: list[float]
) -> None:
    gpu, at, counter = meter(), 1_000 * SECOND, 10**12
    take(gpu, at, counter, (at, stretches[0][1]))
    first = at
    for span, power in stretches:
        at += span
        counter += millijoules_from_power(power, span)
        take(gpu, at, counter, (at, power))
    settled = {}
    for place in places:
        instant = first + round((at - first) * place)
        brought = gpu.at(instant)
        assert brought is not None
        assert settled.setdefault(instant, brought.energy_millijoules) == brought.energy_millijoules
        gpu.mark(instant, brought.energy_millijoules, instant)
    energies = [settled[instant] for instant in sorted(settled)]
    assert energies == sorted(energies)
    assert all(10**12 <= energy <= counter for energy in energies)


def test_a_counter_that_goes_down_has_restarted_from_nothing() -> None:
    gpu = meter()
    take(gpu, 10 * SECOND, 10**12)
    restart = take(gpu, 20 * SECOND, 5_000)
    assert restart
    assert gpu.first == Reading(10 * SECOND, 0)
    assert restart.last.counter_millijoules == 10**12
    assert gpu.segment != restart.segment


@pytest.mark.parametrize("misread", [2**61, 5 * 10**11])
def test_a_counter_that_moved_by_what_no_gpu_draws_is_not_believed(misread: int) -> None:
    gpu = meter()
    take(gpu, 10 * SECOND, 10**12)
    restart = take(gpu, 11 * SECOND, misread)
    assert restart
    assert gpu.first == Reading(10 * SECOND, misread)
    assert take(gpu, 12 * SECOND, 10**12 + 500)
    assert gpu.first == Reading(11 * SECOND, 10**12 + 500)


def test_between_a_counter_and_power_alone_a_segment_ends() -> None:
    gpu = meter()
    take(gpu, 10 * SECOND, None, (10 * SECOND, 300_000))
    assert gpu.power_only
    assert take(gpu, 11 * SECOND, 10**12, (11 * SECOND, 300_000))
    assert not gpu.power_only


def test_power_alone_is_counted_up_and_before_its_first_reading_too() -> None:
    gpu = meter()
    take(gpu, 10 * SECOND, None, (9 * SECOND, 300_000), (10 * SECOND, 300_000))
    take(gpu, 12 * SECOND, None, (11 * SECOND, 300_000), (12 * SECOND, 300_000))
    start, end = gpu.at(9 * SECOND + SECOND // 2), gpu.at(12 * SECOND)
    assert start
    assert end
    assert end.energy_millijoules - start.energy_millijoules == 2_500 * 300


@pytest.mark.parametrize(
    ("boot", "driver", "goes_on"),
    [(BOOT, "570", True), (BOOT, None, True), (BOOT, "575", False), ("other", "570", False)],
)
def test_a_segment_goes_on_under_the_next_agent_while_boot_and_driver_are_the_same(
    boot: str, driver: str | None, goes_on: bool
) -> None:
    gpu = meter()
    take(gpu, 10 * SECOND, 10**12)
    gpu.mark(10 * SECOND, 10**12, 10 * SECOND)
    assert gpu.state
    state = MeterState.from_json(gpu.state.to_json())
    assert state == gpu.state
    after = GpuMeter("GPU-0", boot, driver, LIMIT)
    after.resume(state)
    take(after, 20 * SECOND, 10**12 + 1_000)
    assert (after.segment == gpu.segment) == goes_on
    assert after.chain == gpu.chain
