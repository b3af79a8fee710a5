"""By how much the counters of GPUs grew in a period, from the values in `readings`, as columns.

A value between two runs, or under a run that others share, is told several times; what lies between two
neighbouring values of one segment is a piece, and pieces add up to the increase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.units import MICROSECONDS_PER_SECOND
from ..store.rows import SEPARATOR, joined
from .counter_values import NEVER, Held, Values, numbers
from .records import TableReader

Gpu = tuple[str, str, str]  # cluster, node, UUID

GPU_COLUMNS = ("cluster", "node", "gpu_uuid")
SEGMENT_COLUMNS = (*GPU_COLUMNS, "segment")
READING_COLUMNS = (
    *SEGMENT_COLUMNS, "at", "uptime_microseconds", "energy_millijoules", "since_at",
    "since_uptime_microseconds", "since_energy_millijoules", "gpu_model",
)  # fmt: skip


@dataclass(slots=True)
class Counted:
    """What a GPU's counter grew by, and when it was read first and last in the period."""

    energy_millijoules: int = 0
    gpu_model: str | None = None
    first_at: int | None = None
    last_at: int | None = None


def counted(
    tables: TableReader, gaps: pa.Table, first: int, last: int, node: str | None, gpu: str | None
) -> dict[Gpu, Counted]:
    """The increase of the counters of GPUs between two instants. `gaps` are the rows of that time."""

    def read(begin: int, end: int) -> pa.Table:
        rows = tables.read(
            "readings",
            start_microseconds=begin,
            end_microseconds=end + 1,
            columns=READING_COLUMNS,
            in_any_order=True,
        )
        return of_gpus(rows, node, gpu)

    readings = read(first, last)
    found = _seen(readings, first, last)
    # What a run has over a border may be cut, outside of the period, by boundaries of others.
    instants = (readings["at"].cast(pa.int64()), readings["since_at"].cast(pa.int64()))
    earliest = min(first, *(pc.min(each).as_py() or first for each in instants))
    latest = max(last, *(pc.max(each).as_py() or last for each in instants))
    outside = [read(*edges) for edges in ((earliest, first), (last, latest)) if edges[0] < edges[1]]
    readings = pa.concat_tables([readings, *outside])

    spans = gaps.filter(
        pc.and_(pc.is_valid(gaps["from_uptime_microseconds"]), pc.is_valid(gaps["energy_millijoules"]))
    )
    parts = [joined(rows, SEGMENT_COLUMNS) for rows in (readings, spans)]
    keys = pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())
    names = keys.unique()
    segments = np.asarray(pc.index_in(keys, value_set=names).cast(pa.int64()))
    of_readings, of_spans = segments[: len(readings)], segments[len(readings) :]

    values = _values(readings, of_readings).once()
    known = values.have(of_spans, spans, "from_uptime_microseconds", "to_uptime_microseconds")
    increases = np.zeros(len(names), np.int64)
    # Of a gap with no end among them nothing but its own energy is known.
    apart = ~known.any(axis=0)
    np.add.at(increases, of_spans[apart], _of_gaps(spans.filter(pa.array(apart)), first, last))
    half = known.any(axis=0) & ~known.all(axis=0)
    values = values.also(_ends(values, spans.filter(pa.array(half)), of_spans[half])).once()
    np.add.at(increases, *_pieces(values, Held.of(readings, of_readings), first, last))
    for segment in np.flatnonzero(increases).tolist():
        cluster, host, uuid, _ = names[segment].as_py().split(SEPARATOR)
        found.setdefault((cluster, host, uuid), Counted()).energy_millijoules += int(increases[segment])
    return found


def of_gpus(rows: pa.Table, node: str | None, gpu: str | None) -> pa.Table:
    """The rows of one node's GPUs, or of one GPU; all where neither is named."""
    for name, wanted in (("node", node), ("gpu_uuid", gpu)):
        if wanted is not None:
            rows = rows.filter(pc.equal(rows[name], wanted))
    return rows


def inside(begun: int, ended: int, energy_millijoules: int, first: int, last: int) -> int:
    """The part of an energy that falls between two instants, by time: as a difference of two sums up to an
    instant, so that parts add up. What took no time is where it began."""

    def up_to(instant: int) -> int:
        if ended <= begun:
            return energy_millijoules if begun < instant else 0
        return energy_millijoules * (min(max(instant, begun), ended) - begun) // (ended - begun)

    return up_to(last) - up_to(first)


