"""The electricity of a longer run, foretold from shorter ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredPoint:
    """What a run of some length was metered at; `amount` is epochs, or a fraction of the data."""

    amount: float
    energy_millijoules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPoint:
    """The fitted line at one length, with the interval of prediction around it."""

    amount: float
    energy_millijoules: float
    least_millijoules: float
    most_millijoules: float


def projection(
    metered: Sequence[MeteredPoint],
    fitted: Sequence[FittedPoint],
    target: FittedPoint,
    *,
    axis: str,
    prefix: str,
) -> Picture | None:
    """Metered points, the fitted line with its band, and what was asked for.

    `fitted` samples the line by rising amount, the target's included or not; `axis` names the amount, such as
    "epochs" or "fraction of the data". None where there is no metered point or no line.
    """
    return None
