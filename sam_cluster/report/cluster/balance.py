"""All energy of the cluster's GPUs in a period, as a closed sum: runs + idle + unattributed.

Runs count in the hour in which they used it. What a GPU used between two readings that no run held counts
by time where it reaches over the period's border; the parts of neighbouring periods add up to the whole, to
the millijoule. Between what runs and gaps know there is nothing: what nobody can know is counted apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ...core.model import GapKind
from ...core.times import utc_microseconds
from ...store.rows import to_rows
from ..records import TableReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What each part of the cluster's energy comes to, in millijoules, and what is in none of them.

    `unattributed` is by cause. `gaps_cut` reach over a border of the period; of `gaps_unknown`, by cause,
    the energy cannot be known; of `unknown_microseconds` of held GPU time there is no figure.
    """

    runs_millijoules: int
    idle_millijoules: int
    unattributed: dict[str, int]
    gaps_cut: int
    gaps_unknown: dict[str, int]
    unknown_microseconds: int

    @property
    def unattributed_millijoules(self) -> int:
        """The sum over all causes."""
        return sum(self.unattributed.values())

    @property
    def whole_millijoules(self) -> int:
        """All that is known."""
        return self.runs_millijoules + self.idle_millijoules + self.unattributed_millijoules


def balance_of(tables: TableReader, usage: pa.Table, start: datetime, end: datetime) -> Balance:
    """The balance of a period; `usage` are the hours of `ledger.usage_of`."""
    first, last = utc_microseconds(start), utc_microseconds(end)
    gaps = tables.read(
        "gaps",
        start_microseconds=first,
        end_microseconds=last,
        columns=["kind", "cause", "from_at", "to_at", "energy_millijoules"],
    )
    begun = gaps["from_at"].cast(pa.int64())
    ended = gaps["to_at"].cast(pa.int64())
    # Of one whose beginning is not known there is nothing to apportion: it counts where it ends.
    is_open = pc.is_null(begun)
    ends_inside = pc.and_(pc.greater(ended, first), pc.less_equal(ended, last))
    is_inside = pc.and_(ends_inside, pc.or_(is_open, pc.fill_null(pc.greater_equal(begun, first), False)))
    inside = gaps.filter(is_inside)
    cut = to_rows(gaps.filter(pc.and_(pc.invert(is_inside), pc.invert(is_open))))
    energy: Counter[tuple[str, str | None]] = Counter()
    unknown: Counter[str] = Counter()
    summed = inside.group_by(["kind", "cause"]).aggregate(
        [("energy_millijoules", "sum"), ("energy_millijoules", "count"), ("kind", "count")]
    )
    for row in summed.to_pylist():
        if row["energy_millijoules_count"]:
            energy[row["kind"], row["cause"]] += row["energy_millijoules_sum"]
        unknown[row["cause"] or row["kind"]] += row["kind_count"] - row["energy_millijoules_count"]
    cut = [row for row in cut if row["from_at"] < last and row["to_at"] > first]
    for row in cut:
        if row["energy_millijoules"] is None:
            unknown[row["cause"] or row["kind"]] += 1
        else:
            energy[row["kind"], row["cause"]] += _up_to(row, last) - _up_to(row, first)
    held_unknown = usage.filter(pc.is_null(usage["energy_millijoules"]))
    return Balance(
        runs_millijoules=pc.sum(usage["energy_millijoules"]).as_py() or 0,
        idle_millijoules=sum(part for (kind, _), part in energy.items() if kind == GapKind.IDLE),
        unattributed={
            cause or "unknown": part
            for (kind, cause), part in sorted(energy.items(), key=lambda item: item[0][1] or "")
            if kind != GapKind.IDLE
        },
        gaps_cut=len(cut),
        gaps_unknown={cause: count for cause, count in sorted(unknown.items()) if count},
        unknown_microseconds=pc.sum(held_unknown["held_microseconds"]).as_py() or 0,
    )


def _up_to(row: dict[str, int], instant: int) -> int:
    """The energy of a gap before an instant, by time: as a difference of two of these, parts add up."""
    begun, ended = row["from_at"], row["to_at"]
    at = min(max(instant, begun), ended)
    return row["energy_millijoules"] * (at - begun) // (ended - begun)
