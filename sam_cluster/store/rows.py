"""Rows of a table as Arrow: their order, their day, their extent in time, and their canonical digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.cores import on_all_cores
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

from .numbers import Mask, Numbers, integers, mask, numbers_across, order_of
from .schemas import DAY_COLUMN, KEYS, TABLES, TELLING

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
#: Between the values of a text of `joined`.
SEPARATOR = "\x1f"

#: First and last instant of a row, where they are plain columns; where one is null, the next.
EXTENT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "shards": (("started_at",), ("ended_at",)),
    "samples": (("at",), ("at",)),
    "runs": (("started_at",), ("ended_at",)),
    "jobs": (("started_at", "ended_at"), ("ended_at", "started_at")),
    "accounting": (("started_at", "submitted_at"), ("ended_at", "started_at", "submitted_at")),
    "shares": (("day",), ("taken_at",)),
    "results": (("submitted_at",), ("submitted_at",)),
    "confirmations": (("submitted_at",), ("submitted_at",)),
}

#: End and begin of a row that has them on both clocks.
BOTH_CLOCKS: dict[str, tuple[str, str, str, str]] = {
    "readings": ("at", "uptime_microseconds", "since_at", "since_uptime_microseconds"),
    "gaps": ("to_at", "to_uptime_microseconds", "from_at", "from_uptime_microseconds"),
}

#: A row is filed under the day of DAY_COLUMN; where that is null (a job still runs), of these.
DAY_FALLBACK = ("started_at", "submitted_at")


def from_rows(table: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the table's columns; instants may be integers (microseconds UTC)."""
    return pa.Table.from_pylist(list(rows), schema=TABLES[table])


def to_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries; instants are integers (microseconds UTC)."""
    plain = pa.table({name: _plain(rows[name]) for name in rows.column_names})
    return list(plain.to_pylist())


@cache
def empty(table: str) -> pa.Table:
    """No rows."""
    return TABLES[table].empty_table()


def in_order(table: str, rows: pa.Table) -> pa.Table:
    """The rows by the table's keys, in one chunk, so that the same rows make the same bytes."""
    return _taken(rows, _order(table, rows))


