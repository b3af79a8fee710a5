"""Results as points: which lie on the front, which are named, how large their symbols are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...core.units import kwh_from_millijoules
from ...metrics import pareto_front
from .axes import Axis
from .drawing import Size
from .labels import Box, Placed, Wanted, fitted, place

#: Points that are named: those of the front and the first by SAM and by accuracy, so many of each.
NAMED = 5
LEAST_AREA, MOST_AREA = 40.0, 700.0  # px² of a symbol
LABEL = 32  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPoint:
    """A result whose accuracy (a fraction) and energy are known; `sam` is None where it has no score."""

    label: str
    accuracy: float
    energy_millijoules: int
    sam: float | None
    is_lower_bound: bool = False  # the true energy lies further to the right

    @property
    def energy_kwh(self) -> float:
        """Its electricity, as the axis has it."""
        return kwh_from_millijoules(self.energy_millijoules)


def front_of(points: Sequence[ResultPoint]) -> list[ResultPoint]:
    """The points that no other beats on both, scored or not; where a lower bound truly lies is not known."""
    placed = [point for point in points if not point.is_lower_bound]
    return [placed[i] for i in pareto_front([p.accuracy for p in placed], [p.energy_kwh for p in placed])]


def named_points(points: Sequence[ResultPoint], front: Sequence[ResultPoint]) -> list[ResultPoint]:
    """The points worth a name, the first by SAM in front; each once."""
    by_sam = sorted((p for p in points if p.sam is not None), key=lambda p: (-(p.sam or 0.0), p.label))
    by_accuracy = sorted(points, key=lambda p: (-p.accuracy, p.energy_millijoules, p.label))
    on_front = sorted(front, key=lambda p: (-p.accuracy, p.label))
    return list(
        dict.fromkeys([*by_sam[:NAMED], *by_accuracy[:1], *on_front[: 2 * NAMED], *by_accuracy[:NAMED]])
    )


def areas_of(points: Sequence[ResultPoint], size: Size) -> dict[ResultPoint, float]:
    """The px² of each point's symbol, which rise with its electricity."""
    most = max(point.energy_millijoules for point in points)
    room = (MOST_AREA / 2 if size.is_narrow else MOST_AREA) - LEAST_AREA
    return {point: round(LEAST_AREA + room * point.energy_millijoules / most, 1) for point in points}


def named_beside(
    named: Sequence[ResultPoint],
    symbols: Sequence[ResultPoint],
    front: Sequence[ResultPoint],
    areas: Mapping[ResultPoint, float],
    x: Axis,
    y: Axis,
    size: Size,
) -> list[Placed]:
    """Names beside their points, clear of all points and of the front's line."""

    def at(point: ResultPoint) -> tuple[float, float, float]:
        return x.pixel(point.energy_kwh), y.pixel(point.accuracy), math.sqrt(areas[point] / math.pi) + 1

    taken = [Box(px - r, py - r, px + r, py + r) for px, py, r in map(at, symbols)]
    corners = [*((px, py) for px, py, _ in map(at, front)), *((x.length, at(p)[1]) for p in front[-1:])]
    for (px, py), (further, above) in pairwise(corners):
        taken += [Box(px, py - 1, further, py + 1), Box(further - 1, above, further + 1, py)]
    wanted = [
        Wanted(text=fitted(point.label, size.width * 0.3, size.text, LABEL), x=px, y=py, radius=r)
        for point, (px, py, r) in zip(named, map(at, named), strict=True)
    ]
    return place(wanted, taken, Box(2, 0, x.length + 20, y.length), size.text)
