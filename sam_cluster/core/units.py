"""Units, converted once, each under a name of its own.

Energy is counted in integer millijoules (what NVML counts), time in integer microseconds (what
the samples of NVML are stamped with). Everything else is derived where it is shown.
"""

from __future__ import annotations

MILLIJOULES_PER_JOULE = 1_000
MILLIJOULES_PER_KWH = 3_600_000_000
MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_HOUR = 3_600 * MICROSECONDS_PER_SECOND
MICROSECONDS_PER_DAY = 24 * MICROSECONDS_PER_HOUR


def kwh_from_millijoules(energy_millijoules: int) -> float:
    """Kilowatt-hours from millijoules (1 kWh = 3.6e9 mJ)."""
    return energy_millijoules / MILLIJOULES_PER_KWH


def millijoules_from_kwh(energy_kwh: float) -> int:
    """Millijoules, rounded to the nearest, from kilowatt-hours."""
    return round(energy_kwh * MILLIJOULES_PER_KWH)


def millijoules_from_power(power_milliwatts: int, duration_microseconds: int) -> int:
    """Millijoules that a constant power gives over a duration, rounded half up."""
    product = power_milliwatts * duration_microseconds
    return (product + MICROSECONDS_PER_SECOND // 2) // MICROSECONDS_PER_SECOND


def apportion(total: int, weights: list[int]) -> list[int]:
    """Integers in proportion to `weights` that add up to `total` exactly.

    The k-th part ends where floor(total * (w_1 + … + w_k) / W) is, so that what is left over by
    rounding goes to those in front in a way that does not depend on anything but the order given.
    All weights zero means equal parts. Raises ValueError for an empty or negative list.
    """
    if not weights or min(weights) < 0:
        raise ValueError(f"weights must be one or more numbers of at least 0, got {weights!r}")
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    parts, before, cumulated = [], 0, 0
    for weight in weights:
        cumulated += weight
        up_to = total * cumulated // whole
        parts.append(up_to - before)
        before = up_to
    return parts
