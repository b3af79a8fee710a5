"""Energy inside a period, by run and local day, from the hour rows of `usage`.

An hour belongs to the period and the day in which it begins, and the period's end is excluded: what
two periods that touch add up to is what the one over both holds, to the millijoule.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Quality, quality_of_sum
from ..core.times import utc_microseconds
from ..store.rows import only
from .reading import local_days
from .records import EARLIEST, TableReader


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of energies and GPU time that knows how good its parts were. `Amount()` is of nothing."""

    known_millijoules: int = 0
    held_microseconds: int = 0
    qualities: frozenset[Quality] = frozenset()

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.known_millijoules + other.known_millijoules,
            self.held_microseconds + other.held_microseconds,
            self.qualities | other.qualities,
        )

    def without(self, part: Amount) -> Amount:
        """What is left when a part of it stands elsewhere; as good as the whole was, so that the two add up
        to it again."""
        return Amount(
            self.known_millijoules - part.known_millijoules,
            self.held_microseconds - part.held_microseconds,
            self.qualities,
        )

    @property
    def energy_millijoules(self) -> int | None:
        """The sum of what is known; None where something was there and none of it is known."""
        return None if self.qualities == {Quality.UNKNOWN} else self.known_millijoules

    @property
    def quality(self) -> Quality | None:
        """The quality of the sum; None for a sum of nothing, which is 0 and no estimate."""
        return quality_of_sum(self.qualities) if self.qualities else None

    @property
    def is_partial(self) -> bool:
        """Whether a part is missing, so that the sum is a lower bound."""
        return self.quality in (Quality.LOWER_BOUND, Quality.UNKNOWN)


#: Something was there, and nothing of it is known.
UNKNOWN = Amount(qualities=frozenset({Quality.UNKNOWN}))


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run used on one local day. `begun_at`, of its node, tells runs of one id apart."""

    cluster: str
    run_id: str
    begun_at: datetime | None
    day: date
    amount: Amount


def entries_of(usage: pa.Table, zone: ZoneInfo, run_ids: Collection[str]) -> list[Entry]:
    """The energy of some runs, one entry a run and start, local day and quality, from rows of `usage_of`."""
    rows = usage.filter(pc.is_in(usage["run_id"], pa.array(sorted(run_ids), pa.string())))
    rows = rows.append_column("day", local_days(rows["hour"], zone))
    summed = rows.group_by(["cluster", "run_id", "started_at", "day", "quality"]).aggregate(
        [("energy_millijoules", "sum"), ("held_microseconds", "sum")]
    )
    entries = [
        Entry(row["cluster"], row["run_id"], row["started_at"], row["day"], _amount(row))
        for row in summed.to_pylist()
    ]
    return sorted(
        entries,
        key=lambda e: (e.cluster, e.run_id, e.begun_at or EARLIEST, e.day, sorted(e.amount.qualities)),
    )


def total_of(usage: pa.Table) -> Amount:
    """The energy of all runs, from rows of `usage_of`."""
    summed = usage.group_by(["quality"]).aggregate(
        [("energy_millijoules", "sum"), ("held_microseconds", "sum")]
    )
    return sum((_amount(row) for row in summed.to_pylist()), Amount())


def days_of(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, ...]:
    """The local days that a period touches."""
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def usage_of(tables: TableReader, start: datetime, end: datetime) -> pa.Table:
    """The hours that begin inside a period, in any order; one without a figure is of unknown quality."""
    rows = tables.read(
        "usage",
        start_microseconds=utc_microseconds(start),
        end_microseconds=utc_microseconds(end),
        columns=[
            "cluster",
            "run_id",
            "started_at",
            "hour",
            "gpu_uuid",
            "device_energy_millijoules",
            "energy_millijoules",
            "held_microseconds",
            "quality",
        ],
        in_any_order=True,
    )
    # An hour that reaches into the period from before it is the period before's.
    rows = only(rows, pc.greater_equal(rows["hour"], pa.scalar(start, rows.schema.field("hour").type)))
    quality = pc.if_else(pc.is_null(rows["energy_millijoules"]), Quality.UNKNOWN.value, rows["quality"])
    return rows.set_column(rows.schema.get_field_index("quality"), "quality", quality)


def _amount(row: dict[str, Any]) -> Amount:
    return Amount(
        row["energy_millijoules_sum"] or 0,
        row["held_microseconds_sum"] or 0,
        frozenset({Quality(row["quality"])}),
    )
