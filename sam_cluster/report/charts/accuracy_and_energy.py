"""Accuracy against the electricity that was spent on it, for the results of one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPoint:
    """A result whose accuracy (a fraction) and energy are known; `sam` is None where it has no score."""

    label: str
    accuracy: float
    energy_millijoules: int
    sam: float | None
    is_lower_bound: bool = False  # the true energy lies further to the right


def accuracy_and_energy(
    points: Sequence[ResultPoint], *, task: str, alpha: float, beta: float, unit: str, prefix: str
) -> Picture | None:
    """The results of one task with lines of equal SAM and the Pareto front.

    Alpha, beta and unit (kWh, Wh, MJ, J) are those that the scores were made with. None where no point
    has an energy above zero, which is all that a logarithmic axis can show.
    """
    return None
