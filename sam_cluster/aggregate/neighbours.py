"""The boundaries next to a stretch of days, on the same segment of the same GPU.

Whether a GPU was idle before a run depends on the boundary before, however long ago that was. It is
looked for day by day, no further back than the node's boot, and forward where a shard came late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

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
    numbers_across,
    one_of_each,
)
from sam_cluster.store.rows import day_start, empty

from .readings import READING_COLUMNS
from .touched import GPU_COLUMNS, Stretch

SEGMENT_COLUMNS = (*GPU_COLUMNS, "segment")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Segments of GPUs whose boundary beside a stretch is looked for, and when their nodes booted. `edge` is
    the uptime of what is known at that side, or below zero: a boundary at midnight is filed under the day
    that begins then, and is none of its own neighbours."""

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


def before(transaction: Transaction, stretch: Stretch, wanted: Wanted) -> pa.Table:
    """The last readings of each before the stretch, where there are any."""
    found = [_nothing()]
    for day in transaction.days("readings", before=stretch.first) if len(wanted) else ():
        # A day's margin, for a clock that was set since.
        wanted = wanted.of(wanted.booted < day_start(day) + 2 * MICROSECONDS_PER_DAY)
        if not len(wanted):
            break
        rows, places = _rows_of(transaction, day, wanted)
        uptimes = integers(rows["uptime_microseconds"])
        last = greatest(uptimes, places, len(wanted))
        found.append(rows.filter(pa.array(uptimes == last[places])))
        wanted = wanted.of(~np.isin(np.arange(len(wanted)), places))
    return pa.concat_tables(found)


def after(transaction: Transaction, stretch: Stretch, wanted: Wanted) -> pa.Table:
    """The first readings of each after the stretch, where there are any, and all whose intervals begin
    before those."""
    found = [_nothing()]
    for day in transaction.days("readings", after=stretch.last) if len(wanted) else ():
        if not len(wanted):
            break
        rows, places = _rows_of(transaction, day, wanted)
        is_later = integers(rows["uptime_microseconds"]) > wanted.edge[places]
        rows, places = rows.filter(pa.array(is_later)), places[is_later]
        if not len(rows):
            continue
        uptimes = integers(rows["uptime_microseconds"])
        is_first = uptimes == least(uptimes, places, len(wanted))[places]
        near = transaction.read(
            "readings",
            start_microseconds=stretch.end,
            end_microseconds=int(integers(rows["at"])[is_first].max()) + 1,
            columns=READING_COLUMNS,
            in_any_order=True,
        )
        is_found = np.isin(np.arange(len(wanted)), places)
        found.append(near.filter(pa.array(wanted.of(is_found).places(near) >= 0)))
        wanted = wanted.of(~is_found)
    return pa.concat_tables(found)


def _rows_of(transaction: Transaction, day: date, wanted: Wanted) -> tuple[pa.Table, Numbers]:
    """The readings of wanted segments on a day that have a value, and of which each is; most days have none,
    which a few columns tell. One without a value divides nothing, and what is looked for lies beyond it."""
    few = transaction.read_day("readings", day, (*SEGMENT_COLUMNS, "energy_millijoules"))
    segments = pc.unique(wanted.segments["segment"])
    rows = few.filter(pc.is_in(few["segment"], segments))
    if not (_with_value(rows, wanted) >= 0).any():
        return _nothing(), np.zeros(0, np.int64)
    rows = transaction.read_day("readings", day, READING_COLUMNS)
    rows = rows.filter(pc.is_in(rows["segment"], segments))
    places = _with_value(rows, wanted)
    return rows.filter(pa.array(places >= 0)), places[places >= 0]


def _with_value(rows: pa.Table, wanted: Wanted) -> Numbers:
    """As `Wanted.places`, of the rows that have a value."""
    return np.where(rows["energy_millijoules"].is_valid().to_numpy(), wanted.places(rows), -1)


def _nothing() -> pa.Table:
    return empty("readings").select(READING_COLUMNS)
