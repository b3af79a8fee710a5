"""A straight line through points by least squares, and how sure it is of what it foretells.

Every point counts the same. Weights by the points' own uncertainties would be wrong for what is fitted
here: those bound the error of a meter's readings and are far smaller than the differences between one run
and the next, so that they would let the best metered run decide alone. They are a floor instead: the
scatter is never taken to be less than what the readings may be off by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .student import t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """intercept + slope * x, with what its intervals are made from.

    `scatter` is the standard error of a single y about the line, on `degrees` degrees of freedom. With
    `mean_x`, `spread` (the sum of squares of x about it) and `per_point` (1 / n; 0 for a line through
    the origin) goes what the line itself may be off by.
    """

    intercept: float
    slope: float
    scatter: float
    degrees: int
    mean_x: float
    spread: float
    per_point: float

    @property
    def passes_origin(self) -> bool:
        """Whether it was made to go through the origin."""
        return self.per_point == 0

    def at(self, x: float) -> float:
        """The line's y."""
        return self.intercept + self.slope * x

    def margin_of_line(self, x: float, probability: float) -> float:
        """The line's true y at x lies within so much of `at(x)`, with a probability."""
        return t_quantile(probability, self.degrees) * self.scatter * math.sqrt(self._leverage(x))

    def margin_of_one(self, x: float, probability: float) -> float:
        """One further y at x lies within so much of `at(x)`, with a probability: half of what is called an
        interval of prediction.

        t * scatter * sqrt(1 + 1 / n + (x - mean)**2 / spread).
        """
        return t_quantile(probability, self.degrees) * self.scatter * math.sqrt(1 + self._leverage(x))

    def _leverage(self, x: float) -> float:
        return self.per_point + (x - self.mean_x) ** 2 / self.spread


def fit_line(xs: Sequence[float], ys: Sequence[float], floor: float = 0.0) -> Line:
    """The line of least squares; the scatter is at least `floor`.

    Needs three points with two different x; sums are exact, so that their order does not matter.
    """
    n = len(xs)
    mean_x, mean_y = math.fsum(xs) / n, math.fsum(ys) / n
    spread = math.fsum((x - mean_x) ** 2 for x in xs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    intercept = mean_y - slope * mean_x
    return Line(
        intercept=intercept,
        slope=slope,
        scatter=max(_scatter(xs, ys, intercept, slope, n - 2), floor),
        degrees=n - 2,
        mean_x=mean_x,
        spread=spread,
        per_point=1 / n,
    )


def fit_through_origin(xs: Sequence[float], ys: Sequence[float], floor: float = 0.0) -> Line:
    """The line through the origin of least squares. Needs two points with an x that is not 0."""
    spread = math.fsum(x * x for x in xs)
    slope = math.fsum(x * y for x, y in zip(xs, ys, strict=True)) / spread
    return Line(
        intercept=0.0,
        slope=slope,
        scatter=max(_scatter(xs, ys, 0.0, slope, len(xs) - 1), floor),
        degrees=len(xs) - 1,
        mean_x=0.0,
        spread=spread,
        per_point=0.0,
    )


def _scatter(xs: Sequence[float], ys: Sequence[float], intercept: float, slope: float, degrees: int) -> float:
    squares = math.fsum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    return math.sqrt(squares / degrees)


def curvature(xs: Sequence[float], ys: Sequence[float], x: float, probability: float) -> float:
    """By how much a parabola would say more than the line at x, where its bend is significant; else 0.

    The bend is tested by Student's t on n - 3 degrees of freedom, so that three points show none. The
    parabola is the line plus c * q(x), q being the quadratic that is orthogonal to every line over the
    points. Needs three different x.
    """
    degrees = len(xs) - 3
    if degrees < 1:
        return 0.0
    line = fit_line(xs, ys)
    skew = math.fsum((each - line.mean_x) ** 3 for each in xs) / line.spread

    def q(at: float) -> float:
        off = at - line.mean_x
        return off * off - skew * off - line.spread / len(xs)

    bends = [q(each) for each in xs]
    residuals = [y - line.at(each) for each, y in zip(xs, ys, strict=True)]
    size = math.fsum(bend * bend for bend in bends)
    c = math.fsum(bend * off for bend, off in zip(bends, residuals, strict=True)) / size
    left = math.fsum((off - c * bend) ** 2 for bend, off in zip(bends, residuals, strict=True))
    is_significant = abs(c) > t_quantile(probability, degrees) * math.sqrt(left / degrees / size)
    return c * q(x) if is_significant else 0.0
