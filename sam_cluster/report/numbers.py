"""Numbers as they are shown: three figures, a unit, and never a zero for what is not zero.

The rules, each a test: zero is shown for zero only and 100 % for the whole only; what is unknown is
called so; what is too small for its unit is "< 0.001", not 0.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from math import floor, isfinite, log10

from ..core.units import MICROSECONDS_PER_HOUR, MILLIJOULES_PER_JOULE, MILLIJOULES_PER_KWH

UNKNOWN = "unknown"
LEAST = 0.001
FIGURES = 3


def number(value: float | None) -> str:
    """Three figures, thousands by commas, whole numbers from 100 on; below 0.001 `< 0.001`."""
    if value is None:
        return UNKNOWN
    if not isfinite(value):
        raise ValueError(f"only finite numbers can be shown, got {value!r}")
    if value < 0:
        return "−" + number(-value) if value <= -LEAST else f"> −{LEAST:g}"
    if value == 0:
        return "0"
    if value < LEAST:
        return f"< {LEAST:g}"
    decimals = max(0, FIGURES - 1 - floor(log10(value)))
    return f"{value:,.{decimals}f}"


def setting(value: float) -> str:
    """A number as somebody configured it: `0.28`, `5`."""
    return f"{value:.12g}"


def count(value: int | None) -> str:
    """A whole number, thousands by commas."""
    return UNKNOWN if value is None else f"{value:,}"


def kwh(energy_millijoules: int | None) -> str:
    """Kilowatt-hours of millijoules, without the unit, for a column that names it."""
    return UNKNOWN if energy_millijoules is None else number(energy_millijoules / MILLIJOULES_PER_KWH)


def joules(energy_millijoules: int | None) -> str:
    """Joules of millijoules, without the unit."""
    return UNKNOWN if energy_millijoules is None else number(energy_millijoules / MILLIJOULES_PER_JOULE)


def energy(energy_millijoules: int | None) -> str:
    """An energy with the unit that suits its size: kWh, Wh from 1 Wh, J below."""
    if energy_millijoules is None:
        return UNKNOWN
    watt_hours = energy_millijoules / (MILLIJOULES_PER_KWH / 1_000)
    if watt_hours >= 1_000 or energy_millijoules == 0:
        return f"{kwh(energy_millijoules)} kWh"
    return f"{number(watt_hours)} Wh" if watt_hours >= 1 else f"{joules(energy_millijoules)} J"


def gpu_hours(gpu_microseconds: int | None) -> str:
    """GPU-hours of GPU-microseconds, without the unit."""
    return UNKNOWN if gpu_microseconds is None else number(gpu_microseconds / MICROSECONDS_PER_HOUR)


def percent(part: float | None) -> str:
    """A fraction as a percentage of one decimal: `0 %` for nothing only, `100 %` for the whole only."""
    if part is None:
        return UNKNOWN
    if not 0 <= part <= 1:
        raise ValueError(f"a share is from 0 to 1, got {part!r}")
    if part in (0, 1):
        return f"{part:.0%}".replace("%", " %")
    if part < LEAST:
        return "< 0.1 %"
    return "> 99.9 %" if part > 1 - LEAST else f"{part * 100:.1f} %"


def size(value: float | None) -> float | None:
    """How large a difference is, whichever way it goes."""
    return None if value is None else abs(value)


def change_percent(part: float) -> str:
    """A relative change with its sign, `+8.1 %`, `−30.0 %`; from ten times as much on `12.0-fold`."""
    if part >= 9:
        return f"{number(part + 1)}-fold"
    shown = number(part * 100)
    return f"{'+' if part > 0 and shown[0].isdigit() else ''}{shown} %"


def points(difference: float | None) -> str:
    """The size of a difference of two shares, in percentage points."""
    return UNKNOWN if difference is None else f"{number(abs(difference) * 100)} points"


def accuracy(fraction: float | None) -> str:
    """An accuracy as a percentage of two decimals, by the rule of `percent`."""
    if fraction is None:
        return UNKNOWN
    if fraction in (0, 1):
        return percent(fraction)
    shown = f"{fraction * 100:.2f} %"
    return {"0.00 %": "< 0.01 %", "100.00 %": "> 99.99 %"}.get(shown, shown)


def grams(mass_grams: float | None) -> str:
    """A mass with the unit that suits its size: kg from 1 kg, g below."""
    if mass_grams is None:
        return UNKNOWN
    return f"{number(mass_grams / 1_000)} kg" if mass_grams >= 1_000 else f"{number(mass_grams)} g"


def minute(instant: datetime | None, zone: tzinfo) -> str:
    """A local time to the minute: `2026-10-03 14:05`."""
    return UNKNOWN if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """A time with the unit that suits its size: seconds, minutes from 2 min, hours from 2 h, days from 2."""
    if seconds is None:
        return UNKNOWN
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{number(seconds / length)} {unit}"
    return f"{number(seconds)} s"
