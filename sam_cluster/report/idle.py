"""Held but idle: energy of GPUs that a job held and did not use.

Where the driver told how busy the GPU was (`idle_microseconds` in `usage`), it is what the GPU drew while no
kernel ran on it. Elsewhere hours count as a whole, by their power: a GPU's idle power is the median over the
stretches in which nobody held it (`gaps` of the kind idle, ten minutes or longer) in the period; where there
is none, that of the last stretch in the month before. An hour that a run held the GPU for ten minutes or
more, and whose mean power over that time is at most 1.25 times the idle power, is held idle. An hour of a GPU
without a known idle power, a shorter one, and one of which a part is missing are not judged, and neither idle
nor busy.

By power it is a sign and no proof: a program that is open may keep an idle GPU above its idle power, and a
light load may lie below the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import GapKind, Quality
from ..core.times import utc_microseconds
from .records import TableReader

#: Mean power over idle power up to which an hour is held idle.
MOST_OF_IDLE_POWER = 1.25
#: What a stretch or an hour is to last at least, to say what power the GPU had.
LEAST_MICROSECONDS = 600_000_000
#: How far before a period an idle power is looked for.
LOOK_BACK = timedelta(days=31)

POWERS = pa.schema([pa.field("gpu_uuid", pa.string()), pa.field("idle_milliwatts", pa.float64())])


def judged(usage: pa.Table, powers: pa.Table) -> pa.Table:
    """The hours of `usage_of` with the column `is_idle`: true, false, or null where it cannot be told. One
    that was idle in part is two rows, which add up to it."""
    is_told = pc.is_valid(pc.add(usage["idle_microseconds"], usage["idle_energy_millijoules"]))
    is_told = pc.and_(is_told, pc.is_valid(usage["energy_millijoules"]))
    if not pc.any(is_told).as_py():
        return _by_power(usage, powers)
    return pa.concat_tables(
        [_by_use(usage.filter(is_told)), _by_power(usage.filter(pc.invert(is_told)), powers)]
    )


def _by_use(usage: pa.Table) -> pa.Table:
    """What may be off at the boundaries of an hour stays with the part in which the GPU was used."""
    idle = {
        "held_microseconds": pc.min_element_wise(usage["idle_microseconds"], usage["held_microseconds"]),
        "energy_millijoules": pc.min_element_wise(
            usage["idle_energy_millijoules"], usage["energy_millijoules"]
        ),
    }
    none = pc.equal(idle["held_microseconds"], 0)
    whole = pc.equal(idle["held_microseconds"], usage["held_microseconds"])
    is_whole = pc.or_(none, whole)
    halves = [usage, usage]
    for name, part in idle.items():
        place = usage.schema.get_field_index(name)
        halves[0] = halves[0].set_column(place, name, part)
        halves[1] = halves[1].set_column(place, name, pc.subtract(usage[name], part))
    place = usage.schema.get_field_index("uncertainty_millijoules")
    nothing = pc.multiply(usage["uncertainty_millijoules"], 0)
    halves[0] = halves[0].set_column(place, "uncertainty_millijoules", nothing)
    return pa.concat_tables(
        [
            usage.append_column("is_idle", pc.and_(whole, pc.invert(none))).filter(is_whole),
            *(
                half.append_column("is_idle", pa.repeat(is_idle, len(half))).filter(pc.invert(is_whole))
                for half, is_idle in zip(halves, (True, False), strict=True)
            ),
        ]
    )


def _by_power(usage: pa.Table, powers: pa.Table) -> pa.Table:
    place = pc.index_in(usage["gpu_uuid"], value_set=powers["gpu_uuid"].combine_chunks())
    idle = powers["idle_milliwatts"].take(place)
    power = _milliwatts(usage["device_energy_millijoules"], usage["held_microseconds"])
    whole = pc.is_in(usage["quality"], value_set=pa.array([Quality.MEASURED.value, Quality.ESTIMATED.value]))
    long_enough = pc.greater_equal(usage["held_microseconds"], LEAST_MICROSECONDS)
    is_idle = pc.less_equal(power, pc.multiply(idle, MOST_OF_IDLE_POWER))
    is_idle = pc.if_else(pc.and_(whole, long_enough), is_idle, pa.scalar(None, pa.bool_()))
    return usage.append_column("is_idle", is_idle)


def judged_share(usage: pa.Table) -> float | None:
    """The part of the held GPU time that could be judged, of the hours of `judged`; None of no hours."""
    held = pc.sum(usage["held_microseconds"]).as_py()
    seen = pc.sum(usage.filter(pc.is_valid(usage["is_idle"]))["held_microseconds"]).as_py()
    return (seen or 0) / held if held else None


def idle_powers(tables: TableReader, gpu_uuids: Iterable[str], start: datetime, end: datetime) -> pa.Table:
    """The idle power of each GPU in a period, as POWERS; a GPU that was never seen idle has no row."""
    wanted = pa.array(sorted(set(gpu_uuids)), pa.string())
    inside = _medians(_stretches(tables, start, end, wanted))
    missing = wanted.filter(pc.invert(pc.is_in(wanted, value_set=inside["gpu_uuid"].combine_chunks())))
    if not len(missing):
        return inside
    return pa.concat_tables([inside, _latest(_stretches(tables, start - LOOK_BACK, start, missing))])


def _stretches(tables: TableReader, start: datetime, end: datetime, gpu_uuids: pa.Array) -> pa.Table:
    """The idle stretches of some GPUs that are long enough: `gpu_uuid`, `to_at`, `idle_milliwatts`."""
    rows = tables.read(
        "gaps",
        start_microseconds=utc_microseconds(start),
        end_microseconds=utc_microseconds(end),
        columns=[
            "gpu_uuid", "kind", "to_at", "from_uptime_microseconds", "to_uptime_microseconds",
            "energy_millijoules",
        ],
        in_any_order=True,
    )  # fmt: skip
    # Durations are of the boot clock: the wall clock may have been set in between.
    lasted = pc.subtract(rows["to_uptime_microseconds"], rows["from_uptime_microseconds"])
    rows = rows.append_column("lasted", lasted)
    rows = rows.filter(
        pc.and_(
            pc.and_(pc.equal(rows["kind"], GapKind.IDLE.value), pc.is_in(rows["gpu_uuid"], gpu_uuids)),
            pc.greater_equal(rows["lasted"], LEAST_MICROSECONDS),
        )
    )
    rows = rows.append_column("idle_milliwatts", _milliwatts(rows["energy_millijoules"], rows["lasted"]))
    return rows.filter(pc.is_valid(rows["idle_milliwatts"])).select(["gpu_uuid", "to_at", "idle_milliwatts"])


def _medians(stretches: pa.Table) -> pa.Table:
    """The median of each GPU; of an even number of stretches the lower of the two in the middle."""
    return _one_of_each(
        stretches.sort_by([("gpu_uuid", "ascending"), ("idle_milliwatts", "ascending")]),
        lambda count: (count - 1) // 2,
    )


def _latest(stretches: pa.Table) -> pa.Table:
    return _one_of_each(
        stretches.sort_by([("gpu_uuid", "ascending"), ("to_at", "ascending")]), lambda count: count - 1
    )


def _one_of_each(ordered: pa.Table, place: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    """Of each GPU's stretches in their order the one at a place that depends on how many they are."""
    counts = ordered["gpu_uuid"].value_counts().field("counts").to_numpy(zero_copy_only=False)
    taken = np.cumsum(counts) - counts + place(counts)
    return ordered.take(pa.array(taken, pa.int64())).select(POWERS.names).cast(POWERS)


def _milliwatts(energy_millijoules: pa.ChunkedArray, lasted_microseconds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Mean power; millijoules over seconds are milliwatts. Null over no time."""
    lasted = pc.if_else(pc.greater(lasted_microseconds, 0), lasted_microseconds, pa.scalar(None, pa.int64()))
    seconds = pc.divide(lasted.cast(pa.float64()), 1e6)
    return pc.divide(energy_millijoules.cast(pa.float64()), seconds)
