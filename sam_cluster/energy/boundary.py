"""The counter's value at an instant at which nobody read it.

A run starts at an event; the counter is read a little later, or much later where the agent was
dead or the driver hung. What was consumed in between belongs to somebody else, and is taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sam_cluster.core.units import millijoules_from_power

from .power import Power, integrate, roughness

#: A reading that comes later than this is no reading of the boundary: the value is interpolated.
LATE_MICROSECONDS = 2_000_000
#: Without a reading before, what was before a reading is not guessed further back than this.
FURTHEST_MICROSECONDS = 120_000_000
#: NVML's counter moves in steps of 20 to 100 ms: a value may be that old.
COUNTER_STEP_MICROSECONDS = 100_000
#: What is taken off by the power series is as good as the sensor, 5 %, and as its samples are close.
SERIES_UNCERTAINTY_DIVISOR = 20
#: Where the driver names no power limit, a GPU is taken to draw at most this.
POWER_LIMIT_MILLIWATTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter as it was read, and the power at that moment where it is known."""

    uptime_microseconds: int
    counter_millijoules: int
    power_milliwatts: int | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """A counter brought to an instant.

    `lag_microseconds` is the distance from the instant to the reading it was brought from; the
    true value is within `uncertainty_millijoules` of it, as far as the readings around can say.
    """

    energy_millijoules: int
    counter_millijoules: int
    lag_microseconds: int
    uncertainty_millijoules: int
    interpolated: bool


def bring_to(
    instant: int,
    before: Reading | None,
    after: Reading,
    series: Sequence[Power] = (),
    limit_milliwatts: int | None = None,
) -> Brought | None:
    """The counter at `instant` (uptime, microseconds) from the readings around it, of one segment.

    From the reading after it, less the energy in between: by the power series where that covers
    the stretch, else by the power at the reading where that is known (up to LATE_MICROSECONDS), else
    by a straight line between the two readings, which bound the value from both sides; else, with no
    reading before, by the power at the reading. None where that would reach back further than
    FURTHEST_MICROSECONDS. The result is never outside the two readings.
    """
    lag = after.uptime_microseconds - instant
    limit = limit_milliwatts or POWER_LIMIT_MILLIWATTS
    step = millijoules_from_power(limit, COUNTER_STEP_MICROSECONDS)
    lower = before.counter_millijoules if before else 0
    between: int | None = integrate(series, instant, after.uptime_microseconds)
    if between is not None:
        rough = roughness(series, instant, after.uptime_microseconds)
        doubt = between // SERIES_UNCERTAINTY_DIVISOR + rough
        value = after.counter_millijoules - between
    elif before and (lag > LATE_MICROSECONDS or after.power_milliwatts is None):
        span = after.uptime_microseconds - before.uptime_microseconds
        grown = after.counter_millijoules - lower
        value = lower + grown * (instant - before.uptime_microseconds) // span
        doubt = max(value - lower, after.counter_millijoules - value)
    elif lag > FURTHEST_MICROSECONDS:
        return None
    else:
        power = min(after.power_milliwatts or 0, limit)
        value = after.counter_millijoules - millijoules_from_power(power, lag)
        doubt = millijoules_from_power(max(power, limit - power), lag)
    value = min(max(value, lower), after.counter_millijoules)
    if before:  # the truth lies between the two readings, however rough the way to it
        doubt = min(doubt, max(value - lower, after.counter_millijoules - value))
    return Brought(
        energy_millijoules=value,
        counter_millijoules=after.counter_millijoules,
        lag_microseconds=lag,
        uncertainty_millijoules=doubt + step,
        interpolated=lag > LATE_MICROSECONDS,
    )
