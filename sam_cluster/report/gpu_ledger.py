"""The ledger of each GPU in a period: runs + idle + unattributed = the increase of its counter.

The two sides come from different tables: what was used from `usage` and `gaps`, the increase from the values
in `readings` (see `gpu_counters`). The period is the hours that begin in it. What lies between two readings
over its border counts by time on both sides, so that neighbouring periods add up to the whole, to the
millijoule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Cause, GapKind
from ..core.times import utc_microseconds
from ..core.uncertainty import Uncertainty
from ..core.units import MICROSECONDS_PER_HOUR
from ..store.rows import to_rows
from .gpu_counters import GPU_COLUMNS, Gpu, counted, inside, of_gpus
from .records import TableReader

GAP_COLUMNS = (
    *GPU_COLUMNS, "segment", "from_at", "to_at", "from_uptime_microseconds", "to_uptime_microseconds",
    "kind", "cause", "energy_millijoules",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What is known of a GPU's energy in a period, in millijoules.

    `bridged_millijoules` runs used and no counter counted; `unattributed` is by cause. Of `unknown` gaps, by
    cause, no energy can be known, and none of the `unknown_microseconds` that runs held it; `cut` gaps reach
    over a border of the period. The model is None where no reading names it.
    """

    gpu_model: str | None = None
    runs_millijoules: int = 0
    bridged_millijoules: int = 0
    unknown_microseconds: int = 0
    idle_millijoules: int = 0
    unattributed: Counter[Cause] = field(default_factory=Counter)
    unknown: Counter[Cause] = field(default_factory=Counter)
    counter_millijoules: int = 0
    cut: int = 0
    first_at: int | None = None
    last_at: int | None = None

    @property
    def unattributed_millijoules(self) -> int:
        """The sum over all causes."""
        return sum(self.unattributed.values())

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why something is unattributed, of the closed list those that occur."""
        return tuple(cause for cause in Cause if self.unattributed[cause] or self.unknown[cause])

    @property
    def known_millijoules(self) -> int:
        """Runs, idle and unattributed, without what was bridged."""
        return self.runs_millijoules + self.idle_millijoules + self.unattributed_millijoules

    @property
    def closes(self) -> bool:
        """Whether runs, idle and unattributed are what the counter grew by."""
        return self.known_millijoules == self.counter_millijoules

    @property
    def is_whole(self) -> bool:
        """Whether it closes, and all of it is a run's or idle."""
        return self.closes and not self.unattributed_millijoules and not self.unknown.total()

    def add(self, other: Ledger) -> None:
        """Add another GPU's; what is of no model alone has none."""
        self.runs_millijoules += other.runs_millijoules
        self.bridged_millijoules += other.bridged_millijoules
        self.unknown_microseconds += other.unknown_microseconds
        self.idle_millijoules += other.idle_millijoules
        self.unattributed.update(other.unattributed)
        self.unknown.update(other.unknown)
        self.counter_millijoules += other.counter_millijoules
        self.cut += other.cut
        for at in (other.first_at, other.last_at):
            self.see(at)

    def see(self, at: int | None) -> None:
        """There was a reading at that instant."""
        if at is not None:
            self.first_at = at if self.first_at is None else min(self.first_at, at)
            self.last_at = at if self.last_at is None else max(self.last_at, at)


def ledgers_of(
    tables: TableReader,
    usage: pa.Table,
    start: datetime,
    end: datetime,
    *,
    node: str | None = None,
    gpu: str | None = None,
) -> dict[Gpu, Ledger]:
    """The ledger of each GPU of which anything is known in the period; of one node's, or of one, alone.
    `usage` are the hours of `ledger.usage_of` in the same period."""
    first, last = (_full_hour(utc_microseconds(at)) for at in (start, end))
    found: dict[Gpu, Ledger] = {}
    _add_hours(found, of_gpus(usage, node, gpu))
    gaps = of_gpus(
        tables.read(
            "gaps",
            start_microseconds=first,
            end_microseconds=last + 1,
            columns=GAP_COLUMNS,
            in_any_order=True,
        ),
        node,
        gpu,
    )
    _add_gaps(found, gaps, first, last)
    for key, counter in counted(tables, gaps, first, last, node, gpu).items():
        if counter.energy_millijoules or counter.first_at is not None:
            ledger = found.setdefault(key, Ledger())
            ledger.gpu_model = counter.gpu_model
            ledger.counter_millijoules = counter.energy_millijoules
            ledger.see(counter.first_at)
            ledger.see(counter.last_at)
    return dict(sorted(found.items()))


