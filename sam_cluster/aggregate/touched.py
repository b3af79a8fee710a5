"""Which days of which GPUs have to be divided anew, because of boundaries that came or went.

A boundary touches the days of its interval. Where an interval, of whichever run, reaches over midnight
the days on both sides hang together, for what is shared in one depends on instants in the other; as a
rule none does, since every run has a boundary at midnight. Where a wall clock was set back, all days hang
together that it showed twice: in which order their boundaries were is told by the other clock alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.energy.split import CLOCK_STEP_MICROSECONDS
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import count_of, numbers, numbers_across, one_of_each
from sam_cluster.store.rows import day_of, day_start, empty, extents, once, over_both_clocks, to_rows

from .readings import READING_COLUMNS

Gpu = tuple[str, str, str]  # cluster, node, UUID
GPU_COLUMNS = ("cluster", "node", "gpu_uuid")
NOTHING: Mapping[Gpu, Iterable[date]] = {}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days that follow on one another."""

    first: date
    last: date

    @property
    def start(self) -> int:
        """Its first microsecond."""
        return day_start(self.first)

    @property
    def end(self) -> int:
        """The first microsecond after it."""
        return day_start(self.last) + MICROSECONDS_PER_DAY


def stretches(days: Iterable[date]) -> list[Stretch]:
    """Days as stretches, ascending."""
    found: list[Stretch] = []
    for day in sorted(set(days)):
        if found and day - found[-1].last == timedelta(days=1):
            found[-1] = Stretch(found[-1].first, day)
        else:
            found.append(Stretch(day, day))
    return found


def read_touching(
    transaction: Transaction, table: str, windows: Iterable[Stretch], columns: tuple[str, ...] | None = None
) -> pa.Table:
    """The rows whose extents touch one of the stretches, their ends included; each once, in any order."""
    parts = [
        transaction.read(
            table,
            start_microseconds=window.start,
            end_microseconds=window.end + 1,
            columns=columns,
            in_any_order=True,
        )
        for window in windows
    ]
    if len(parts) < 2:
        return parts[0] if parts else empty(table)
    return once(table, pa.concat_tables(parts))


def touched_days(
    transaction: Transaction, changed: Iterable[pa.Table], shared: Mapping[Gpu, Iterable[date]] = NOTHING
) -> tuple[dict[Gpu, set[date]], pa.Table]:
    """For each GPU of the changed readings, the days to divide anew; also of those that are `shared` on days
    on which accounting now says something else of who held them. With all readings that touch these days,
    others' too."""
    days = {gpu: set(each) for gpu, each in shared.items()}
    for gpu, first, last in (span for rows in changed for span in spans(rows, *extents("readings", rows))):
        days.setdefault(gpu, set()).update(days_between(first, last))
    rows = empty("readings").select(READING_COLUMNS)
    growing = bool(days)
    while growing:
        growing = False
        windows = stretches(day for each in days.values() for day in each)
        rows = read_touching(transaction, "readings", windows, READING_COLUMNS)
        hanging = [*spans_over_midnight(rows), *_disputed_midnights(rows), *_told_set_back(rows)]
        for gpu, first, last in hanging:
            together, mine = set(days_between(first, last)), days.get(gpu, set())
            if mine & together and not together <= mine:
                mine |= together
                growing = True
    return days, rows


