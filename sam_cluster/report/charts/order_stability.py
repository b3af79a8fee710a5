"""How the order by SAM depends on what was configured: on alpha, and on the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class RankPath:
    """The ranks of one result, one for each setting; None where it has no score under that setting."""

    label: str
    ranks: tuple[int | None, ...]


def order_over_alpha(
    paths: Sequence[RankPath], *, alphas: Sequence[float], configured: float, prefix: str
) -> Picture | None:
    """Rank over alpha, on a rising grid of at least two. None for fewer than two ranked results."""
    return None


def order_over_units(
    paths: Sequence[RankPath], *, units: Sequence[str], configured: str, prefix: str
) -> Picture | None:
    """Rank over the unit of electricity (J, Wh, MJ, kWh). None for fewer than two ranked results."""
    return None
