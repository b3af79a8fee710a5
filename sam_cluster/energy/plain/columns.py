"""Readings of many GPUs as columns of integers, and what lies between two of a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sam_cluster.core.model import Flag, Kind
from sam_cluster.core.units import MICROSECONDS_PER_HOUR
from sam_cluster.energy.quality import OUTER_KINDS
from sam_cluster.energy.split import CLOCK_STEP_MICROSECONDS

Numbers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: What is not known. No instant and no energy of a reading is below zero.
UNKNOWN = -1
#: A kind as a number.
KINDS = tuple(Kind)
#: Flags as the bits of a number.
FLAGS = tuple(Flag)
BIT = {flag: 1 << place for place, flag in enumerate(FLAGS)}

_OPENING = np.isin(KINDS, [Kind.START, Kind.IDLE])
_OUTER = np.isin(KINDS, list(OUTER_KINDS))


class Previous(IntEnum):
    """Of which segment the boundary before a start is."""

    NONE = 0  # the start names none
    SAME = 1
    OTHER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Readings, as `split.Reading`, by chain and uptime; UNKNOWN where there is no value.

    A chain is one segment of a GPU, as far as it is divided at once; a unit are the chains of one GPU.
    """

    unit: Numbers  # from 0
    chain: Numbers  # ascending
    holder: Numbers
    kind: Numbers  # its place in KINDS
    at: Numbers
    uptime: Numbers
    energy: Numbers
    uncertainty: Numbers
    since_at: Numbers
    since_uptime: Numbers
    since_energy: Numbers
    previous: Numbers  # as Previous
    previous_at: Numbers
    previous_uptime: Numbers
    previous_energy: Numbers
    power: Numbers  # since the boundary before it
    power_uncertainty: Numbers
    idle_time: Numbers  # since the boundary before it, as the next
    idle_energy: Numbers
    model: Numbers  # of the GPU's model: its place in the alphabet
    flags: Numbers  # a bit for each
    restarted: Mask  # a gap in which the counter restarted, or a bridge over it, comes before it

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def is_opening(self) -> Mask:
        """As `split.Reading.is_opening`."""
        return _OPENING[self.kind]

    @property
    def is_outer(self) -> Mask:
        """Whether a run's energy begins or ends there."""
        return _OUTER[self.kind]


@dataclass(frozen=True, slots=True)
class Intervals:
    """What lies between a run's boundary and the one before it, by chain and last instant."""

    row: Numbers  # of the boundary at its end
    before: Numbers  # row of the boundary at its begin; UNKNOWN where that has not come
    hour: Numbers  # in which it begins, microseconds UTC
    by_run: Numbers  # the intervals by chain, holder and uptime


def intervals(columns: Columns) -> tuple[Intervals, Numbers]:
    """The intervals, and rows that leave one in doubt: of an interval over the border of an hour, over a step
    of the clock, of no length, or at odds with the boundary before it."""
    c = columns
    by_run = _by_run(c)
    chain, holder, uptime = c.chain[by_run], c.holder[by_run], c.uptime[by_run]
    follows = _starts_alike(chain) & _starts_alike(holder)
    twice = follows & (np.diff(uptime, prepend=uptime[:1]) == 0)

    has_interval = ~c.is_opening & (c.since_uptime >= 0)
    is_found = has_interval[by_run]
    at_begin = np.append(0, uptime[:-1])  # where the run's reading before is
    since = c.since_uptime[by_run]
    joins = follows & (at_begin == since)
    before_all = np.full(len(c), UNKNOWN)
    before_all[by_run[joins]] = by_run[np.flatnonzero(joins) - 1]
    overlaps = is_found & follows & (at_begin > since)

    row = np.flatnonzero(has_interval)
    before = before_all[row]
    start, end = c.since_at[row], c.at[row]
    span = c.uptime[row] - c.since_uptime[row]
    hour = start // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
    doubtful = (
        (start < 0)
        | (span <= 0)
        | (np.abs(end - start - span) > CLOCK_STEP_MICROSECONDS)
        | (end > hour + MICROSECONDS_PER_HOUR)
        | ((before >= 0) & (c.energy[before] != c.since_energy[row]))
    )
    number = np.cumsum(has_interval) - 1  # of the interval that ends at a reading
    found = Intervals(row, before, hour, number[by_run[is_found]])
    return found, np.concatenate([by_run[twice | overlaps], row[doubtful]])


def _by_run(c: Columns) -> Numbers:
    """The rows by chain, holder and uptime."""
    return np.lexsort((c.holder, c.chain))


def _starts_alike(values: Numbers) -> Mask:
    """Which values are the same as the one before."""
    return np.append(False, values[1:] == values[:-1])[: len(values)]
