"""Which days of which GPUs have to be divided anew, because of boundaries that came or went.

A boundary touches the days of its interval. Where an interval, of whichever run, reaches over midnight
the days on both sides hang together, for what is shared in one depends on instants in the other; as a
rule none does, since every run has a boundary at midnight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import among, day_of, day_start, empty, extents, once, to_rows

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


def of_gpus(rows: pa.Table, gpus: Iterable[Gpu]) -> pa.Table:
    """The rows of these GPUs."""
    return rows.filter(among(rows, GPU_COLUMNS, gpus))


def read_touching(transaction: Transaction, table: str, windows: Iterable[Stretch]) -> pa.Table:
    """The rows whose extents touch one of the stretches, their ends included; each once."""
    parts = [
        transaction.read(table, start_microseconds=window.start, end_microseconds=window.end + 1)
        for window in windows
    ]
    if len(parts) < 2:
        return parts[0] if parts else empty(table)
    rows = pa.concat_tables(parts)
    return once(table, rows)


def touched_days(
    transaction: Transaction, changed: pa.Table, shared: Mapping[Gpu, Iterable[date]] = NOTHING
) -> dict[Gpu, set[date]]:
    """For each GPU of the changed readings, the days to divide anew; also of those that are `shared` on days
    on which accounting now says something else of who held them."""
    days = {gpu: set(each) for gpu, each in shared.items()}
    for gpu, first, last in _spans(changed):
        days.setdefault(gpu, set()).update(_days(first, last))
    if not days:
        return days
    growing = True
    while growing:
        growing = False
        windows = stretches(day for each in days.values() for day in each)
        rows = of_gpus(read_touching(transaction, "readings", windows), days)
        for gpu, first, last in [*_over_midnight(rows), *_disputed_midnights(rows)]:
            together = set(_days(first, last))
            if days[gpu] & together and not together <= days[gpu]:
                days[gpu] |= together
                growing = True
    return days


def _spans(rows: pa.Table) -> Iterator[tuple[Gpu, int, int]]:
    """GPU, first and last instant of each reading."""
    if not len(rows):
        return
    first, last = extents("readings", rows)
    names = [rows[name].to_pylist() for name in GPU_COLUMNS]
    for cluster, node, uuid, start, end in zip(*names, first.to_pylist(), last.to_pylist(), strict=True):
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
    at = rows["at"].cast(pa.int64())
    since = pc.fill_null(rows["since_at"].cast(pa.int64()), 1)
    is_midnight = pc.or_(_divides(at), _divides(since))
    values: dict[tuple[Gpu, str, int], dict[int, set[int]]] = {}
    for row in to_rows(rows.filter(is_midnight)):
        gpu = row["cluster"], row["node"], row["gpu_uuid"]
        for prefix in ("", "since_"):
            instant, energy = row[f"{prefix}at"], row[f"{prefix}energy_millijoules"]
            if instant is not None and energy is not None and instant % MICROSECONDS_PER_DAY == 0:
                key = gpu, row["segment"], row[f"{prefix}uptime_microseconds"]
                values.setdefault(key, {}).setdefault(instant, set()).add(energy)
    for (gpu, _, _), by_instant in values.items():
        if len(set().union(*by_instant.values())) > 1:
            for midnight in by_instant:
                yield gpu, midnight - 1, midnight


def _divides(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    days = pc.divide(instants, MICROSECONDS_PER_DAY)
    return pc.equal(pc.multiply(days, MICROSECONDS_PER_DAY), instants)


def _days(first: int, last: int) -> list[date]:
    start, end = day_of(first), day_of(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]
