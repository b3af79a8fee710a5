"""The boundaries next to a stretch of days, on the same segment of the same GPU.

Whether a GPU was idle before a run depends on the boundary before, however long ago that was. It is
looked for day by day, no further back than the node's boot, and forward where a shard came late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import among, day_of, empty, once

from .touched import GPU_COLUMNS, Gpu, Stretch

SEGMENT_COLUMNS = (*GPU_COLUMNS, "segment")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A segment of a GPU whose boundary beside a stretch is looked for, and when its node booted. `edge` is
    the uptime of what is known at that side: a boundary at midnight is filed under the day that begins then,
    and is none of its own neighbours."""

    gpu: Gpu
    segment: str
    stretch: Stretch
    booted_microseconds: int
    edge: int | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Its value of SEGMENT_COLUMNS."""
        return (*self.gpu, self.segment)


def before(transaction: Transaction, wanted: Iterable[Wanted]) -> dict[Stretch, pa.Table]:
    """The last readings of each before its stretch, where there are any."""
    found: dict[Stretch, list[pa.Table]] = {}
    for stretch, group in _by_stretch(wanted):
        sought = {each.key: each for each in group}
        for day in transaction.days("readings", before=stretch.first):
            # A day's margin, for a clock that was set since.
            sought = {
                key: each
                for key, each in sought.items()
                if day_of(max(each.booted_microseconds - MICROSECONDS_PER_DAY, 0)) <= day
            }
            if not sought:
                break
            last = _nearest(_rows_of(transaction, day, sought), latest=True)
            found.setdefault(stretch, []).append(last)
            for key in set(_keys(last)):
                del sought[key]
    return _joined(found)


def after(transaction: Transaction, wanted: Iterable[Wanted]) -> dict[Stretch, pa.Table]:
    """The first readings of each after its stretch, where there are any, and all whose intervals begin
    before those."""
    found: dict[Stretch, list[pa.Table]] = {}
    for stretch, group in _by_stretch(wanted):
        sought = {each.key for each in group}
        edges = {each.key: each.edge for each in group if each.edge is not None}
        for day in transaction.days("readings", after=stretch.last):
            if not sought:
                break
            first = _nearest(_later(_rows_of(transaction, day, sought), edges), latest=False)
            if not len(first):
                continue
            latest = pc.max(first["at"].cast(pa.int64())).as_py()
            near = transaction.read("readings", start_microseconds=stretch.end, end_microseconds=latest + 1)
            near = near.filter(among(near, SEGMENT_COLUMNS, _keys(first)))
            found.setdefault(stretch, []).append(near)
            sought -= set(_keys(first))
    return _joined(found)


def _rows_of(transaction: Transaction, day: date, sought: Collection[tuple[str, ...]]) -> pa.Table:
    """The readings of some segments on a day that have a value; most days have none, which a few columns
    tell. One without a value divides nothing, and what is looked for lies beyond it."""
    few = transaction.read_day("readings", day, (*SEGMENT_COLUMNS, "energy_millijoules"))
    if not pc.any(_have_value(few, sought)).as_py():
        return empty("readings")
    rows = transaction.read_day("readings", day)
    return rows.filter(_have_value(rows, sought))


def _have_value(rows: pa.Table, sought: Collection[tuple[str, ...]]) -> pa.ChunkedArray:
    return pc.and_(among(rows, SEGMENT_COLUMNS, sought), pc.is_valid(rows["energy_millijoules"]))


def _later(rows: pa.Table, edges: Mapping[tuple[str, ...], int]) -> pa.Table:
    """The rows that come after what is known of their segment."""
    uptimes = rows["uptime_microseconds"].to_pylist()
    is_later = [uptime > edges.get(key, uptime - 1) for key, uptime in zip(_keys(rows), uptimes, strict=True)]
    return rows.filter(pa.array(is_later, pa.bool_()))


def _nearest(rows: pa.Table, *, latest: bool) -> pa.Table:
    """Of each segment the rows of the greatest, or the least, uptime."""
    choose = max if latest else min
    uptimes = rows["uptime_microseconds"].to_pylist()
    nearest: dict[tuple[str, ...], int] = {}
    for key, uptime in zip(_keys(rows), uptimes, strict=True):
        nearest[key] = choose(nearest.get(key, uptime), uptime)
    is_nearest = [nearest[key] == uptime for key, uptime in zip(_keys(rows), uptimes, strict=True)]
    return rows.filter(pa.array(is_nearest, pa.bool_()))


def _keys(rows: pa.Table) -> Iterator[tuple[str, ...]]:
    return zip(*(rows[name].to_pylist() for name in SEGMENT_COLUMNS), strict=True)


def _by_stretch(wanted: Iterable[Wanted]) -> Iterator[tuple[Stretch, list[Wanted]]]:
    groups: dict[Stretch, list[Wanted]] = {}
    for each in wanted:
        groups.setdefault(each.stretch, []).append(each)
    yield from groups.items()


def _joined(found: dict[Stretch, list[pa.Table]]) -> dict[Stretch, pa.Table]:
    return {stretch: once("readings", pa.concat_tables(parts)) for stretch, parts in found.items()}
