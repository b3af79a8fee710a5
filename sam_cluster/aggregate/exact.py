"""GPUs that are not plain, divided one by one: shared ones, restarts, lost boundaries, clocks that jumped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from sam_cluster.energy.claims import Accounted, divider
from sam_cluster.energy.gaps import Gap, gaps
from sam_cluster.energy.hours import Usage, usage
from sam_cluster.energy.split import Holder, Piece, Reading, divide, segments
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import from_rows, in_order

from .accounting import Asked
from .claims import Run, accounted_runs
from .readings import to_readings
from .shard_rows import Row
from .touched import Gpu, Stretch
from .units import Pairs, Units


@dataclass(slots=True)
class Unit:
    """A GPU over a stretch of days: what is divided at once."""

    gpu: Gpu
    stretch: Stretch
    readings: Sequence[Reading]
    pieces: dict[str, list[Piece]] = field(init=False)  # by segment

    def __post_init__(self) -> None:
        self.pieces = {segment: divide(mine) for segment, mine in segments(self.readings).items()}

    @property
    def sharers(self) -> set[Run]:
        """The runs that held the GPU together with others."""
        every = (piece.holders for pieces in self.pieces.values() for piece in pieces)
        return {self._run(holder) for holders in every if len(holders) > 1 for holder in holders}

    def divided(self, accounted: Mapping[Run, Accounted]) -> tuple[list[Usage], list[Gap]]:
        """The hours of the stretch, and the gaps that touch it."""
        told = {
            holder: accounted[run]
            for holder in {reading.holder for reading in self.readings}
            if (run := self._run(holder)) in accounted
        }
        divide_between = divider(self.readings, told)
        hours: dict[tuple[Holder, int], Usage] = {}
        between: list[Gap] = []
        for segment, readings in segments(self.readings).items():
            pieces = self.pieces[segment]
            for each in usage(readings, pieces, divide_between):
                if not self.stretch.start <= each.hour_microseconds < self.stretch.end:
                    continue
                if found := hours.get((each.holder, each.hour_microseconds)):
                    found.join(each)
                else:
                    hours[each.holder, each.hour_microseconds] = each
            between += [gap for gap in gaps(readings, pieces) if _touches(gap, self.stretch)]
        return list(hours.values()), between

    def _run(self, holder: Holder) -> Run:
        return (self.gpu[0], holder.raw_job_id), holder.run_id, holder.started_at_microseconds


def divide_exactly(
    transaction: Transaction, units: Units, rows: pa.Table, pairs: Pairs, asked: Asked
) -> tuple[pa.Table, pa.Table]:
    """Rows of `usage` and of `gaps` for the units that have rows, whatever befell their GPUs."""
    each = _units(units, rows, pairs)
    sharers = set().union(*(unit.sharers for unit in each))
    accounted = accounted_runs(transaction, {job for job, *_ in sharers}, asked)
    hours: list[Row] = []
    between: list[Row] = []
    for unit in each:
        used, unheld = unit.divided(accounted)
        hours += [_usage_row(unit.gpu, one) for one in used]
        between += [_gap_row(unit.gpu, one) for one in unheld]
    return from_rows("usage", hours), from_rows("gaps", between)


def _units(units: Units, rows: pa.Table, pairs: Pairs) -> list[Unit]:
    """The units with their readings, whose order says nothing."""
    found: dict[int, list[Reading]] = {}
    place = pa.array(pairs.unit)
    told = in_order("readings", rows.take(pa.array(pairs.row)).append_column("unit", place))
    for unit, reading in zip(told["unit"].to_pylist(), to_readings(told), strict=True):
        found.setdefault(unit, []).append(reading)
    return [
        Unit(units.gpus[units.gpu[unit]], units.stretches[unit], list(dict.fromkeys(readings)))
        for unit, readings in sorted(found.items())
    ]


def _touches(gap: Gap, stretch: Stretch) -> bool:
    to_at = gap.to_at_microseconds
    from_at = to_at if gap.from_at_microseconds is None else gap.from_at_microseconds
    return min(from_at, to_at) <= stretch.end and max(from_at, to_at) >= stretch.start


def _usage_row(gpu: Gpu, each: Usage) -> Row:
    holder = each.holder
    return {
        "cluster": gpu[0],
        "run_id": holder.run_id,
        "raw_job_id": holder.raw_job_id,
        "node": gpu[1],
        "started_at": holder.started_at_microseconds,
        "gpu_uuid": gpu[2],
        "hour": each.hour_microseconds,
        "held_microseconds": each.held_microseconds,
        "device_energy_millijoules": each.device_energy_millijoules,
        "energy_millijoules": each.energy_millijoules,
        "uncertainty_millijoules": each.uncertainty_millijoules,
        "holders": each.holders,
        "share_rule": each.share_rule,
        "bridged_millijoules": each.bridged_millijoules,
        "power_energy_millijoules": each.power_energy_millijoules,
        "covered_microseconds": each.covered_microseconds,
        "idle_microseconds": each.idle_microseconds,
        "idle_energy_millijoules": each.idle_energy_millijoules,
        "gpu_model": each.gpu_model,
        "quality": each.quality,
        "flags": sorted(each.flags),
    }


def _gap_row(gpu: Gpu, gap: Gap) -> Row:
    return {
        "cluster": gpu[0],
        "node": gpu[1],
        "gpu_uuid": gpu[2],
        "segment": gap.segment,
        "from_at": gap.from_at_microseconds,
        "to_at": gap.to_at_microseconds,
        "from_uptime_microseconds": gap.from_uptime_microseconds,
        "to_uptime_microseconds": gap.to_uptime_microseconds,
        "kind": gap.kind,
        "cause": gap.cause,
        "energy_millijoules": gap.energy_millijoules,
    }
