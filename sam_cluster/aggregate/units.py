"""GPUs over stretches of days: what is divided at once, and which rows belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.numbers import Numbers, count_of, integers, numbers, one_of_each
from sam_cluster.store.rows import extents

from .touched import GPU_COLUMNS, Gpu, Stretch, stretches

#: More than the days that instants lie in.
DAYS = 1 << 20
#: Of a row whose GPU is none of those that are divided.
NO_GPU = -1


class Pairs(NamedTuple):
    """Rows and the units that they touch: a place in both for each pair, by row."""

    row: Numbers
    unit: Numbers


@dataclass(frozen=True, slots=True)
class Units:
    """GPUs, each over a stretch of days, by GPU and time."""

    gpus: list[Gpu]
    stretches: list[Stretch]  # of each unit
    gpu: Numbers  # of each unit: its place in `gpus`
    start: Numbers  # of each unit's stretch: its first microsecond
    end: Numbers  # the first microsecond after it

    @classmethod
    def of(cls, days: Mapping[Gpu, Iterable[date]]) -> Units:
        """The units of some days of GPUs."""
        gpus = sorted(days)
        each = [(number, stretch) for number, gpu in enumerate(gpus) for stretch in stretches(days[gpu])]
        return cls(
            gpus,
            [stretch for _, stretch in each],
            np.array([number for number, _ in each], np.int64),
            np.array([stretch.start for _, stretch in each], np.int64),
            np.array([stretch.end for _, stretch in each], np.int64),
        )

    def __len__(self) -> int:
        return len(self.stretches)

    @property
    def windows(self) -> list[Stretch]:
        """The days of all units, as few stretches."""
        ends = {(each.first, each.last): each for each in self.stretches}
        merged: list[Stretch] = []
        for _, each in sorted(ends.items()):
            if merged and each.start <= merged[-1].end:
                merged[-1] = Stretch(merged[-1].first, max(merged[-1].last, each.last))
            else:
                merged.append(each)
        return merged

    def gpu_of(self, rows: pa.Table) -> Numbers:
        """The GPU of each row; NO_GPU where it is none of these."""
        found = numbers([rows[name] for name in GPU_COLUMNS])
        one = pa.array(one_of_each(np.arange(len(rows)), found, count_of(found)))
        places = {gpu: place for place, gpu in enumerate(self.gpus)}
        named = zip(*(rows[name].take(one).to_pylist() for name in GPU_COLUMNS), strict=True)
        return np.array([places.get(gpu, NO_GPU) for gpu in named], np.int64)[found]

    def touched_by(self, table: str, rows: pa.Table) -> Pairs:
        """Which rows touch which units, the ends of a stretch included."""
        first, last = (integers(each) for each in extents(table, rows))
        before = (first - 1) // MICROSECONDS_PER_DAY  # a stretch that ends where a row begins
        return self._pairs(self.gpu_of(rows), before, last // MICROSECONDS_PER_DAY)

    def with_day_of(self, rows: pa.Table, instant: str) -> Numbers:
        """The rows of which an instant, as a column has it, is in a unit."""
        day = integers(rows[instant]) // MICROSECONDS_PER_DAY
        return self._pairs(self.gpu_of(rows), day, day).row

    def with_gpu_of(self, rows: pa.Table) -> Pairs:
        """As `touched_by`, of all units of a row's GPU."""
        gpu = self.gpu_of(rows)
        return self._pairs(gpu, np.zeros_like(gpu), np.full_like(gpu, DAYS - 1))

    def _pairs(self, gpu: Numbers, first_day: Numbers, last_day: Numbers) -> Pairs:
        """Units of a GPU that have one of the days, for each row."""
        starts, ends = (each // MICROSECONDS_PER_DAY for each in (self.start, self.end))
        low = np.searchsorted(self.gpu * DAYS + ends - 1, gpu * DAYS + first_day, "left")
        high = np.searchsorted(self.gpu * DAYS + starts, gpu * DAYS + last_day, "right")
        count = np.where(gpu == NO_GPU, 0, np.maximum(high - low, 0))
        row = np.repeat(np.arange(len(gpu)), count)
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return Pairs(row, np.repeat(low, count) + place)
