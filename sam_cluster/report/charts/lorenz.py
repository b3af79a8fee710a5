"""How evenly a total is shared: Lorenz curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class LorenzCurve:
    """Corners from (0, 0) to (1, 1) as `metrics.lorenz` gives them, and Gini where it is defined."""

    label: str  # what is shared, such as "energy"
    corners: Sequence[tuple[float, float]]
    gini: float | None


def lorenz_curves(curves: Sequence[LorenzCurve], *, among: str, prefix: str) -> Picture | None:
    """Up to three curves with the diagonal of equality; `among` says who shares, such as "40 labs"."""
    return None