def _seen(readings: pa.Table, first: int, last: int) -> dict[Gpu, Counted]:
    at = readings["at"].cast(pa.int64())
    seen = readings.append_column("seen", at).filter(
        pc.and_(pc.greater_equal(at, first), pc.less_equal(at, last))
    )
    summed = seen.group_by(list(GPU_COLUMNS)).aggregate(
        [("seen", "min"), ("seen", "max"), ("gpu_model", "max")]
    )
    return {
        (row["cluster"], row["node"], row["gpu_uuid"]): Counted(
            0, row["gpu_model_max"], row["seen_min"], row["seen_max"]
        )
        for row in summed.to_pylist()
    }


def _values(readings: pa.Table, segments: np.ndarray) -> Values:
    """What readings have, and what they have of the one before them of the same run."""
    energy = numbers(readings, "energy_millijoules")
    parts = []
    for prefix in ("", "since_"):
        uptime, value, at = (
            numbers(readings, f"{prefix}{name}")
            for name in ("uptime_microseconds", "energy_millijoules", "at")
        )
        known = (energy != NEVER) & (uptime != NEVER) & (value != NEVER)
        never = np.full(int(known.sum()), NEVER)
        own, told = (never, at[known]) if prefix else (at[known], never)
        parts.append(Values(segments[known], uptime[known], value[known], own, told))
    return parts[0].also(parts[1])


def _ends(values: Values, gaps: pa.Table, segments: np.ndarray) -> Values:
    """The other ends of gaps that have one end among the values: readings, or boundaries of nobody's run,
    outside of what was read."""
    begin, end, energy, from_at, to_at = (
        numbers(gaps, name)
        for name in (
            "from_uptime_microseconds", "to_uptime_microseconds", "energy_millijoules", "from_at", "to_at",
        )
    )  # fmt: skip
    rows = []
    for segment, since, until, used, begun, ended in zip(
        *(column.tolist() for column in (segments, begin, end, energy, from_at, to_at)), strict=True
    ):
        before, after = values.find(segment, since), values.find(segment, until)
        if before is not None:
            rows.append((segment, until, int(values.energy[before]) + used, NEVER, ended))
        elif after is not None:
            rows.append((segment, since, int(values.energy[after]) - used, NEVER, begun))
    return Values(*np.array(rows, np.int64).reshape(-1, 5).T)


def _of_gaps(gaps: pa.Table, first: int, last: int) -> np.ndarray:
    """The energy of gaps inside the period."""
    ended, begun = numbers(gaps, "to_at"), numbers(gaps, "from_at")
    return _inside(np.minimum(begun, ended), ended, numbers(gaps, "energy_millijoules"), first, last)


def _pieces(values: Values, held: Held, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Of what lies between neighbouring values the segment, and the energy inside the period."""
    begin = np.flatnonzero(values.segment[1:] == values.segment[:-1])
    end = begin + 1
    at = np.where(values.own_at == NEVER, values.told_at, values.own_at)
    ended = np.where(at[end] == NEVER, 0, at[end])
    begun = np.where(at[begin] == NEVER, ended, at[begin])
    lasted = values.uptime[end] - values.uptime[begin]
    for piece in np.flatnonzero(np.abs(ended - begun - lasted) > MICROSECONDS_PER_SECOND).tolist():
        stretch = values.uptime[begin[piece]], values.uptime[end[piece]]
        if held.all_of(int(values.segment[begin[piece]]), *map(int, stretch)):
            begun[piece] = ended[piece] - lasted[piece]  # as hours of runs are counted
    used = values.energy[end] - values.energy[begin]
    return values.segment[end], _inside(np.minimum(begun, ended), ended, used, first, last)


def _inside(begun: np.ndarray, ended: np.ndarray, used: np.ndarray, first: int, last: int) -> np.ndarray:
    """As `inside`, of many."""
    is_inside = (begun >= first) & (begun < last) & (ended <= last)
    part = np.where(is_inside, used, 0)
    for piece in np.flatnonzero(~is_inside & (begun < last) & (ended > first)).tolist():
        part[piece] = inside(int(begun[piece]), int(ended[piece]), int(used[piece]), first, last)
    return part
