"""How a GPU that several runs hold at once is split: by what each of them was given of it.

The whole device's energy goes to those who hold it, in proportion to what they hold: slices, shards and
percentages that nobody holds, and the idle floor, are shared likewise. Which rule holds is decided for each
piece of the device's energy: the first by which every holder's part is known, else they count equally.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from sam_cluster.core.model import Flag, ShareRule
from sam_cluster.core.units import MICROSECONDS_PER_SECOND

from .split import Holder, Reading

#: A holder may be seen so long after its end by accounting: its epilog runs then, and two clocks differ.
END_MARGIN_MICROSECONDS = 600 * MICROSECONDS_PER_SECOND

RULES = tuple(ShareRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounted:
    """What Slurm's accounting says of a run, of all its nodes and GPUs together; None is not known."""

    gpu_shards: int | None = None
    gpu_mps: int | None = None
    nodes: int | None = None
    ended_at_microseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Division:
    """The weights of some holders, in their order; 0 for one whose job was over."""

    rule: ShareRule
    weights: list[int]

    @property
    def sharers(self) -> int:
        """How many have a part."""
        return sum(weight > 0 for weight in self.weights)

    def flags(self, weight: int) -> frozenset[Flag]:
        """What is to say of the part of a holder of this weight."""
        if not weight:
            return frozenset({Flag.AFTER_END})
        if self.rule is ShareRule.WHOLE:
            return frozenset()
        return frozenset({Flag.SHARED, *([Flag.SHARED_EQUALLY] if self.rule is ShareRule.EQUAL else [])})


Divider = Callable[[Sequence[Holder], int], Division]


def divider(readings: Iterable[Reading], accounted: Mapping[Holder, Accounted]) -> Divider:
    """How one GPU is divided between holders from an instant (UTC) on, by its readings and by accounting."""
    slices: dict[Holder, int] = {}
    devices: dict[Holder, int] = {}
    for reading in readings:
        for known, told in ((slices, reading.mig_slices), (devices, reading.gpus_held)):
            if told is not None:
                known[reading.holder] = max(known.get(reading.holder, 0), told)

    def part(holder: Holder, rule: ShareRule) -> Fraction | None:
        if rule is ShareRule.MIG_SLICES:
            count: int | None = slices.get(holder)
            return Fraction(count) if count else None
        told = accounted.get(holder, Accounted())
        count = told.gpu_shards if rule is ShareRule.SHARDS else told.gpu_mps
        # Accounting has one count for all of a run's GPUs, and does not say how much is on which.
        return Fraction(count, (told.nodes or 1) * devices.get(holder, 1)) if count else None

    def divide_between(holders: Sequence[Holder], from_at: int) -> Division:
        def is_over(holder: Holder) -> bool:
            ended = accounted.get(holder, Accounted()).ended_at_microseconds
            return ended is not None and ended + END_MARGIN_MICROSECONDS <= from_at

        live = [holder for holder in holders if not is_over(holder)] or list(holders)
        if len(live) == 1:
            return Division(ShareRule.WHOLE, [int(holder in live) for holder in holders])
        for rule in (ShareRule.MIG_SLICES, ShareRule.SHARDS, ShareRule.MPS):
            parts = {holder: part(holder, rule) for holder in live}
            known = {holder: share for holder, share in parts.items() if share is not None}
            if len(known) == len(live):
                scale = lcm(*(share.denominator for share in known.values()))
                return Division(rule, [int(known.get(holder, Fraction(0)) * scale) for holder in holders])
        return Division(ShareRule.EQUAL, [int(holder in live) for holder in holders])

    return divide_between


def equally(holders: Sequence[Holder], from_at: int) -> Division:
    """The division where nothing is known of what the holders were given."""
    return divider((), {})(holders, from_at)
