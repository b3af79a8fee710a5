"""Which days of which GPUs have to be divided anew, because of boundaries that came or went.

A boundary touches the days of its interval. Where an interval, of whichever run, reaches over midnight
the days on both sides hang together, for what is shared in one depends on instants in the other; as a
rule none does, since every run has a boundary at midnight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import count_of, numbers, one_of_each
from sam_cluster.store.rows import day_of, day_start, empty, extents, once, to_rows

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
    for gpu, first, last in (span for rows in changed for span in _spans(rows)):
        days.setdefault(gpu, set()).update(_days(first, last))
    rows = empty("readings").select(READING_COLUMNS)
    growing = bool(days)
    while growing:
        growing = False
        windows = stretches(day for each in days.values() for day in each)
        rows = read_touching(transaction, "readings", windows, READING_COLUMNS)
        for gpu, first, last in [*_over_midnight(rows), *_disputed_midnights(rows)]:
            together, mine = set(_days(first, last)), days.get(gpu, set())
            if mine & together and not together <= mine:
                mine |= together
                growing = True
    return days, rows


def ends_of_set_back(gaps: pa.Table) -> dict[Gpu, set[date]]:
    """The days of both ends of gaps that end earlier than they begin: where the wall clock was set back, what
    one end is known by may lie beside neither side of the other's days."""
    set_back = gaps.filter(pc.fill_null(pc.less(gaps["to_at"], gaps["from_at"]), False))
    found: dict[Gpu, set[date]] = {}
    for row in to_rows(set_back):
        gpu = row["cluster"], row["node"], row["gpu_uuid"]
        found.setdefault(gpu, set()).update({day_of(row["from_at"]), day_of(row["to_at"])})
    return found


def _spans(rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """GPU, first and last instant of readings: one of each that touch the same days."""
    if not len(rows):
        return
    first, last = extents("readings", rows)
    days = [pc.divide(each, MICROSECONDS_PER_DAY) for each in (first, last)]
    alike = numbers([*(rows[name] for name in GPU_COLUMNS), *days])
    each = pa.array(one_of_each(np.arange(len(rows)), alike, count_of(alike)))
    names = [rows[name].take(each).to_pylist() for name in GPU_COLUMNS]
    instants = [instant.take(each).to_pylist() for instant in (first, last)]
    for cluster, node, uuid, start, end in zip(*names, *instants, strict=True):
        yield (cluster, node, uuid), start, end


def _over_midnight(rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """The spans of readings that reach over midnight; one that ends at midnight does not."""
    first, last = extents("readings", rows)
    before = pc.divide(first, MICROSECONDS_PER_DAY)
    after = pc.divide(pc.subtract(last, 1), MICROSECONDS_PER_DAY)
    for gpu, start, end in _spans(rows.filter(pc.less(before, after))):
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


def _days(first: int, last: int) -> list[date]:
    start, end = day_of(first), day_of(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]
