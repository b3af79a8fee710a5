"""A straight line through points by least squares, and how sure it is of what it foretells.

What one run differs from the next by is a part of its size: so residuals are taken as parts of the y they
are of, which is least squares with weights 1 / y**2. (Ordinary ones would call the interval of runs that
scatter by 2 % one of 95 %, and it would hold for 70 to 90 % of them.) The points' own uncertainties are no
weights: they bound the error of a meter's readings and are far smaller than what runs differ by, so that the
best metered run would decide alone. They are a floor instead: the scatter is never taken for less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .student import t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """intercept + slope * x, with what its intervals are made from.

    `scatter` is the standard error of a single y about the line, as a part of y, on `degrees` degrees of
    freedom. What the line itself may be off by goes with `mean_x`, `spread` (the weighted sum of squares
    of x about it) and `per_weight` (1 / sum of the weights; 0 for a line through the origin).
    """

    intercept: float
    slope: float
    scatter: float
    degrees: int
    mean_x: float
    spread: float
    per_weight: float

    @property
    def passes_origin(self) -> bool:
        """Whether it was made to go through the origin."""
        return self.per_weight == 0

    def at(self, x: float) -> float:
        """The line's y."""
        return self.intercept + self.slope * x

    def margin_of_line(self, x: float, probability: float) -> float:
        """The true line's y at x lies within so much of `at(x)`, with a probability.

        t * scatter * sqrt(per_weight + (x - mean_x)**2 / spread).
        """
        return t_quantile(probability, self.degrees) * self.scatter * math.sqrt(self._leverage(x))

    def margin_of_one(self, x: float, probability: float) -> float:
        """One further y at x lies within so much of `at(x)`, with a probability: half of what is called an
        interval of prediction.

        t * scatter * sqrt(at(x)**2 + per_weight + (x - mean_x)**2 / spread).
        """
        variance = self.at(x) ** 2 + self._leverage(x)
        return t_quantile(probability, self.degrees) * self.scatter * math.sqrt(variance)

    def _leverage(self, x: float) -> float:
        return self.per_weight + (x - self.mean_x) ** 2 / self.spread


def fit_line(xs: Sequence[float], ys: Sequence[float], floor: float = 0.0) -> Line:
    """The line of least squares; the scatter is at least `floor`.

    Needs three points with two different x, and every y above 0. Sums are exact, so that their order does
    not matter.
    """
    weights = [1 / (y * y) for y in ys]
    weight = math.fsum(weights)
    mean_x, mean_y = _weighted(weights, xs) / weight, _weighted(weights, ys) / weight
    offs = [x - mean_x for x in xs]
    spread = _weighted(weights, (off * off for off in offs))
    rise = _weighted(weights, (off * (y - mean_y) for off, y in zip(offs, ys, strict=True)))
    slope = rise / spread
    intercept = mean_y - slope * mean_x
    return Line(
        intercept=intercept,
        slope=slope,
        scatter=max(_scatter(xs, ys, intercept, slope, len(xs) - 2), floor),
        degrees=len(xs) - 2,
        mean_x=mean_x,
        spread=spread,
        per_weight=1 / weight,
    )


def fit_through_origin(xs: Sequence[float], ys: Sequence[float], floor: float = 0.0) -> Line:
    """The line through the origin of least squares. Needs two points, and every y above 0."""
    weights = [1 / (y * y) for y in ys]
    spread = _weighted(weights, (x * x for x in xs))
    slope = _weighted(weights, (x * y for x, y in zip(xs, ys, strict=True))) / spread
    return Line(
        intercept=0.0,
        slope=slope,
        scatter=max(_scatter(xs, ys, 0.0, slope, len(xs) - 1), floor),
        degrees=len(xs) - 1,
        mean_x=0.0,
        spread=spread,
        per_weight=0.0,
    )


def curvature(xs: Sequence[float], ys: Sequence[float], x: float, probability: float) -> float:
    """By how much a parabola would say more than the line at x, where its bend is significant; else 0.

    The bend is tested by Student's t on n - 3 degrees of freedom, so that three points show none. The
    parabola is the line plus c * q(x), q being the quadratic that is orthogonal to every line over the
    points. Needs three different x, and every y above 0.
    """
    degrees = len(xs) - 3
    if degrees < 1:
        return 0.0
    weights = [1 / (y * y) for y in ys]
    line = fit_line(xs, ys)
    skew = _weighted(weights, ((each - line.mean_x) ** 3 for each in xs)) / line.spread

    def q(at: float) -> float:
        off = at - line.mean_x
        return off * off - skew * off - line.spread * line.per_weight

    bends = [q(each) for each in xs]
    residuals = [y - line.at(each) for each, y in zip(xs, ys, strict=True)]
    size = _weighted(weights, (bend * bend for bend in bends))
    c = _weighted(weights, (bend * off for bend, off in zip(bends, residuals, strict=True))) / size
    left = _weighted(weights, ((off - c * bend) ** 2 for bend, off in zip(bends, residuals, strict=True)))
    is_significant = abs(c) > t_quantile(probability, degrees) * math.sqrt(left / degrees / size)
    return c * q(x) if is_significant else 0.0


def _weighted(weights: Iterable[float], values: Iterable[float]) -> float:
    return math.fsum(weight * value for weight, value in zip(weights, values, strict=True))


def _scatter(xs: Sequence[float], ys: Sequence[float], intercept: float, slope: float, degrees: int) -> float:
    squares = math.fsum(((y - intercept - slope * x) / y) ** 2 for x, y in zip(xs, ys, strict=True))
    return math.sqrt(squares / degrees)
