"""Many points counted in squares, where symbols would be a blot of a megabyte."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from .axes import Axis
from .drawing import Row

SIDE = 15.0  # px
FAINTEST = 0.2


def binned(points: Iterable[tuple[float, float]], x: Axis, y: Axis) -> list[Row]:
    """Squares with at least one point, each with its count and an opacity that rises with its logarithm.

    Edges are in the units of the axes, so that each point lies in its square.
    """
    across, down = max(1, round(x.length / SIDE)), max(1, round(y.length / SIDE))
    counts: Counter[tuple[int, int]] = Counter()
    for at_x, at_y in points:
        column = min(across - 1, int(x.pixel(at_x) / x.length * across))
        row = min(down - 1, int(y.pixel(at_y) / y.length * down))
        counts[column, row] += 1
    most = max(counts.values(), default=1)
    return [
        {
            "from": x.value(column / across), "to": x.value((column + 1) / across),
            "top": y.value(1 - row / down), "bottom": y.value(1 - (row + 1) / down), "count": count,
            "opacity": round(FAINTEST + (1 - FAINTEST) * math.log(count) / math.log(max(most, 2)), 3),
        }
        for (column, row), count in sorted(counts.items())
    ]  # fmt: skip
