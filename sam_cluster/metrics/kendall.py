"""How far two orders of the same results agree."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Sequence

from .domain import Undefined, UndefinedReason


def kendall_tau_b(one: Sequence[float], other: Sequence[float]) -> float | Undefined:
    """Kendall's tau-b of two orders: 1 where they agree on every pair, -1 where they do on none.

    (C - D) / sqrt((P - T1) * (P - T2)): C and D are the pairs in the same and in opposite order, P all
    pairs, T1 and T2 those tied in each. Source: Kendall, "The treatment of ties in ranking problems",
    Biometrika 33, 1945. Undefined for fewer than two results and where all are tied in one of the orders.
    Raises ValueError for orders that are not as long.
    """
    pairs = sorted(zip(one, other, strict=True))
    if len(pairs) < 2:
        return Undefined(UndefinedReason.ONE_VALUE if pairs else UndefinedReason.NO_VALUES)
    discordant = 0
    before: list[float] = []
    # In the order of the one, ties in that of the other: what stands before and is greater is discordant.
    for _, value in pairs:
        discordant += len(before) - bisect_right(before, value)
        insort(before, value)
    every = math.comb(len(pairs), 2)
    tied_in_one, tied_in_other, tied_in_both = (_tied(v) for v in (one, other, pairs))
    if every in (tied_in_one, tied_in_other):
        return Undefined(UndefinedReason.ALL_TIED)
    concordant = every - tied_in_one - tied_in_other + tied_in_both - discordant
    return (concordant - discordant) / math.sqrt((every - tied_in_one) * (every - tied_in_other))


def _tied(values: Iterable[object]) -> int:
    return sum(math.comb(count, 2) for count in Counter(values).values())
