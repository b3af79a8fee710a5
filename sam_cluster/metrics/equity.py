"""Indices of how evenly a total is shared between groups.

x_i is what group i used, w_i its weight (head count, or granted share; 1 where none is given). All are
functions of p_i = x_i / sum(x) and q_i = w_i / sum(w): they know neither units nor totals, and two
groups with the same use per weight count as equal. Values are a population, not a sample: no index is
corrected for a small n. Each is `Undefined` for no group, for one group, and where nobody used anything.

Each takes any sequence or array of numbers, and raises ValueError for a value that is negative or not
finite, a weight that is not above 0, or weights of another number than the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import SupportsFloat

from .domain import Undefined, UndefinedReason, amount, amounts

Shares = list[tuple[float, float]]  # (p, q) of each group, from the least p / q to the greatest


def _normalised(numbers: list[float]) -> list[float]:
    greatest = max(numbers)  # divided by first, so that no sum of large numbers overflows
    scaled = [number / greatest for number in numbers]
    whole = math.fsum(scaled)
    return [number / whole for number in scaled]


def _shares(values: Iterable[SupportsFloat], weights: Iterable[SupportsFloat] | None) -> Shares | Undefined:
    used = amounts(values, "values")
    weighted = [1.0] * len(used) if weights is None else amounts(weights, "weights")
    if len(weighted) != len(used):
        raise ValueError(f"there are {len(used)} values, but {len(weighted)} weights")
    if 0.0 in weighted:
        raise ValueError(f"weights[{weighted.index(0.0)}] must be above 0: leave out a group that has none")
    if not used:
        return Undefined(UndefinedReason.NO_VALUES)
    if len(used) == 1:
        return Undefined(UndefinedReason.ONE_VALUE)
    if not any(used):
        return Undefined(UndefinedReason.ALL_ZERO)
    pairs = zip(_normalised(used), _normalised(weighted), strict=True)
    # The whole pair is in the key, so that the result is the same to the bit in whatever order they come.
    return sorted(pairs, key=lambda pair: (pair[0] / pair[1], pair))


def gini(
    values: Iterable[SupportsFloat], weights: Iterable[SupportsFloat] | None = None
) -> float | Undefined:
    """Gini coefficient: 0 where all have the same per weight, (n - 1) / n where one of n has it all.

    1 - sum((2 * sum(p_k for k <= i) - p_i) * q_i) with groups in the order of p / q: one minus twice the
    area under the Lorenz curve.
    """
    shares = _shares(values, weights)
    if isinstance(shares, Undefined):
        return shares
    up_to = accumulate(p for p, _ in shares)
    area = math.fsum((2 * cumulated - p) * q for cumulated, (p, q) in zip(up_to, shares, strict=True))
    return max(0.0, 1.0 - area)


def jain(
    values: Iterable[SupportsFloat], weights: Iterable[SupportsFloat] | None = None
) -> float | Undefined:
    """Jain's fairness index: 1 where all have the same per weight, k / n where k of n share it all.

    1 / sum(p**2 / q), which unweighted is (sum x)**2 / (n * sum(x**2)). Source: Jain, Chiu and Hawe,
    DEC Research Report TR-301, 1984.
    """
    shares = _shares(values, weights)
    if isinstance(shares, Undefined):
        return shares
    return min(1.0, 1.0 / math.fsum(p / q * p for p, q in shares))


def hoover(
    values: Iterable[SupportsFloat], weights: Iterable[SupportsFloat] | None = None
) -> float | Undefined:
    """Hoover index: the part of the total that would have to move for all to have the same per weight.

    sum(abs(p - q)) / 2, from 0 to (n - 1) / n.
    """
    shares = _shares(values, weights)
    if isinstance(shares, Undefined):
        return shares
    return math.fsum(abs(p - q) for p, q in shares) / 2


def theil_t(
    values: Iterable[SupportsFloat], weights: Iterable[SupportsFloat] | None = None
) -> float | Undefined:
    """Theil's T in nats: 0 where all have the same per weight, ln(n) where one of n has it all.

    sum(p * ln(p / q)), where a group that used nothing adds 0.
    """
    shares = _shares(values, weights)
    if isinstance(shares, Undefined):
        return shares
    return _theil(shares)


def _theil(shares: Iterable[tuple[float, float]]) -> float:
    return max(0.0, math.fsum(p * (math.log(p) - math.log(q)) for p, q in shares if p > 0))


@dataclass(frozen=True, slots=True)
class TheilParts:
    """Theil's T over people (nats), split into what lies between their groups and within them."""

    between: float
    within: float

    @property
    def total(self) -> float:
        """Theil's T over all people, whatever group they are in."""
        return self.between + self.within


def theil_parts(groups: Sequence[Iterable[SupportsFloat]]) -> TheilParts | Undefined:
    """Theil's T over the people of all groups, split; each group is given as what its people used.

    With P_g the group's part of the total and Q_g its part of the people: between is
    sum(P_g * ln(P_g / Q_g)), within is sum(P_g * T_g). A group without people takes no part.
    """
    peopled = [amounts(members, f"groups[{index}]") for index, members in enumerate(groups)]
    everyone = [used for members in peopled for used in members]
    if isinstance(undefined := _shares(everyone, None), Undefined):
        return undefined
    parts = iter(_normalised(everyone))
    between, within = [], 0.0
    for members in peopled:
        shares = [next(parts) for _ in members]
        if whole := math.fsum(shares):
            between.append((whole, len(members) / len(everyone)))
            within += whole * _theil((share / whole, 1 / len(members)) for share in shares)
    return TheilParts(between=_theil(between), within=within)


def lorenz(
    values: Iterable[SupportsFloat], weights: Iterable[SupportsFloat] | None = None
) -> list[tuple[float, float]] | Undefined:
    """The Lorenz curve's corners, from (0, 0) to (1, 1): part of the weight, and the part of the total
    used by those who used least per weight."""
    shares = _shares(values, weights)
    if isinstance(shares, Undefined):
        return shares
    used = accumulate(p for p, _ in shares[:-1])
    weight = accumulate(q for _, q in shares[:-1])
    return [(0.0, 0.0), *zip(weight, used, strict=True), (1.0, 1.0)]


def level_fs(share_granted: SupportsFloat, share_used: SupportsFloat) -> float | Undefined:
    """LevelFS as Slurm's Fair Tree has it: what was granted over what was used, both as parts of their sum.

    Above 1 a group used less than it was granted, below 1 more; 0 where nothing was granted. Undefined
    where something was granted and nothing used, for which Slurm has infinity. Slurm's own is of decayed
    usage in billing units among siblings: of energy it is the same formula and another figure. Raises
    ValueError for a share outside 0 to 1. Source: fair_tree.c of Slurm's priority/multifactor.
    """
    granted, used = amount(share_granted, "share_granted"), amount(share_used, "share_used")
    if max(granted, used) > 1:
        raise ValueError(f"a share is from 0 to 1, got {max(granted, used):g}")
    if granted == 0:
        return 0.0
    return granted / used if used else Undefined(UndefinedReason.NOTHING_USED)
