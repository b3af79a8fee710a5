"""Orders of results: by accuracy beside SAM, and how far the order by SAM depends on its parameters.

Only what has a score is ranked, and only among results of one task. Beta scales every score alike and
moves no rank, so that no function here takes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .domain import Undefined
from .kendall import kendall_tau_b
from .score import UNITS_PER_KWH, sam_of_measurement

#: The exponents over which an order is looked at; with 1 accuracy counts least, with 10 most.
ALPHAS = tuple(float(alpha) for alpha in range(1, 11))
UNITS = ("J", "Wh", "MJ", "kWh")  # from the smallest to the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A result to be ranked: its accuracy as a fraction and its energy as `sam_of_measurement` takes it."""

    accuracy: float | None
    energy_kwh: float | None
    uncertainty_kwh: float = 0.0
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The ranks of one result among those that have a score, 1 is the best."""

    by_accuracy: int
    by_sam: int

    @property
    def rise(self) -> int:
        """How many ranks it stands higher by SAM than by accuracy; below 0 it falls."""
        return self.by_accuracy - self.by_sam


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAt:
    """The order by SAM with one alpha and unit: a rank for each result, None where it has no score.

    `tau_b` compares it with the configured order, over the results that have a score in both.
    """

    alpha: float
    unit: str
    ranks: tuple[int | None, ...]
    tau_b: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The alpha at which two results have the same score: above it the more accurate one leads."""

    alpha: float
    more_accurate: int  # indices of the results
    more_frugal: int


def competition_ranks(values: Iterable[float | None]) -> list[int | None]:
    """The rank of each value, the greatest first: equal values share the rank that the first of them has,
    and the next ones are as many lower ("1224"). None is not ranked."""
    given = list(values)
    ordered = sorted((value for value in given if value is not None), reverse=True)
    first: dict[float, int] = {}
    for rank, value in enumerate(ordered, start=1):
        first.setdefault(value, rank)
    return [None if value is None else first[value] for value in given]


def places(candidates: Sequence[Candidate], *, alpha: float = 5.0, unit: str = "kWh") -> list[Place | None]:
    """Where each result stands by accuracy and by SAM; None for one that has no score."""
    by_sam = _ranks_by_sam(candidates, alpha, unit)
    scored = zip(candidates, by_sam, strict=True)
    by_accuracy = competition_ranks(None if rank is None else each.accuracy for each, rank in scored)
    return [
        None if accurate is None or frugal is None else Place(by_accuracy=accurate, by_sam=frugal)
        for accurate, frugal in zip(by_accuracy, by_sam, strict=True)
    ]


def orders_over_alpha(
    candidates: Sequence[Candidate],
    *,
    alpha: float = 5.0,
    unit: str = "kWh",
    alphas: Iterable[float] = ALPHAS,
) -> list[OrderAt]:
    """The order by SAM for each of the alphas, against the one with `alpha`."""
    return _orders(candidates, alpha, unit, [(each, unit) for each in alphas])


def orders_over_unit(
    candidates: Sequence[Candidate], *, alpha: float = 5.0, unit: str = "kWh", units: Iterable[str] = UNITS
) -> list[OrderAt]:
    """The order by SAM for each unit of electricity, against the one with `unit`.

    The larger the unit, the more results are at or below one of it and have no score.
    """
    return _orders(candidates, alpha, unit, [(alpha, each) for each in units])


def _orders(
    candidates: Sequence[Candidate], alpha: float, unit: str, grid: Iterable[tuple[float, str]]
) -> list[OrderAt]:
    configured = _ranks_by_sam(candidates, alpha, unit)
    orders = []
    for at_alpha, at_unit in grid:
        ranks = _ranks_by_sam(candidates, at_alpha, at_unit)
        both = [(a, b) for a, b in zip(configured, ranks, strict=True) if a is not None and b is not None]
        tau_b = kendall_tau_b([a for a, _ in both], [b for _, b in both])
        orders.append(OrderAt(alpha=at_alpha, unit=at_unit, ranks=tuple(ranks), tau_b=tau_b))
    return orders


def _ranks_by_sam(candidates: Iterable[Candidate], alpha: float, unit: str) -> list[int | None]:
    scores = (
        sam_of_measurement(
            each.accuracy,
            each.energy_kwh,
            uncertainty_kwh=each.uncertainty_kwh,
            is_lower_bound=each.is_lower_bound,
            alpha=alpha,
            beta=1.0,
            unit=unit,
        )
        for each in candidates
    )
    return competition_ranks(None if isinstance(score, Undefined) else score for score in scores)


def crossings(candidates: Sequence[Candidate], *, unit: str = "kWh") -> list[Crossing]:
    """Every alpha above 0 at which two results swap, from the least; of each pair there is one or none.

    ln(log E1 / log E2) / ln(a1 / a2), where a1**alpha / log(E1) = a2**alpha / log(E2). A pair swaps only
    where the more accurate result took more electricity; one that is better in both leads at any alpha.
    It looks at all pairs, so give it the few that a page shows.
    """
    per_kwh = UNITS_PER_KWH[unit]
    scored = [
        (each.accuracy, math.log(each.energy_kwh * per_kwh), index)
        for index, (each, rank) in enumerate(
            zip(candidates, _ranks_by_sam(candidates, 1.0, unit), strict=True)
        )
        if rank is not None and each.accuracy and each.energy_kwh
    ]
    found = [
        Crossing(
            alpha=math.log(most / least) / math.log(better / worse),
            more_accurate=accurate,
            more_frugal=frugal,
        )
        for better, most, accurate in scored
        for worse, least, frugal in scored
        if better > worse and most > least
    ]
    return sorted(found, key=lambda each: (each.alpha, each.more_accurate, each.more_frugal))