def total_of(ledgers: Iterable[Ledger]) -> Ledger:
    """All together."""
    total = Ledger()
    for each in ledgers:
        total.add(each)
    return total


def idle_uncertainty(
    ledgers: Iterable[Ledger], boundary_millijoules: int, calibration: Mapping[str, float]
) -> Uncertainty:
    """How sure the idle energy of GPUs is, where the boundaries of all runs may be off by so much: what a
    boundary takes from a run it gives to the idle time beside it, and readings while nobody holds a GPU take
    nothing from the sum."""
    total = Uncertainty(boundary_millijoules=boundary_millijoules)
    for each in ledgers:
        total += Uncertainty.of({each.gpu_model: each.idle_millijoules}, 0, calibration)
    return total


def _full_hour(instant: int) -> int:
    """The first full hour (UTC) that is not before an instant."""
    return -(-instant // MICROSECONDS_PER_HOUR) * MICROSECONDS_PER_HOUR


def _add_hours(found: dict[Gpu, Ledger], usage: pa.Table) -> None:
    unknown = pc.if_else(pc.is_null(usage["energy_millijoules"]), usage["held_microseconds"], 0)
    sums = ("energy_millijoules", "bridged_millijoules", "unknown")
    summed = (
        usage.append_column("unknown", unknown)
        .group_by(list(GPU_COLUMNS))
        .aggregate([(name, "sum") for name in sums])
    )
    for row in summed.to_pylist():
        ledger = found.setdefault(_gpu(row), Ledger())
        ledger.bridged_millijoules = row["bridged_millijoules_sum"] or 0
        ledger.runs_millijoules = (row["energy_millijoules_sum"] or 0) - ledger.bridged_millijoules
        ledger.unknown_microseconds = row["unknown_sum"] or 0


def _add_gaps(found: dict[Gpu, Ledger], gaps: pa.Table, first: int, last: int) -> None:
    ended = gaps["to_at"].cast(pa.int64())
    # Of one whose beginning is not known there is nothing to apportion: it counts where it ends.
    begun = pc.min_element_wise(pc.coalesce(gaps["from_at"].cast(pa.int64()), ended), ended)
    gaps = gaps.append_column("begun", begun).append_column("ended", ended)
    begins_before_end = pc.less(begun, last)
    is_known = pc.is_valid(gaps["energy_millijoules"])

    unknown = gaps.filter(
        pc.and_(pc.invert(is_known), pc.and_(begins_before_end, pc.greater_equal(ended, first)))
    )
    for row in unknown.group_by([*GPU_COLUMNS, "cause"]).aggregate([("kind", "count")]).to_pylist():
        found.setdefault(_gpu(row), Ledger()).unknown[Cause(row["cause"])] += row["kind_count"]

    begins_in_it = pc.and_(begins_before_end, pc.greater_equal(begun, first))
    is_inside = pc.and_(begins_in_it, pc.less_equal(ended, last))
    whole = gaps.filter(pc.and_(is_known, is_inside))
    summed = whole.group_by([*GPU_COLUMNS, "kind", "cause"]).aggregate([("energy_millijoules", "sum")])
    for row in summed.to_pylist():
        _add_part(found, row, row["energy_millijoules_sum"])

    reaches_in = pc.and_(begins_before_end, pc.or_(begins_in_it, pc.greater(ended, first)))
    cut = gaps.filter(pc.and_(is_known, pc.and_(reaches_in, pc.invert(is_inside))))
    for row in to_rows(cut):
        part = inside(row["begun"], row["ended"], row["energy_millijoules"], first, last)
        _add_part(found, row, part)
        found[_gpu(row)].cut += 1


def _add_part(found: dict[Gpu, Ledger], row: Mapping[str, str | None], energy_millijoules: int) -> None:
    ledger = found.setdefault(_gpu(row), Ledger())
    if row["kind"] == GapKind.IDLE:
        ledger.idle_millijoules += energy_millijoules
    else:
        ledger.unattributed[Cause(row["cause"] or "")] += energy_millijoules


def _gpu(row: Mapping[str, object]) -> Gpu:
    cluster, node, gpu_uuid = (str(row[name]) for name in GPU_COLUMNS)
    return cluster, node, gpu_uuid