def spans_set_back(gaps: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """GPU, first and last instant that the wall clock can have shown twice around gaps over which it was set
    back."""
    begin, end = gaps["from_at"].cast(pa.int64()), gaps["to_at"].cast(pa.int64())
    span = pc.subtract(gaps["to_uptime_microseconds"], gaps["from_uptime_microseconds"])
    set_back = gaps.filter(pc.fill_null(_is_set_back(begin, end, span), False))
    yield from spans(set_back, *extents("gaps", set_back))


def ends_elsewhere(gaps: pa.Table, rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """GPU and end (twice) of gaps that none of the readings ends: without it they would not be made again."""
    if not len(gaps):
        return
    names = [*GPU_COLUMNS, "segment", "uptime"]
    ends = gaps.select([*names[:-1], "to_uptime_microseconds"]).rename_columns(names)
    told = [
        rows.select([*names[:-1], f"{prefix}uptime_microseconds"]).rename_columns(names)
        for prefix in ("", "since_")
    ]
    of_gaps, *of_rows = numbers_across(names, ends, *told)
    gone = gaps.filter(pa.array(~np.isin(of_gaps, np.concatenate(of_rows))))
    yield from spans(gone, gone["to_at"], gone["to_at"])


def _told_set_back(rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """The spans over which the wall clock was set back before a start, by what it tells of the boundary
    before it."""
    begin, end = rows["previous_at"].cast(pa.int64()), rows["at"].cast(pa.int64())
    span = pc.subtract(rows["uptime_microseconds"], rows["previous_uptime_microseconds"])
    is_told = pc.and_(pc.equal(rows["previous_segment"], rows["segment"]), _is_set_back(begin, end, span))
    which = pc.fill_null(is_told, False)
    first, last = over_both_clocks(*(each.filter(which) for each in (begin, end, span)))
    yield from spans(rows.filter(which), first, last)


def _is_set_back(begin: pa.ChunkedArray, end: pa.ChunkedArray, span: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether the wall clock showed less at the end of a span than it would have; null: unknown."""
    shown = pc.subtract(end, begin)
    return pc.less(pc.add(shown, CLOCK_STEP_MICROSECONDS), span)


def spans(rows: pa.Table, first: pa.Array, last: pa.Array) -> Iterator[tuple[Gpu, int, int]]:
    """GPU, first and last instant of rows: one of each that touch the same days."""
    if not len(rows):
        return
    first, last = (each.cast(pa.int64()) for each in (first, last))
    days = [pc.divide(each, MICROSECONDS_PER_DAY) for each in (first, last)]
    alike = numbers([*(rows[name] for name in GPU_COLUMNS), *days])
    each = pa.array(one_of_each(np.arange(len(rows)), alike, count_of(alike)))
    names = [rows[name].take(each).to_pylist() for name in GPU_COLUMNS]
    instants = [instant.take(each).to_pylist() for instant in (first, last)]
    for cluster, node, uuid, start, end in zip(*names, *instants, strict=True):
        yield (cluster, node, uuid), start, end


def spans_over_midnight(rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """The spans of readings that reach over midnight; one that ends at midnight does not."""
    first, last = extents("readings", rows)
    before = pc.divide(first, MICROSECONDS_PER_DAY)
    after = pc.divide(pc.subtract(last, 1), MICROSECONDS_PER_DAY)
    over = rows.filter(pc.less(before, after))
    for gpu, start, end in spans(over, *extents("readings", over)):
        yield gpu, start, end - 1


def _disputed_midnights(rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """The days on both sides of a midnight for which two boundaries give different values."""
    where = [*GPU_COLUMNS, "segment", "uptime_microseconds"]
    told = pa.concat_tables([_at_midnight(rows, prefix) for prefix in ("", "since_")])
    values = told.group_by(where).aggregate([("energy", "min"), ("energy", "max")])
    disputed = values.filter(pc.less(values["energy_min"], values["energy_max"])).select(where)
    if len(disputed):
        for row in to_rows(told.join(disputed, where, join_type="inner")):
            yield (row["cluster"], row["node"], row["gpu_uuid"]), row["at"] - 1, row["at"]


def _at_midnight(rows: pa.Table, prefix: str) -> pa.Table:
    """What boundaries tell of the counter at midnight, of themselves or of the one before (`since_`)."""
    at, energy = rows[f"{prefix}at"].cast(pa.int64()), rows[f"{prefix}energy_millijoules"]
    days = pc.divide(at, MICROSECONDS_PER_DAY)
    is_told = pc.and_(pc.equal(pc.multiply(days, MICROSECONDS_PER_DAY), at), pc.is_valid(energy))
    named = {name: rows[name] for name in (*GPU_COLUMNS, "segment")}
    uptime = rows[f"{prefix}uptime_microseconds"]
    told = pa.table({**named, "uptime_microseconds": uptime, "at": at, "energy": energy})
    return told.filter(is_told)


def days_between(first: int, last: int) -> list[date]:
    """The days from that of one instant to that of another."""
    start, end = day_of(first), day_of(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]
