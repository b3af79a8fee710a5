"""kWh by local day (or month), with the period before as an outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyOfDay:
    """A local day, or month, as the caller labels it; None is unknown and drawn as such, not as zero."""

    label: str
    energy_millijoules: int | None
    is_lower_bound: bool = False
    energy_before_millijoules: int | None = None  # of the day at the same place in the period before


def energy_by_day(days: Sequence[EnergyOfDay], *, prefix: str, step: str = "day") -> Picture | None:
    """A bar for each day, up to 62; `step` is what one is called. None where no energy is known."""
    return None
