"""The tables `usage` and `gaps`, made anew for the days of the GPUs that new boundaries touch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.energy.claims import Accounted, divider
from sam_cluster.energy.gaps import Gap, gaps
from sam_cluster.energy.hours import Usage, usage
from sam_cluster.energy.split import Holder, Piece, Reading, divide, segments
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import day_of, extents, from_rows, once, to_rows

from . import neighbours
from .accounting import Asked
from .claims import accounted_runs, shared_days
from .fold import readings_by_gpu
from .neighbours import Wanted
from .shard_rows import Row
from .touched import GPU_COLUMNS, Gpu, Stretch, of_gpus, read_touching, stretches, touched_days

Job = tuple[str, int]  # cluster and Slurm's own number
Run = tuple[str, str, int]  # cluster, run id, start on the node


@dataclass(slots=True)
class Unit:
    """A GPU over a stretch of days: what is divided at once."""

    gpu: Gpu
    stretch: Stretch
    readings: list[Reading]
    segments: dict[str, int] = field(default_factory=dict)  # segment: when its node booted
    pieces: dict[str, list[Piece]] = field(default_factory=dict)  # by segment, once it is `cut`

    def wanted(self, *, latest: bool) -> list[Wanted]:
        """The segments whose neighbour after (latest), or before, decides what a gap at the edge is."""
        found = []
        by_segment = segments(self.readings)
        for segment, booted in self.segments.items():
            instants = sorted(each for reading in by_segment.get(segment, ()) for each in _instants(reading))
            uptime, edge = instants[-1 if latest else 0] if instants else (None, self.stretch.start)
            if self.stretch.start <= edge <= self.stretch.end:
                found.append(Wanted(self.gpu, segment, self.stretch, booted, uptime))
        return found

    def cut(self) -> None:
        """Divide the energy of each segment at all that is known."""
        self.pieces = {segment: divide(mine) for segment, mine in segments(self.readings).items()}

    @property
    def sharers(self) -> set[Run]:
        """The runs that held the GPU together with others."""
        every = (piece.holders for pieces in self.pieces.values() for piece in pieces)
        return {(self.gpu[0], *_named(holder)) for holders in every if len(holders) > 1 for holder in holders}

    def divided(self, accounted: Mapping[Run, Accounted]) -> tuple[list[Usage], list[Gap]]:
        """The hours of the stretch, and the gaps that touch it."""
        told = {
            holder: accounted[run]
            for holder in {reading.holder for reading in self.readings}
            if (run := (self.gpu[0], *_named(holder))) in accounted
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


def redivide(transaction: Transaction, changed: pa.Table, jobs: Collection[Job], asked: Asked) -> set[Job]:
    """Bring `usage` and `gaps` up to date with readings that came or went (`changed`), and say whose
    figures that touches. The readings themselves are in the transaction already.

    What was given of a shared GPU accounting knows, which may come later, or change: where runs of `jobs`, of
    which shards or accounting are new, share a GPU, it is divided anew."""
    days = touched_days(transaction, changed, shared_days(transaction, jobs))
    if not days:
        return set()
    windows = stretches(day for each in days.values() for day in each)
    rows = of_gpus(read_touching(transaction, "readings", windows), days)
    job_of = dict(_jobs(rows))
    units = _units(rows, days)
    old_gaps = _old_gaps(transaction, windows, units)
    _add_segments(units, changed, old_gaps)
    _add_neighbours(transaction, units)
    new_usage: list[Row] = []
    new_gaps: list[Row] = []
    for unit in units:
        unit.cut()
    sharers = set().union(*(unit.sharers for unit in units))
    accounted = accounted_runs(
        transaction, {(run[0], job_of[run]) for run in sharers if run in job_of}, asked
    )
    for unit in units:
        hours, between = unit.divided(accounted)
        new_usage += [_usage_row(unit.gpu, each, job_of) for each in hours]
        new_gaps += [_gap_row(unit.gpu, gap) for gap in between]
    old_usage = _old_usage(transaction, windows, days)
    added = from_rows("usage", new_usage)
    transaction.exchange("usage", removed=old_usage, added=added)
    transaction.exchange("gaps", removed=old_gaps, added=once("gaps", from_rows("gaps", new_gaps)))
    return {job for table in (old_usage, added, changed) for job in _job_keys(table)}


def _units(rows: pa.Table, days: dict[Gpu, set[date]]) -> list[Unit]:
    """What to divide, each with the readings that touch its days."""
    readings = readings_by_gpu(rows)
    units = []
    for gpu in sorted(days):
        for stretch in stretches(days[gpu]):
            inside = [reading for reading in readings.get(gpu, ()) if _overlaps(reading, stretch)]
            units.append(Unit(gpu, stretch, inside))
    return units


def _add_segments(units: list[Unit], changed: pa.Table, old_gaps: pa.Table) -> None:
    """Every segment that has, had, or is said to have something in a unit."""
    told: dict[Gpu, dict[str, int]] = {}
    for row in to_rows(old_gaps):
        booted = row["to_at"] - row["to_uptime_microseconds"]
        told.setdefault((row["cluster"], row["node"], row["gpu_uuid"]), {})[row["segment"]] = booted
    gone = _segments_of(changed)
    for unit in units:
        unit.segments.update(told.get(unit.gpu, {}))
        found = [(each.segment, each.at_microseconds - each.uptime_microseconds) for each in unit.readings]
        found += [
            (segment, booted)
            for segment, booted, first, last in gone.get(unit.gpu, ())
            if first <= unit.stretch.end and last >= unit.stretch.start
        ]
        for segment, booted in found:
            unit.segments[segment] = min(unit.segments.get(segment, booted), booted)


def _segments_of(readings: pa.Table) -> dict[Gpu, set[tuple[str, int, int, int]]]:
    """Of each reading by GPU: its segment, when its node booted, its first and its last instant."""
    found: dict[Gpu, set[tuple[str, int, int, int]]] = {}
    if not len(readings):
        return found
    names = [readings[name].to_pylist() for name in (*GPU_COLUMNS, "segment")]
    booted = pc.subtract(readings["at"].cast(pa.int64()), readings["uptime_microseconds"])
    instants = [each.to_pylist() for each in (booted, *extents("readings", readings))]
    for cluster, node, uuid, *rest in zip(*names, *instants, strict=True):
        found.setdefault((cluster, node, uuid), set()).add(tuple(rest))
    return found


def _add_neighbours(transaction: Transaction, units: list[Unit]) -> None:
    """The boundaries beside each unit that a gap at its edge is measured from."""
    found = [
        neighbours.before(transaction, [each for unit in units for each in unit.wanted(latest=False)]),
        neighbours.after(transaction, [each for unit in units for each in unit.wanted(latest=True)]),
    ]
    for by_stretch in found:
        readings = {stretch: readings_by_gpu(rows) for stretch, rows in by_stretch.items()}
        for unit in units:
            if beside := readings.get(unit.stretch, {}).get(unit.gpu):
                unit.readings = list(dict.fromkeys([*unit.readings, *beside]))


def _old_usage(transaction: Transaction, windows: list[Stretch], days: dict[Gpu, set[date]]) -> pa.Table:
    """The hours that are made anew."""
    rows = of_gpus(read_touching(transaction, "usage", windows), days)
    keep = [
        day_of(hour) in days[cluster, node, uuid]
        for cluster, node, uuid, hour in zip(
            *(rows[name].to_pylist() for name in GPU_COLUMNS), rows["hour"].cast(pa.int64()).to_pylist(),
            strict=True,
        )
    ]  # fmt: skip
    return rows.filter(pa.array(keep, pa.bool_()))


def _old_gaps(transaction: Transaction, windows: list[Stretch], units: list[Unit]) -> pa.Table:
    """The gaps that are made anew."""
    rows = read_touching(transaction, "gaps", windows)
    of_gpu: dict[Gpu, list[Stretch]] = {}
    for unit in units:
        of_gpu.setdefault(unit.gpu, []).append(unit.stretch)
    keep = []
    for row in to_rows(rows):
        mine = of_gpu.get((row["cluster"], row["node"], row["gpu_uuid"]), [])
        start, end = _ends(row["from_at"], row["to_at"])
        keep.append(any(start <= stretch.end and end >= stretch.start for stretch in mine))
    return rows.filter(pa.array(keep, pa.bool_()))


def _instants(reading: Reading) -> list[tuple[int, int]]:
    """The instants at which a reading cuts the GPU's energy, on both clocks."""
    found = []
    if reading.energy_millijoules is not None:
        found.append((reading.uptime_microseconds, reading.at_microseconds))
    if reading.has_figure and reading.since_uptime_microseconds is not None:
        found.append((reading.since_uptime_microseconds, reading.interval[0]))
    return found


