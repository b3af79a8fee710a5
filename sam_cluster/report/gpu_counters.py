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
from .records import TableReader

Gpu = tuple[str, str, str]  # cluster, node, UUID

GPU_COLUMNS = ("cluster", "node", "gpu_uuid")
SEGMENT_COLUMNS = (*GPU_COLUMNS, "segment")
READING_COLUMNS = (
    *SEGMENT_COLUMNS, "at", "uptime_microseconds", "energy_millijoules", "since_at",
    "since_uptime_microseconds", "since_energy_millijoules", "gpu_model",
)  # fmt: skip
#: An instant that is not known, in a column of integers.
NEVER = np.iinfo(np.int64).max


@dataclass(slots=True)
class Counted:
    """What a GPU's counter grew by, and when it was read first and last in the period."""

    energy_millijoules: int = 0
    gpu_model: str | None = None
    first_at: int | None = None
    last_at: int | None = None


@dataclass(frozen=True, slots=True)
class _Values:
    """Values of counters: each of a segment at an uptime, the smallest that was told of it, and when that was
    (UTC): as the reading there has it, else as the one after it does. By segment and uptime, each once."""

    segment: np.ndarray
    uptime: np.ndarray
    energy: np.ndarray
    own_at: np.ndarray
    told_at: np.ndarray

    def once(self) -> _Values:
        """In order, each once."""
        order = np.lexsort((self.uptime, self.segment))
        segment, uptime = self.segment[order], self.uptime[order]
        is_new = np.ones(len(order), bool)
        is_new[1:] = (segment[1:] != segment[:-1]) | (uptime[1:] != uptime[:-1])
        starts = np.flatnonzero(is_new)
        smallest = (
            np.minimum.reduceat(column[order], starts) if len(starts) else column
            for column in (self.energy, self.own_at, self.told_at)
        )
        return _Values(segment[starts], uptime[starts], *smallest)

    def also(self, other: _Values) -> _Values:
        """With others."""
        return _Values(*(np.concatenate(pair) for pair in zip(self._columns, other._columns, strict=True)))

    @property
    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.segment, self.uptime, self.energy, self.own_at, self.told_at

    def find(self, segment: int, uptime: int) -> int | None:
        """The place of a value; None where there is none. They are in order."""
        low, high = np.searchsorted(self.segment, (segment, segment + 1))
        at = int(low + np.searchsorted(self.uptime[low:high], uptime))
        return at if at < high and self.uptime[at] == uptime else None


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
    values = values.also(_ends(values, spans, of_spans)).once()
    increases = np.zeros(len(names), np.int64)
    np.add.at(increases, *_pieces(values, _Held.of(readings, of_readings), first, last))
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


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    """A column of integers or instants; NEVER where it is null."""
    return np.asarray(pc.fill_null(rows[name].cast(pa.int64()), NEVER))


def _values(readings: pa.Table, segments: np.ndarray) -> _Values:
    """What readings have, and what they have of the one before them of the same run."""
    energy = _numbers(readings, "energy_millijoules")
    parts = []
    for prefix in ("", "since_"):
        uptime, value, at = (
            _numbers(readings, f"{prefix}{name}")
            for name in ("uptime_microseconds", "energy_millijoules", "at")
        )
        known = (energy != NEVER) & (uptime != NEVER) & (value != NEVER)
        never = np.full(int(known.sum()), NEVER)
        own, told = (never, at[known]) if prefix else (at[known], never)
        parts.append(_Values(segments[known], uptime[known], value[known], own, told))
    return parts[0].also(parts[1])


def _ends(values: _Values, gaps: pa.Table, segments: np.ndarray) -> _Values:
    """The ends of gaps that are readings, or boundaries of nobody's run, outside of what was read."""
    begin, end, energy, from_at, to_at = (
        _numbers(gaps, name)
        for name in (
            "from_uptime_microseconds", "to_uptime_microseconds", "energy_millijoules", "from_at", "to_at",
        )
    )  # fmt: skip
    # One number for a segment and an uptime, to look up all gaps at once.
    uptimes = np.unique(np.concatenate([values.uptime, begin, end]))

    def place(segment: np.ndarray, uptime: np.ndarray) -> np.ndarray:
        return np.asarray(segment * len(uptimes) + np.searchsorted(uptimes, uptime))

    known = place(values.segment, values.uptime)
    both = np.isin(place(segments, begin), known) & np.isin(place(segments, end), known)
    open_ended = np.flatnonzero(~both)
    found: dict[tuple[int, int], tuple[int, int]] = {}

    def value(segment: int, uptime: int) -> int | None:
        if (segment, uptime) in found:
            return found[segment, uptime][0]
        at = values.find(segment, uptime)
        return None if at is None else int(values.energy[at])

    open_ended = np.flatnonzero(~both)
    for gap in open_ended[np.lexsort((end[open_ended], segments[open_ended]))].tolist():
        segment, since, until, used = (int(column[gap]) for column in (segments, begin, end, energy))
        before, after = value(segment, since), value(segment, until)
        if before is None:
            before = 0 if after is None else after - used
            found[segment, since] = before, int(from_at[gap])
        if after is None:
            found[segment, until] = before + used, int(to_at[gap])
    rows = [(segment, uptime, energy, NEVER, at) for (segment, uptime), (energy, at) in found.items()]
    return _Values(*np.array(rows, np.int64).reshape(-1, 5).T)


@dataclass(frozen=True, slots=True)
class _Held:
    """From when to when (uptime) one run had a GPU, in the order of segments."""

    segment: np.ndarray
    since: np.ndarray
    until: np.ndarray

    @classmethod
    def of(cls, readings: pa.Table, segments: np.ndarray) -> _Held:
        since = _numbers(readings, "since_uptime_microseconds")
        order = np.argsort(segments, kind="stable")
        order = order[since[order] != NEVER]
        return cls(segments[order], since[order], _numbers(readings, "uptime_microseconds")[order])

    def all_of(self, segment: int, since: int, until: int) -> bool:
        """Whether one run had it over all of a stretch."""
        low, high = np.searchsorted(self.segment, (segment, segment + 1))
        return bool(np.any((self.since[low:high] <= since) & (until <= self.until[low:high])))


def _pieces(values: _Values, held: _Held, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
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
    begun = np.minimum(begun, ended)
    used = values.energy[end] - values.energy[begin]
    is_inside = (begun >= first) & (begun < last) & (ended <= last)
    part = np.where(is_inside, used, 0)
    for piece in np.flatnonzero(~is_inside & (begun < last) & (ended > first)).tolist():
        part[piece] = inside(int(begun[piece]), int(ended[piece]), int(used[piece]), first, last)
    return values.segment[end], part
