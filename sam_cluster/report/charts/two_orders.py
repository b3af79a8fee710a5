"""The order by accuracy beside the order by SAM: who rises, who falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedResult:
    """A scored result with its two ranks, 1 the best, equal ones sharing a rank."""

    label: str
    accuracy: float
    sam: float
    rank_by_accuracy: int
    rank_by_sam: int


def two_orders(results: Sequence[RankedResult], *, prefix: str) -> Picture | None:
    """A line for each result (the caller chooses some fifteen). None for fewer than two."""
    return None
