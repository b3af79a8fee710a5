"""Energy inside a period, by run and local day, from the hour rows of `usage`, and how sure it is.

An hour belongs to the period and the day in which it begins, and the period's end is excluded: what
two periods that touch add up to is what the one over both holds, to the millijoule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Quality, quality_of_sum
from ..core.times import utc_microseconds
from ..core.uncertainty import Uncertainty
from ..store.rows import only
from .reading import local_days
from .records import EARLIEST, TableReader

SUMS = ("energy_millijoules", "uncertainty_millijoules", "held_microseconds")
EXACT = Uncertainty()


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of energies and GPU time that knows how good its parts were, and how sure what is known of them
    is. `Amount()` is of nothing."""

    known_millijoules: int = 0
    held_microseconds: int = 0
    qualities: frozenset[Quality] = frozenset()
    uncertainty: Uncertainty = EXACT

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.known_millijoules + other.known_millijoules,
            self.held_microseconds + other.held_microseconds,
            self.qualities | other.qualities,
            self.uncertainty + other.uncertainty,
        )

    @classmethod
    def of_all(cls, parts: Iterable[Amount]) -> Amount:
        """The sum of parts, in any order. (A value for each step of it takes ten times as long.)"""
        energy = held = boundary = 0
        qualities: set[Quality] = set()
        gains: dict[str | None, int] = {}
        for part in parts:
            energy += part.known_millijoules
            held += part.held_microseconds
            qualities |= part.qualities
            boundary += part.uncertainty.boundary_millijoules
            for model, gain in part.uncertainty.gain_nanojoules.items():
                gains[model] = gains.get(model, 0) + gain
        return cls(energy, held, frozenset(qualities), Uncertainty(gains, boundary))

    def without(self, part: Amount) -> Amount:
        """What is left when a part of it stands elsewhere; as good as the whole was, so that the two add up
        to it again."""
        return Amount(
            self.known_millijoules - part.known_millijoules,
            self.held_microseconds - part.held_microseconds,
            self.qualities,
            self.uncertainty - part.uncertainty,
        )

    @property
    def energy_millijoules(self) -> int | None:
        """The sum of what is known; None where something was there and none of it is known."""
        return None if self.qualities == {Quality.UNKNOWN} else self.known_millijoules

    @property
    def uncertainty_millijoules(self) -> int | None:
        """How far off the sum of what is known may be; None where nothing is known. What is missing from a
        lower bound is not in it."""
        return None if self.energy_millijoules is None else self.uncertainty.millijoules

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


def entries_of(
    usage: pa.Table, zone: ZoneInfo, run_ids: Collection[str], calibration: Mapping[str, float]
) -> list[Entry]:
    """The energy of some runs, from rows of `usage_of`: one entry a run and start, local day, quality and
    model of GPU. `calibration`: the error of the gain of models that the site has calibrated."""
    rows = usage.filter(pc.is_in(usage["run_id"], pa.array(sorted(run_ids), pa.string())))
    rows = rows.append_column("day", local_days(rows["hour"], zone))
    entries = [
        Entry(row["cluster"], row["run_id"], row["started_at"], row["day"], amount_of(row, calibration))
        for row in summed(rows, ["cluster", "run_id", "started_at", "day"]).to_pylist()
    ]
    return sorted(
        entries,
        key=lambda e: (e.cluster, e.run_id, e.begun_at or EARLIEST, e.day, sorted(e.amount.qualities)),
    )


def total_of(usage: pa.Table, calibration: Mapping[str, float]) -> Amount:
    """The energy of all runs, from rows of `usage_of`."""
    return Amount.of_all(amount_of(row, calibration) for row in summed(usage, []).to_pylist())


def summed(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The sums of rows of `usage_of` by some columns, and always by what their errors depend on: quality and
    model of GPU. Each row is one for `amount_of`; rows of this can be summed further."""
    by = [*keys, "quality", "gpu_model"]
    found = rows.group_by(by).aggregate([(name, "sum") for name in SUMS])
    return found.select([*by, *(f"{name}_sum" for name in SUMS)]).rename_columns([*by, *SUMS])


def amount_of(row: Mapping[str, Any], calibration: Mapping[str, float]) -> Amount:
    """A row of `summed`."""
    energy = row["energy_millijoules"] or 0
    return Amount(
        energy,
        row["held_microseconds"] or 0,
        frozenset({Quality(row["quality"])}),
        Uncertainty.of({row["gpu_model"]: energy}, row["uncertainty_millijoules"] or 0, calibration),
    )


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
            "node",
            "started_at",
            "hour",
            "gpu_uuid",
            "device_energy_millijoules",
            "energy_millijoules",
            "bridged_millijoules",
            "uncertainty_millijoules",
            "held_microseconds",
            "idle_microseconds",
            "idle_energy_millijoules",
            "gpu_model",
            "quality",
        ],
        in_any_order=True,
    )
    # An hour that reaches into the period from before it is the period before's.
    rows = only(rows, pc.greater_equal(rows["hour"], pa.scalar(start, rows.schema.field("hour").type)))
    is_unknown = pc.is_null(rows["energy_millijoules"])
    quality = pc.if_else(is_unknown, Quality.UNKNOWN.value, rows["quality"])
    off = pc.if_else(is_unknown, pa.scalar(None, pa.int64()), rows["uncertainty_millijoules"])
    rows = rows.set_column(rows.schema.get_field_index("quality"), "quality", quality)
    return rows.set_column(
        rows.schema.get_field_index("uncertainty_millijoules"), "uncertainty_millijoules", off
    )