def _overlaps(reading: Reading, stretch: Stretch) -> bool:
    """Whether a reading's extent touches the stretch: as `store.rows.extents` has it."""
    start = end = reading.at_microseconds
    since_at, since = reading.since_at_microseconds, reading.since_uptime_microseconds
    if since_at is not None and since is not None:
        span = reading.uptime_microseconds - since
        start, end = min(start, since_at, start - span), max(end, since_at, since_at + span)
    return start <= stretch.end and end >= stretch.start


def _touches(gap: Gap, stretch: Stretch) -> bool:
    start, end = _ends(gap.from_at_microseconds, gap.to_at_microseconds)
    return start <= stretch.end and end >= stretch.start


def _ends(from_at: int | None, to_at: int) -> tuple[int, int]:
    return (to_at, to_at) if from_at is None else (min(from_at, to_at), max(from_at, to_at))


def _usage_row(gpu: Gpu, each: Usage, job_of: dict[tuple[str, str, int], int]) -> Row:
    holder = each.holder
    return {
        "cluster": gpu[0],
        "run_id": holder.run_id,
        "raw_job_id": job_of[gpu[0], holder.run_id, holder.started_at_microseconds],
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


def _named(holder: Holder) -> tuple[str, int]:
    return holder.run_id, holder.started_at_microseconds


def _jobs(rows: pa.Table) -> Iterable[tuple[tuple[str, str, int], int]]:
    unique = rows.group_by(["cluster", "run_id", "started_at", "raw_job_id"]).aggregate([])
    for row in to_rows(unique):
        yield (row["cluster"], row["run_id"], row["started_at"]), row["raw_job_id"]


def _job_keys(rows: pa.Table) -> set[Job]:
    unique = rows.group_by(["cluster", "raw_job_id"]).aggregate([])
    return set(zip(unique["cluster"].to_pylist(), unique["raw_job_id"].to_pylist(), strict=True))
