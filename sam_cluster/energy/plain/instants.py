"""The instants at which the energy of many GPUs is known, and which interval lies between two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam_cluster.core.model import Kind
from sam_cluster.core.units import MICROSECONDS_PER_HOUR
from sam_cluster.energy.split import CLOCK_STEP_MICROSECONDS

from .columns import KINDS, UNKNOWN, Columns, Intervals, Mask, Numbers

LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Instants:
    """By chain and uptime, each once. What lies between one and the next of its chain is a piece, as
    `split.Piece`; the piece that ends at an instant is named by it."""

    chain: Numbers
    unit: Numbers
    uptime: Numbers
    at: Numbers
    energy: Numbers
    is_known: Mask  # somebody's own boundary is there
    is_cut: Mask  # and it is of a GPU that nobody held
    opening: Numbers  # row of the start, or of the reading while nobody held the GPU, there; UNKNOWN: none
    interval: Numbers  # over the piece that ends there; UNKNOWN: nobody held the GPU

    @property
    def is_first(self) -> Mask:
        """Whether it is the first of its chain: no piece ends there."""
        return np.append(True, self.chain[1:] != self.chain[:-1])[: len(self.chain)]


def instants(columns: Columns, found: Intervals) -> tuple[Instants, Numbers]:
    """The instants, and the units with one that is in doubt: no value, two values or two starts there, two
    intervals over one piece, a counter that runs backwards, a piece that is not in the hour of its interval
    or over a step of the clock."""
    c = columns
    # Where a run's boundary before has not come, the one after it tells of the instant.
    told = found.row[found.before == UNKNOWN]
    chain, unit, uptime = c.chain, c.unit, c.uptime
    own_at, told_at, energy, row = c.at, c.at, c.energy, np.arange(len(c))
    if len(told):
        more = [(chain, c.chain[told]), (unit, c.unit[told]), (uptime, c.since_uptime[told])]
        more += [(own_at, np.full(len(told), LATEST)), (told_at, c.since_at[told])]
        more += [(energy, c.since_energy[told]), (row, np.full(len(told), UNKNOWN))]
        order = np.lexsort((np.append(uptime, c.since_uptime[told]), np.append(chain, c.chain[told])))
        chain, unit, uptime, own_at, told_at, energy, row = (np.append(*both)[order] for both in more)
    is_own = row >= 0
    is_opening = is_own & c.is_opening[row]
    is_idle = is_own & (c.kind[row] == KINDS.index(Kind.IDLE))
    is_interval = np.zeros(len(c), np.bool_)
    is_interval[found.row] = True
    ends = is_own & is_interval[row]

    differs = (chain[1:] != chain[:-1]) | (uptime[1:] != uptime[:-1])
    first = np.flatnonzero(np.append(True, differs)[: len(row)])
    at = np.minimum.reduceat(own_at, first)
    at = np.where(at == LATEST, np.minimum.reduceat(told_at, first), at)
    least, most = np.minimum.reduceat(energy, first), np.maximum.reduceat(energy, first)
    openings = np.add.reduceat(is_opening.astype(np.int64), first)
    ended: Numbers = np.cumsum(ends) - ends  # intervals that end before a reading
    each = Instants(
        chain=chain[first],
        unit=unit[first],
        uptime=uptime[first],
        at=at,
        energy=least,
        is_known=np.logical_or.reduceat(is_own, first),
        is_cut=np.logical_or.reduceat(is_own, first) & ~np.logical_or.reduceat(is_own & ~is_idle, first),
        opening=np.maximum.reduceat(np.where(is_opening, row, UNKNOWN), first),
        interval=_over(c, found, chain[first], uptime[first], ended[first]),
    )
    doubtful = (least != most) | (least < 0) | (openings > 1)
    return each, np.concatenate(
        [each.unit[doubtful | _is_doubtful(each, found)], c.unit[found.row[_overlap(c, found)]]]
    )


def _over(c: Columns, found: Intervals, chain: Numbers, uptime: Numbers, ended: Numbers) -> Numbers:
    """The interval over the piece that ends at an instant: the next that ends, if it has begun before."""
    if not len(found.row):
        return np.full(len(chain), UNKNOWN)
    following = np.minimum(ended, len(found.row) - 1)
    row = found.row[following]
    is_over = (ended < len(found.row)) & (c.chain[row] == chain) & (c.since_uptime[row] < uptime)
    return np.where(is_over, following, UNKNOWN)


def _overlap(c: Columns, found: Intervals) -> Numbers:
    """Intervals that begin before the one that ended before them."""
    chain, start, end = c.chain[found.row], c.since_uptime[found.row], c.uptime[found.row]
    return np.flatnonzero((chain[1:] == chain[:-1]) & (start[1:] < end[:-1])) + 1


def _is_doubtful(each: Instants, found: Intervals) -> Mask:
    """Which pieces are."""
    continues = ~each.is_first
    from_at, span = np.append(0, each.at[:-1]), np.diff(each.uptime, prepend=0)
    backwards = continues & (np.diff(each.energy, prepend=0) < 0)
    held = each.interval >= 0
    hour = np.zeros_like(each.at)
    hour[held] = found.hour[each.interval[held]]
    outside = (from_at < hour) | (from_at >= hour + MICROSECONDS_PER_HOUR)
    outside |= each.at > hour + MICROSECONDS_PER_HOUR
    stepped = np.abs(each.at - from_at - span) > CLOCK_STEP_MICROSECONDS
    doubtful: Mask = backwards | (held & (outside | stepped))
    return doubtful
