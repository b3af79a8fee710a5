"""What a GPU truly draws, in exact fractions: the twin of ``waveform.c``.

A milliwatt for a microsecond is a nanojoule. The energy drawn up to an instant is the integral of the
power, rounded down to half a nanojoule: the one rounding there is, the same on both sides, so that what a
counter must show follows from the truth to the last millijoule.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

HALF_NANOJOULES_PER_MILLIJOULE = 2_000_000
PARTS_PER_MILLION = 1_000_000


def whole_millijoules(half_nanojoules: int) -> tuple[int, int]:
    """Whole millijoules, and the half nanojoules that are left."""
    return divmod(half_nanojoules, HALF_NANOJOULES_PER_MILLIJOULE)


@dataclass(frozen=True)
class Segment:
    """Power that runs straight from ``start_mw`` to ``end_mw`` until the next segment starts."""

    start_us: int
    start_mw: int
    end_mw: int


@dataclass(frozen=True)
class Waveform:
    """Segments one after the other, with a step between them, repeated every ``period_us`` if that is given.

    The first power holds before the first segment. The last segment of a waveform that is not repeated has
    no end, so it must be flat.
    """

    segments: tuple[Segment, ...]
    period_us: int | None = None

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError("a waveform needs a segment")
        starts = [segment.start_us for segment in self.segments]
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise ValueError(f"segments must start one after the other, not at {starts} us")
        if any(min(segment.start_mw, segment.end_mw) < 0 for segment in self.segments):
            raise ValueError("power is never negative")
        if self.period_us is None:
            if self.segments[-1].start_mw != self.segments[-1].end_mw:
                raise ValueError("the last segment of a waveform that is not repeated must be flat")
        elif starts[-1] - starts[0] >= self.period_us:
            raise ValueError(f"the segments do not fit into a period of {self.period_us} us")

    def nanojoules(self, time_us: int) -> Fraction:
        """The integral from the first segment's start to ``time_us``; negative for an earlier time."""
        origin_us = self.segments[0].start_us
        if time_us < origin_us:
            return Fraction(self.segments[0].start_mw * (time_us - origin_us))
        if self.period_us is None:
            return self._one_round(time_us)
        rounds, inside_us = divmod(time_us - origin_us, self.period_us)
        return rounds * self._one_round(origin_us + self.period_us) + self._one_round(origin_us + inside_us)

    def _one_round(self, time_us: int) -> Fraction:
        starts = [segment.start_us for segment in self.segments]
        last_end = time_us if self.period_us is None else starts[0] + self.period_us
        total = Fraction(0)
        for segment, end_us in zip(self.segments, [*starts[1:], last_end], strict=True):
            inside_us = min(time_us, end_us) - segment.start_us
            if inside_us <= 0:
                break
            slope = Fraction(segment.end_mw - segment.start_mw, end_us - segment.start_us)
            total += (segment.start_mw + slope * inside_us / 2) * inside_us
        return total


@dataclass(frozen=True)
class Spell:
    """A waveform from the instant at which it took over; ``offset`` makes the energy continuous there."""

    from_us: int
    offset_half_nanojoules: int
    waveform: Waveform


@dataclass
class History:
    """All that a GPU has drawn, and will if nothing changes."""

    spells: list[Spell]

    @classmethod
    def starting(cls, from_us: int, waveform: Waveform) -> History:
        return cls([Spell(from_us, -math.floor(2 * waveform.nanojoules(from_us)), waveform)])

    def replace(self, from_us: int, waveform: Waveform) -> None:
        """Let ``waveform`` take over at ``from_us``; what was drawn before stays as it was."""
        drawn = self.half_nanojoules(from_us)
        offset = drawn - math.floor(2 * waveform.nanojoules(from_us))
        if self.spells[-1].from_us == from_us:
            self.spells.pop()
        self.spells.append(Spell(from_us, offset, waveform))

    def half_nanojoules(self, time_us: int) -> int:
        """Energy drawn from the beginning to ``time_us``, in half nanojoules, rounded down."""
        index = bisect_right(self.spells, time_us, key=lambda spell: spell.from_us) - 1
        spell = self.spells[max(index, 0)]
        return spell.offset_half_nanojoules + math.floor(2 * spell.waveform.nanojoules(time_us))

    def millijoules(self, start_us: int, end_us: int) -> Fraction:
        """Energy drawn between two instants, in millijoules."""
        drawn = self.half_nanojoules(end_us) - self.half_nanojoules(start_us)
        return Fraction(drawn, HALF_NANOJOULES_PER_MILLIJOULE)


@dataclass(frozen=True)
class Epoch:
    """The counter from ``at_us`` on: starts at ``base_millijoules``, shows ``gain_ppm`` of the truth."""

    at_us: int
    base_millijoules: int
    gain_ppm: int = PARTS_PER_MILLION


@dataclass
class Counter:
    """An energy counter that moves in steps, and can be reset, also at a time to come."""

    history: History
    step_us: int
    phase_us: int
    epochs: list[Epoch]

    def epoch_at(self, time_us: int) -> Epoch:
        return self.epochs[max(bisect_right(self.epochs, time_us, key=lambda epoch: epoch.at_us) - 1, 0)]

    def shown_us(self, now_us: int) -> int:
        """The instant up to which the counter has counted: its last step, or the reset after that."""
        last_step_us = now_us - (now_us - self.phase_us) % self.step_us
        return max(last_step_us, self.epoch_at(now_us).at_us)

    def millijoules(self, now_us: int) -> int:
        epoch = self.epoch_at(now_us)
        drawn = self.history.millijoules(epoch.at_us, self.shown_us(now_us))
        return epoch.base_millijoules + math.floor(drawn * epoch.gain_ppm / PARTS_PER_MILLION)

    def reset(self, at_us: int, base_millijoules: int) -> None:
        epoch = Epoch(at_us, base_millijoules, self.epoch_at(at_us).gain_ppm)
        others = (other for other in self.epochs if other.at_us != at_us)
        self.epochs = sorted([*others, epoch], key=lambda other: other.at_us)

    def change(self, now_us: int, *, gain_ppm: int, step_us: int, phase_us: int) -> None:
        """Count otherwise from now on, without a jump; resets to come stay."""
        shown = Epoch(self.shown_us(now_us), self.millijoules(now_us), gain_ppm)
        later = [replace(epoch, gain_ppm=gain_ppm) for epoch in self.epochs if epoch.at_us > now_us]
        self.epochs = [shown, *later]
        self.step_us, self.phase_us = step_us, phase_us

    def resets_after(self, time_us: int) -> int:
        return sum(epoch.at_us > time_us for epoch in self.epochs)

    def forget_before(self, time_us: int) -> None:
        """Drop the epochs that were over by then."""
        self.epochs = self.epochs[self.epochs.index(self.epoch_at(time_us)) :]
