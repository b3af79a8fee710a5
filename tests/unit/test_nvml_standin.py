"""The stand-in for NVML measures: counters, sensors and samples follow from what the GPUs truly draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.standin import profiles
from sam_cluster.standin.standin import Standin
from tests.bench.nvml.client import Client, clients_in

OK, NOT_SUPPORTED, NOT_FOUND = 0, 3, 6
ENERGY_FIELD, AVERAGE_FIELD, INSTANT_FIELD, ENERGY_FIELD_2 = 83, 185, 186, 191
GPU_SCOPE, MODULE_SCOPE = 0, 1
MAX_MW = 700_000
HALF_NANOJOULES_PPM = 2_000_000 * 1_000_000  # a gain that makes the counter show all that it knows


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[tuple[Standin, Client]]:
    """Four GPUs on a manual clock, and a client: for tests that put nothing out of order."""
    standin = Standin.create(tmp_path_factory.mktemp("nvml") / "state", manual_clock=True)
    with clients_in(standin.environment()) as start:
        yield standin, start()


@pytest.fixture
def standin(tmp_path: Path) -> Standin:
    return Standin.create(tmp_path / "state", manual_clock=True)


@pytest.fixture
def new_client(standin: Standin) -> Iterator[Callable[[], Client]]:
    with clients_in(standin.environment()) as start:
        yield start


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    return new_client()


RandomWaveform = tuple[int, list[tuple[int, int, int]], int | None]


@st.composite
def waveforms(draw: st.DrawFn) -> RandomWaveform:
    """Where the first segment starts (from now), the segments after it, and the period or None."""
    power = st.integers(0, MAX_MW)
    lengths = draw(st.lists(st.integers(1, 400_000), min_size=1, max_size=6))
    starts = [sum(lengths[:index]) for index in range(len(lengths))]
    segments = [(start, draw(power), draw(power)) for start in starts]
    period_us = draw(st.none() | st.integers(starts[-1] + 1, starts[-1] + 400_000))
    if period_us is None:
        segments[-1] = (segments[-1][0], segments[-1][1], segments[-1][1])
    return draw(st.integers(-300_000, 300_000)), segments, period_us


def draw_power(standin: Standin, gpu: int, waveform: RandomWaveform) -> None:
    delay_us, segments, period_us = waveform
    origin_us = standin.now_us() + delay_us
    standin.set_waveform(gpu, [(origin_us + start, *power) for start, *power in segments], period_us)


# ---- energy ----


def test_a_ramp_holds_the_energy_of_its_triangle(standin: Standin, client: Client) -> None:
    start_us = standin.now_us()
    standin.set_waveform(0, [(start_us, 100_000, 300_000), (start_us + 10_000_000, 50_000, 50_000)])
    standin.advance(5_000_000)  # 100 W rising to 200 W
    assert client("energy(0)") == 750_000 == standin.truth_millijoules(0, start_us, start_us + 5_000_000)
    standin.advance(7_000_000)  # to the top, 200 W on the mean, and 2 s at 50 W
    assert client("energy(0)") == 2_000_000 + 100_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(waveforms(), st.lists(st.integers(0, 1_500_000), min_size=1)), max_size=3))
def test_the_counter_shows_the_truth_of_its_last_step(machine, changes) -> None:
    standin, client = machine
    standin.set_counter(0, gain_ppm=HALF_NANOJOULES_PPM)
    standin.reset(0)
    reset_us = standin.now_us()
    for waveform, pauses_us in changes:
        draw_power(standin, 0, waveform)
        for pause_us in pauses_us:
            standin.advance(pause_us)
            shown_us = max(reset_us, standin.now_us() // 100_000 * 100_000)
            truth = standin.truth_millijoules(0, reset_us, shown_us)
            assert client("energy(0)") == truth * 2_000_000
            assert standin.truth_millijoules(0, reset_us, standin.now_us()) >= truth


@settings(max_examples=30, deadline=None)
@given(waveforms(), st.integers(0, 2_000_000), st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_the_truth_is_additive_and_never_negative(machine, waveform, first, second, third) -> None:
    standin, _ = machine
    draw_power(standin, 1, waveform)
    start, middle, end = sorted(standin.now_us() + pause for pause in (first, second, third))
    parts = standin.truth_millijoules(1, start, middle), standin.truth_millijoules(1, middle, end)
    assert min(parts) >= 0
    assert sum(parts) == standin.truth_millijoules(1, start, end)


def test_another_waveform_leaves_the_past_as_it_was(standin: Standin, client: Client) -> None:
    start_us = standin.now_us()
    for watts in range(100, 120):  # more of them than the state holds
        standin.constant(0, watts * 1000)
        standin.advance(1_000_000)
    assert standin.truth_millijoules(0, start_us, standin.now_us()) == sum(range(100, 120)) * 1000
    assert client("energy(0)") == sum(range(100, 120)) * 1000


def test_two_processes_see_one_counter(standin: Standin, new_client) -> None:
    early = new_client()
    standin.square(2, 100_000, 500_000, 1_000_000)
    standin.advance(3_700_000)
    late = new_client()
    assert early("energy(2)") == late("energy(2)") == 3 * 300_000 + 50_000 + 100_000


def test_the_live_counter_is_between_the_truths_before_and_after_the_call(tmp_path: Path) -> None:
    standin = Standin.create(tmp_path / "state")
    standin.set_counter(0, step_us=1)
    with clients_in(standin.environment()) as start:
        client = start()
        standin.reset(0)
        before_us = standin.now_us()
        standin.constant(0, 400_000)
        for _ in range(100):
            earliest_us = standin.now_us()
            shown = client("energy(0)")
            assert standin.truth_millijoules(0, before_us, earliest_us) - 1 <= shown
            assert shown <= standin.truth_millijoules(0, before_us - 1_000_000, standin.now_us())


def test_a_client_never_sees_a_half_written_waveform(standin: Standin, client: Client) -> None:
    standin.configure(0, averages_power=0)
    now_us = standin.now_us()
    long = [(now_us - 64 + index, 200_000, 200_000) for index in range(64)]
    standin.constant(0, 100_000)
    client.ask("sorted({nvmlDeviceGetPowerUsage(handle(0)) for _ in range(30_000)})")
    while not client.has_answered():
        standin.constant(0, 100_000)
        standin.set_waveform(0, long)
    assert client.answer() == (OK, [100_000, 200_000])


# ---- counter ----


def test_a_reset_starts_the_counter_again_now_or_later(standin: Standin, client: Client) -> None:
    standin.constant(0, 200_000)
    standin.advance(1_000_000)
    standin.reset(0, at_us=standin.now_us() + 1_550_000)
    standin.reset(0, base=7, at_us=standin.now_us() + 3_000_000)
    seen = [client("energy(0)")]
    for pause_us in (1_500_000, 100_000, 1_000_000, 400_000, 1_000_000):
        standin.advance(pause_us)
        seen.append(client("energy(0)"))
    # The first reset falls 50 ms before a step of the counter, the second on one.
    assert seen == [200_000, 500_000, 10_000, 210_000, 7, 200_007]
    standin.reset(0)
    assert client("energy(0)") == 0


def test_gain_and_freezing_change_how_the_counter_goes_on(standin: Standin, client: Client) -> None:
    standin.constant(0, 100_000)
    seen = []
    for gain_ppm in (1_000_000, 2_000_000, 0, 950_000):
        standin.set_counter(0, gain_ppm=gain_ppm)
        standin.advance(1_000_000)
        seen.append(client("energy(0)"))
    assert seen == [100_000, 300_000, 300_000, 395_000]
    assert client("nvmlDeviceGetPowerUsage(handle(0))") == 100_000


def test_other_steps_never_take_the_counter_back(standin: Standin, client: Client) -> None:
    standin.constant(0, 300_000)
    standin.set_counter(0, step_us=1_000)
    standin.advance(500_500)
    fine = client("energy(0)")
    standin.set_counter(0, step_us=1_000_000, phase_us=250_000)
    assert client("energy(0)") == fine == 150_000
    standin.advance(749_500)  # to the next of the long steps
    assert client("energy(0)") == 375_000
    standin.set_counter(0, phase_us=standin.now_us() + 100_000)  # so the last step was 900 ms ago
    standin.advance(99_999)
    assert client("energy(0)") == 375_000
    standin.advance(1)
    assert client("energy(0)") == 405_000


def test_a_gpu_without_a_counter_says_so(standin: Standin, client: Client) -> None:
    standin.configure(1, supports_energy=0)
    assert client.outcome("energy(1)") == (NOT_SUPPORTED, None)
    codes = [code for code, _ in client(f"fields(1, {ENERGY_FIELD}, {ENERGY_FIELD_2}, {INSTANT_FIELD})")]
    assert codes == [NOT_SUPPORTED, NOT_SUPPORTED, OK]
    assert client("energy(0)") == 0


# ---- power ----


def test_power_is_instant_or_a_mean_over_one_second_as_of_the_sensor(standin, client: Client) -> None:
    standin.constant(0, 100_000)
    standin.advance(2_000_000)
    standin.constant(0, 500_000)
    standin.advance(299_999)  # the sensor was last read after 200 ms
    assert client(f"fields(0, {INSTANT_FIELD}, {AVERAGE_FIELD})") == [(OK, 500_000), (OK, 180_000)]
    assert client("nvmlDeviceGetPowerUsage(handle(0))") == 180_000
    standin.configure(0, **profiles.A100)
    assert client("nvmlDeviceGetPowerUsage(handle(0))") == 500_000
    assert client(f"fields(0, {AVERAGE_FIELD})")[0][0] == NOT_SUPPORTED


def test_a_sensor_may_err_while_the_counter_is_right(standin: Standin, client: Client) -> None:
    standin.configure(0, power_gain_ppm=950_000)
    standin.constant(0, 200_000)
    standin.advance(2_000_000)
    assert client("nvmlDeviceGetPowerUsage(handle(0))") == 190_000
    assert {mw for _, mw in client("samples(0)")} == {190_000}
    assert client(f"fields(0, {ENERGY_FIELD}, {ENERGY_FIELD_2})") == [(OK, 400_000)] * 2


def test_utilization_follows_the_power_above_idle(standin: Standin, client: Client) -> None:
    standin.constant(0, 70_000)
    standin.constant(1, 385_000)
    rates = "[nvmlDeviceGetUtilizationRates(handle(i)).gpu for i in range(2)]"
    assert client(rates) == [0, 50]


def test_a_gh200_answers_for_its_module_only(tmp_path: Path) -> None:
    standin = Standin.create(tmp_path / "state", gpus=1, manual_clock=True, **profiles.GH200)
    with clients_in(standin.environment()) as start:
        client = start()
        standin.advance(2_000_000)
        answers = client(f"fields(0, ({INSTANT_FIELD}, {GPU_SCOPE}), ({INSTANT_FIELD}, {MODULE_SCOPE}))")
        assert [code for code, _ in answers] == [NOT_SUPPORTED, OK]
        assert client.outcome("samples(0)") == (NOT_SUPPORTED, None)
        assert len(client("samples(0, kind=7)")) > 0


# ---- samples ----


@settings(max_examples=30, deadline=None)
@given(waveforms(), st.integers(200_000, 3_000_000))
def test_the_samples_integrate_to_the_truth(machine, waveform, duration_us) -> None:
    standin, client = machine
    draw_power(standin, 3, waveform)
    last_seen = client("samples(3)")[-1][0] if standin.now_us() > 2_000_000 else 0
    standin.advance(duration_us)
    samples = client(f"samples(3, {last_seen})")
    offset_us = standin.epoch_us() - standin.now_us()
    first_us, last_us = samples[0][0] - offset_us, samples[-1][0] - offset_us
    assert [stamp for stamp, _ in samples] == list(range(samples[0][0], samples[-1][0] + 1, 20_000))
    assert standin.now_us() - last_us < 20_000
    integral = sum(mw * 20_000 for _, mw in samples) / 1_000_000
    truth = standin.truth_millijoules(3, first_us - 20_000, last_us)
    assert 0 <= truth - integral <= len(samples) * 20_000 / 1_000_000  # each was rounded down to a milliwatt


def test_going_on_from_the_last_stamp_misses_no_sample_and_repeats_none(standin, client: Client) -> None:
    seen: list[tuple[int, int]] = []
    for pause_us in (1_000_000, 130_000, 20_000, 770_000):
        standin.advance(pause_us)
        seen += client(f"samples(0, {seen[-1][0] if seen else 0})")
    assert seen == client("samples(0)")
    assert client.outcome(f"samples(0, {seen[-1][0]})") == (NOT_FOUND, None)


@pytest.mark.parametrize("kept", [1, 1023, 1024, 1025, 5000])
def test_the_agents_one_call_gives_what_the_two_of_pynvml_do_however_long_the_ring(
    standin, client: Client, kept: int
) -> None:
    assert client.outcome("samples_in_one_call(0)") == (NOT_FOUND, None)
    standin.configure(0, sample_limit=kept)
    standin.advance(200_000_000)
    asked = client("samples(0)")
    assert (len(asked), client("samples_in_one_call(0)")) == (kept, asked)
    after = asked[kept // 2][0]
    assert client.outcome(f"samples_in_one_call(0, {after})") == client.outcome(f"samples(0, {after})")
    assert client("samples_in_one_call(0, kind=1)") == client("samples(0, kind=1)")


def test_the_ring_starts_with_the_driver_and_forgets_what_is_too_old(standin, client: Client) -> None:
    assert client.outcome("samples(0)") == (NOT_FOUND, None)
    standin.advance(20_000)
    assert client("samples(0)") == [(standin.epoch_us(), 70_000)]
    standin.configure(0, sample_period_us=100_000, sample_limit=50)
    standin.advance(60_000_000)
    assert len(client("samples(0)")) == 50
    standin.configure(0, supports_samples=0)
    assert client.outcome("samples(0)") == (NOT_SUPPORTED, None)
