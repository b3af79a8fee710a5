"""The boundaries next to a stretch of days, on the same segment of the same GPU.

Whether a GPU was idle before a run depends on the boundary before, however long ago that was. It is
looked for day by day, no further back than the node's boot, and forward where a shard came late. Two
boundaries are neighbours from either side or from none: whichever came first, the later one says how far
back it is to be looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import (
    Mask,
    Numbers,
    count_of,
    greatest,
    integers,
    least,
    mask,
    numbers_across,
    one_of_each,
)
from sam_cluster.store.rows import day_start, empty
from sam_cluster.store.soundness import LONGEST_INTERVAL

from .readings import READING_COLUMNS
from .touched import GPU_COLUMNS, Stretch

SEGMENT_COLUMNS = (*GPU_COLUMNS, "segment")
#: No uptime is below zero.
NO_INSTANT = -1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Segments of GPUs whose boundary beside a stretch is looked for. `booted` says when their nodes did: no
    boundary from before that is looked for. `edge` is the uptime of what is known at that side: a boundary at
    midnight is filed under the day that begins then, and is none of its own neighbours."""

    segments: pa.Table  # SEGMENT_COLUMNS, each once
    booted: Numbers
    edge: Numbers

    def __len__(self) -> int:
        return len(self.segments)

    def of(self, which: Mask) -> Wanted:
        """Some of them."""
        return Wanted(self.segments.filter(pa.array(which)), self.booted[which], self.edge[which])

    def places(self, rows: pa.Table) -> Numbers:
        """Which of them each row is of; below zero where it is of none."""
        mine, theirs = numbers_across(SEGMENT_COLUMNS, self.segments, rows)
        return one_of_each(np.arange(len(mine)), mine, count_of(mine, theirs))[theirs]


class Beside(NamedTuple):
    """The boundaries beside a stretch, and boundaries that lie on its other side by uptime: between these and
    the stretch the wall clock was set back."""

    near: pa.Table
    astray: pa.Table


def before(transaction: Transaction, stretch: Stretch, wanted: Wanted) -> Beside:
    """The last readings of each before the stretch, where there are any."""
    found, astray = [_nothing()], [_nothing()]
    for day in transaction.days("readings", before=stretch.first) if len(wanted) else ():
        wanted = wanted.of(_reach(wanted.booted, day))
        if not len(wanted):
            break
        rows, at, places = _rows_of(transaction, day, wanted)
        uptimes = integers(rows["uptime_microseconds"])[at]
        is_earlier = uptimes < wanted.edge[places]
        astray.append(rows.take(pa.array(at[~is_earlier])))
        at, places, uptimes = at[is_earlier], places[is_earlier], uptimes[is_earlier]
        last = greatest(uptimes, places, len(wanted))
        found.append(rows.take(pa.array(at[uptimes == last[places]])))
        wanted = wanted.of(~np.isin(np.arange(len(wanted)), places))
    return Beside(pa.concat_tables(found), pa.concat_tables(astray))


def after(transaction: Transaction, stretch: Stretch, wanted: Wanted) -> Beside:
    """The first readings of each after the stretch, where there are any that look back as far, and all whose
    intervals begin before those."""
    found, astray = [_nothing()], [_nothing()]
    for day in transaction.days("readings", after=stretch.last) if len(wanted) else ():
        if not len(wanted):
            break
        rows, at, places = _rows_of(transaction, day, wanted)
        rows = rows.take(pa.array(at))
        uptimes = integers(rows["uptime_microseconds"])
        is_later = uptimes > wanted.edge[places]
        is_outside = ~is_later & (integers(rows["at"]) > stretch.end)
        astray.append(rows.filter(pa.array(is_outside & _reach(boots(rows), stretch.last))))
        rows, places, uptimes = rows.filter(pa.array(is_later)), places[is_later], uptimes[is_later]
        if not len(rows):
            continue
        is_first = uptimes == least(uptimes, places, len(wanted))[places]
        booted = least(boots(rows)[is_first], places[is_first], len(wanted))
        is_found = np.isin(np.arange(len(wanted)), places)
        is_near = is_found & _reach(booted, stretch.last)
        is_first &= is_near[places]
        if is_first.any():
            near = transaction.read(
                "readings",
                start_microseconds=stretch.end,
                end_microseconds=int(integers(rows["at"])[is_first].max()) + 1,
                columns=READING_COLUMNS,
                in_any_order=True,
            )
            found.append(near.filter(pa.array(wanted.of(is_near).places(near) >= 0)))
        wanted = wanted.of(~is_found)
    return Beside(pa.concat_tables(found), pa.concat_tables(astray))


def boots(rows: pa.Table) -> Numbers:
    """When the node of each reading booted by its earliest word, microseconds UTC: where its clock was set
    since, the boundary before it says otherwise than itself. What it says of more than a year ago, as where
    a clock had not been set yet, is not looked for: what lies between is known by its word."""
    is_same = pc.equal(rows["previous_segment"], rows["segment"])
    at, since_at, previous_at = (rows[name].cast(pa.int64()) for name in ("at", "since_at", "previous_at"))
    earliest = pc.min_element_wise(
        pc.subtract(at, rows["uptime_microseconds"]),
        pc.subtract(since_at, rows["since_uptime_microseconds"]),
        pc.if_else(is_same, pc.subtract(previous_at, rows["previous_uptime_microseconds"]), None),
    )
    return np.maximum(integers(earliest), integers(at) - LONGEST_INTERVAL)


def _reach(booted: Numbers, day: date) -> Mask:
    """Whether what was booted then can have a boundary on a day; with a day's margin, for a clock that was
    set since."""
    return booted < day_start(day) + 2 * MICROSECONDS_PER_DAY


def _rows_of(transaction: Transaction, day: date, wanted: Wanted) -> tuple[pa.Table, Numbers, Numbers]:
    """The readings of a day, which of them are of wanted segments and have a value, and of which segment each
    of these is; most days have none, which a few columns tell. One without a value divides nothing, and what
    is looked for lies beyond it."""
    few = transaction.read_day("readings", day, (*SEGMENT_COLUMNS, "energy_millijoules"))
    is_one = pc.is_in(few["segment"], pc.unique(wanted.segments["segment"]))
    at = np.flatnonzero(mask(pc.and_(is_one, few["energy_millijoules"].is_valid())))
    places = wanted.places(few.take(pa.array(at)))
    at, places = at[places >= 0], places[places >= 0]
    if not len(at):
        return _nothing(), at, places
    return transaction.read_day("readings", day, READING_COLUMNS), at, places


def _nothing() -> pa.Table:
    return empty("readings").select(READING_COLUMNS)