def day_of(instant_microseconds: int) -> date:
    """The UTC day of an instant."""
    return _day(instant_microseconds // MICROSECONDS_PER_DAY)


def day_start(day: date) -> int:
    """The first microsecond of a UTC day."""
    return (day.toordinal() - EPOCH_ORDINAL) * MICROSECONDS_PER_DAY


def by_day(table: str, rows: pa.Table) -> dict[date | None, pa.Table]:
    """The rows by the day they are filed under, days ascending; {None: rows} for a table without days."""
    found = days_of(table, rows)
    if len(found) == 1:
        return dict.fromkeys(found, rows)
    return {day: rows.filter(pa.array(of_day)) for day, of_day in found.items()}


def in_order_by_day(table: str, rows: pa.Table) -> dict[date | None, pa.Table]:
    """As `by_day`, with the rows of each day `in_order`, though each is moved once only."""
    if table not in DAY_COLUMN:
        return {None: in_order(table, rows)} if len(rows) else {}
    days = _days(table, rows)
    order = _order(table, rows, days)
    ordered, days = _taken(rows, order), days[order]
    edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    return {_day(int(days[begin])): ordered[begin:end] for begin, end in pairwise(edges) if begin < end}


def days_of(table: str, rows: pa.Table) -> dict[date | None, Mask]:
    """The days that rows are filed under, and which of them are; {None: all} for a table without days."""
    if table not in DAY_COLUMN:
        return {None: np.ones(len(rows), np.bool_)} if len(rows) else {}
    days = _days(table, rows)
    return {_day(day): days == day for day in np.unique(days).tolist()}


def identifying(table: str) -> tuple[str, ...]:
    """The columns that say which row of a table one is, and what day it is filed under."""
    filed = (DAY_COLUMN[table], *DAY_FALLBACK) if table in DAY_COLUMN else ()
    return tuple(name for name in TABLES[table].names if name in (*KEYS[table], *filed))


def without(table: str, rows: pa.Table, gone: pa.Table) -> pa.Table:
    """The rows whose keys none of those that are gone has."""
    at = np.arange(len(rows))
    for name in KEYS[table]:  # few rows are left after some columns, and as a rule none
        column = rows[name] if len(at) == len(rows) else rows[name].take(pa.array(at))
        at = at[mask(pc.is_in(column, gone[name].combine_chunks()))]
    if not len(at):
        return rows
    of_gone, of_row = numbers_across(KEYS[table], gone, rows.select(KEYS[table]).take(pa.array(at)))
    kept = np.ones(len(rows), np.bool_)
    kept[at[np.isin(of_row, of_gone)]] = False
    return rows.filter(pa.array(kept))


def extents(table: str, rows: pa.Table) -> tuple[pa.Array, pa.Array]:
    """The first and the last microsecond of each row.

    A reading reaches back to the boundary before it, and a gap to its begin, on both clocks: where the wall
    clock stepped in between, the extent holds every instant that either side of the step can have shown.
    """
    if table == "usage":
        start = _microseconds(rows, "hour")
        return start, pc.add(start, MICROSECONDS_PER_HOUR - 1)
    if table in BOTH_CLOCKS:
        end, end_uptime, begin, begin_uptime = (_microseconds(rows, name) for name in BOTH_CLOCKS[table])
        return over_both_clocks(begin, end, pc.subtract(end_uptime, begin_uptime))
    firsts, lasts = (pc.coalesce(*(_microseconds(rows, name) for name in names)) for names in EXTENT[table])
    return pc.min_element_wise(firsts, lasts), pc.max_element_wise(firsts, lasts)


def over_both_clocks(begin: pa.Array, end: pa.Array, span: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The first and the last microsecond that the wall clock can have shown between two instants that are a
    span apart by the other clock; `begin` and `span` may be null."""
    first = pc.min_element_wise(begin, end, pc.subtract(end, span))
    return first, pc.max_element_wise(begin, end, pc.add(begin, span))


def extent_columns(table: str) -> tuple[str, ...]:
    """The columns that `extents` needs."""
    if table == "usage":
        return ("hour",)
    if table in BOTH_CLOCKS:
        return BOTH_CLOCKS[table]
    return tuple(dict.fromkeys(name for names in EXTENT[table] for name in names))


def joined(rows: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray:
    """One text a row made of some columns, to look rows up by several at once; instants are integers."""
    texts = [pc.fill_null(_plain(rows[name]).cast(pa.string()), "") for name in columns]
    return pc.binary_join_element_wise(*texts, SEPARATOR) if len(texts) > 1 else texts[0]


def only(rows: pa.Table, kept: pa.ChunkedArray) -> pa.Table:
    """The rows that are kept; where that is all of them, as mostly, without a copy."""
    return rows if pc.all(kept, skip_nulls=False).as_py() else rows.filter(kept)


def once(table: str, rows: pa.Table) -> pa.Table:
    """The first row of each key."""
    keys = rows.select(KEYS[table]).append_column("row", pa.array(range(len(rows)), pa.int64()))
    first = keys.group_by(list(KEYS[table]), use_threads=False).aggregate([("row", "min")])["row_min"]
    return rows if len(first) == len(rows) else rows.take(first)


def _order(table: str, rows: pa.Table, *before: Numbers) -> Numbers:
    """The rows by numbers, one a row, and the table's keys."""
    keys = [key for key in KEYS[table] if key in rows.column_names]
    columns = [*before, *(rows[key] for key in keys)]
    telling = TELLING.get(table)
    first = len(before) + keys.index(telling) + 1 if telling in keys else None
    return order_of(columns, first) if columns else np.arange(len(rows))


def _taken(rows: pa.Table, order: Numbers) -> pa.Table:
    """The rows in an order, in one chunk; those that are in it are not moved."""
    places = None if np.all(order[1:] > order[:-1]) else pa.array(order)

    def moved(column: pa.ChunkedArray) -> pa.Array:
        whole = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        return whole if places is None else whole.take(places)

    return pa.Table.from_arrays(on_all_cores(moved, rows.columns, len(rows)), schema=rows.schema)


def _days(table: str, rows: pa.Table) -> Numbers:
    """The day that each row is filed under, counted from 1970."""
    names = [DAY_COLUMN[table], *(name for name in DAY_FALLBACK if name in rows.column_names)]
    days: Numbers = integers(pc.coalesce(*(rows[name] for name in names))) // MICROSECONDS_PER_DAY
    return days


def _day(number: int) -> date:
    return date.fromordinal(EPOCH_ORDINAL + number)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def _microseconds(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return rows[name].cast(pa.int64())
