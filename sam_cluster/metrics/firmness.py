"""How firm an order of scores is of which each is only known to lie somewhere in a range.

Each score may be anywhere in its own range, whatever the others are: that is the most that an order can be
off. Where scores are off together, as with energies of one model of GPU, it is firmer.
"""

from __future__ import annotations

from collections.abc import Sequence

Range = tuple[float, float]  # the lowest and the highest that a score may be


def keep_their_places(ranges: Sequence[Range]) -> list[bool]:
    """Of each score whether its place is the same wherever all are in their ranges: no other's range meets
    its own."""
    by_lowest = sorted(range(len(ranges)), key=lambda place: ranges[place])
    keeps = [True] * len(ranges)
    highest, its_place = float("-inf"), -1
    for place in by_lowest:
        low, high = ranges[place]
        if its_place >= 0 and low <= highest:
            keeps[place] = keeps[its_place] = False
        if high > highest or its_place < 0:
            highest, its_place = high, place
    return keeps


def may_be_first(ranges: Sequence[Range]) -> list[int]:
    """The places of the scores that somewhere in the ranges are the greatest, or as great as the greatest."""
    most = max((low for low, _ in ranges), default=0.0)
    return [place for place, (_, high) in enumerate(ranges) if high >= most]
