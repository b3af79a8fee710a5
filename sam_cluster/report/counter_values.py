"""Values that counters had, as columns: by segment and uptime, each once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: An instant that is not known, in a column of integers.
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Values:
    """Values of counters: each of a segment at an uptime, the smallest that was told of it, and when that was
    (UTC): as the reading there has it, else as the one after it does. By segment and uptime, each once."""

    segment: np.ndarray
    uptime: np.ndarray
    energy: np.ndarray
    own_at: np.ndarray
    told_at: np.ndarray

    def once(self) -> Values:
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
        return Values(segment[starts], uptime[starts], *smallest)

    def also(self, other: Values) -> Values:
        """With others."""
        return Values(*(np.concatenate(pair) for pair in zip(self._columns, other._columns, strict=True)))

    @property
    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.segment, self.uptime, self.energy, self.own_at, self.told_at

    def have(self, segments: np.ndarray, rows: pa.Table, *names: str) -> np.ndarray:
        """Whether they have a value at the uptimes of rows of these segments, by column and row."""
        columns = [numbers(rows, name) for name in names]
        segment = np.concatenate([self.segment, *([segments] * len(columns))])
        uptime = np.concatenate([self.uptime, *columns])
        # In order, what is the same lies together; the first ones of all are the values themselves.
        order = np.lexsort((uptime, segment))
        is_new = np.ones(len(order), bool)
        is_new[1:] = (np.diff(segment[order]) != 0) | (np.diff(uptime[order]) != 0)
        group = np.empty(len(order), np.int64)
        group[order] = np.cumsum(is_new) - 1
        known = np.zeros(len(order), bool)
        known[group[: len(self.segment)]] = True
        return known[group[len(self.segment) :]].reshape(len(columns), len(segments))

    def find(self, segment: int, uptime: int) -> int | None:
        """The place of a value; None where there is none. They are in order."""
        low, high = np.searchsorted(self.segment, (segment, segment + 1))
        at = int(low + np.searchsorted(self.uptime[low:high], uptime))
        return at if at < high and self.uptime[at] == uptime else None


@dataclass(frozen=True, slots=True)
class Held:
    """From when to when (uptime) one run had a GPU, in the order of segments."""

    segment: np.ndarray
    since: np.ndarray
    until: np.ndarray

    @classmethod
    def of(cls, readings: pa.Table, segments: np.ndarray) -> Held:
        since = numbers(readings, "since_uptime_microseconds")
        order = np.argsort(segments, kind="stable")
        order = order[since[order] != NEVER]
        return cls(segments[order], since[order], numbers(readings, "uptime_microseconds")[order])

    def all_of(self, segment: int, since: int, until: int) -> bool:
        """Whether one run had it over all of a stretch."""
        low, high = np.searchsorted(self.segment, (segment, segment + 1))
        return bool(np.any((self.since[low:high] <= since) & (until <= self.until[low:high])))


def numbers(rows: pa.Table, name: str) -> np.ndarray:
    """A column of integers or instants; NEVER where it is null."""
    return np.asarray(pc.fill_null(rows[name].cast(pa.int64()), NEVER))
