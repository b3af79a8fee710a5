"""Where the energy went, as one bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPart:
    """A part of the whole: useful, failed, cancelled, held idle and the like."""

    label: str
    energy_millijoules: int


def where_it_went(parts: Sequence[EnergyPart], *, prefix: str) -> Picture | None:
    """The parts in the order given, as one stacked bar. None where they add up to nothing."""
    return None
