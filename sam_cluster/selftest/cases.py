"""What the selftest meters: loads whose energy is known, and what may go wrong with a counter under them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sam_cluster.core.model import Quality
from sam_cluster.standin.standin import Standin

WATT = 1_000
IDLE = 50 * WATT
#: A counter moves in steps, of 20 to 100 ms on real GPUs: at each end of a run one of them is not known. Here
#: they are short, so that what is wrong by one in a hundred shows within seconds.
COUNTER_STEP_MICROSECONDS = 20_000
#: The figure of a run is to be within this of the truth, and what is bridged by power over a restart within
#: more: that much of it is added.
BOUND = 0.01
BRIDGED_BOUND = 0.05
GPU_IS_LOST = 15  # NVML_ERROR_GPU_IS_LOST

#: Something that befalls a GPU; the instant (uptime, microseconds) at which its counter restarted, if it did.
Change = Callable[[Standin, int], int | None]
Load = Callable[[Standin, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One GPU, what it draws, and the runs that hold it.

    `runs` are spans in fractions of the test's length; `changes` happen at such fractions. `peak_milliwatts`
    is the most it draws.
    """

    name: str
    load: Load
    peak_milliwatts: int
    quality: Quality
    runs: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    changes: tuple[tuple[float, Change], ...] = ()
    has_counter: bool = True
    is_lost: bool = False  # what was drawn after its last reading cannot be known


def _steady(standin: Standin, gpu: int) -> None:
    standin.constant(gpu, 300 * WATT)


def _steps(standin: Standin, gpu: int) -> None:
    standin.square(gpu, 100 * WATT, 500 * WATT, 3_400_000)


def _ramps(standin: Standin, gpu: int) -> None:
    now = standin.now_us()
    up, down = (now, 100 * WATT, 500 * WATT), (now + 1_100_000, 500 * WATT, 100 * WATT)
    standin.set_waveform(gpu, [up, down], 2_300_000)


def _restart(standin: Standin, gpu: int) -> int:
    return standin.reset(gpu)


def _stop_and_restart(standin: Standin, gpu: int) -> int:
    standin.constant(gpu, IDLE)
    return standin.reset(gpu)


def _fall_off_the_bus(standin: Standin, gpu: int) -> None:
    standin.set_error(gpu, "any", GPU_IS_LOST)


CASES = (
    Case(name="steady, 300 W", load=_steady, peak_milliwatts=300 * WATT, quality=Quality.MEASURED),
    Case(
        name="steps of 1.7 s, 100 and 500 W",
        load=_steps,
        peak_milliwatts=500 * WATT,
        quality=Quality.MEASURED,
    ),
    Case(
        name="ramps, 100 to 500 W and back in 2.3 s",
        load=_ramps,
        peak_milliwatts=500 * WATT,
        quality=Quality.MEASURED,
    ),
    Case(
        name="counter restarts under 300 W",
        load=_steady,
        peak_milliwatts=300 * WATT,
        quality=Quality.ESTIMATED,
        changes=((0.5, _restart),),
    ),
    Case(
        name="300 W, then restart and 50 W",
        load=_steady,
        peak_milliwatts=300 * WATT,
        quality=Quality.ESTIMATED,
        changes=((0.8, _stop_and_restart),),
    ),
    Case(
        name="no counter, steps of 1.7 s",
        load=_steps,
        peak_milliwatts=500 * WATT,
        quality=Quality.ESTIMATED,
        has_counter=False,
    ),
    Case(
        name="two runs on one GPU, 300 W",
        load=_steady,
        peak_milliwatts=300 * WATT,
        quality=Quality.ESTIMATED,
        runs=((0.0, 1.0), (0.3, 0.7)),
    ),
    Case(
        name="GPU lost under 300 W",
        load=_steady,
        peak_milliwatts=300 * WATT,
        quality=Quality.LOWER_BOUND,
        changes=((0.6, _fall_off_the_bus),),
        is_lost=True,
    ),
)
