"""When a GPU did nothing: by the driver's samples of its utilisation, kept up with them as they come.

A sample says in how much of the time since the one before, between a sixth of a second and one, a kernel was
running on the GPU (`nvmlDeviceGetUtilizationRates` in nvml.h). Where that is none, the GPU was quiet all that
time, and what it drew meanwhile is the power series'.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .series import KEPT_MICROSECONDS, PowerSeries, Quiet

#: What the very first sample speaks for, at least.
LEAST_PERIOD_MICROSECONDS = 166_667
#: Samples further apart had others between them, which the driver's ring no longer held.
LONGEST_PERIOD_MICROSECONDS = 2_000_000

Use = tuple[int, int]  # uptime, percent


@dataclass(slots=True)
class _Spell:
    """A time of which all samples say the same, and what there was up to its beginning."""

    begin: int  # uptime, microseconds
    end: int
    is_quiet: bool
    before: Quiet

    def until(self, instant: int, power: PowerSeries) -> Quiet:
        """What there was up to an instant in it."""
        span, before = instant - self.begin, self.before
        if not self.is_quiet:
            return Quiet(before.microseconds, before.half_nanojoules, before.covered_microseconds + span)
        drawn = power.half_nanojoules_until(instant) - power.half_nanojoules_until(self.begin)
        return Quiet(
            before.microseconds + span,
            before.half_nanojoules + drawn,
            before.covered_microseconds + span,
        )


class QuietSeries:
    """The spells of the last minute, and for how long the GPU was quiet since the first of all."""

    def __init__(self) -> None:
        self._spells: deque[_Spell] = deque()

    def extend(self, use: Iterable[Use], power: PowerSeries) -> None:
        """Take in samples, in the order of time, after those of power."""
        spells = self._spells
        last, is_new = (spells[-1], True) if spells else (None, False)
        for uptime, percent in use:
            is_quiet = percent == 0
            if last is None:
                last = _Spell(uptime - LEAST_PERIOD_MICROSECONDS, uptime, is_quiet, Quiet())
                spells.append(last)
            elif uptime <= last.end:
                continue
            elif uptime - last.end > LONGEST_PERIOD_MICROSECONDS:
                last = _Spell(uptime, uptime, is_quiet, last.until(last.end, power))
                spells.append(last)
            elif is_new or is_quiet != last.is_quiet:
                # Each look begins a spell: the power of a long one would not be kept so long.
                last = _Spell(last.end, uptime, is_quiet, last.until(last.end, power))
                spells.append(last)
            else:
                last.end = uptime
            is_new = False
        while spells and spells[0].end < spells[-1].end - KEPT_MICROSECONDS:
            spells.popleft()

    def until(self, instant: int, power: PowerSeries) -> Quiet | None:
        """What there was up to an instant (uptime), counted from the first sample of all. The last sample
        speaks for the time up to the next. None where the samples do not reach back to the instant."""
        for spell in reversed(self._spells):
            if spell.begin <= instant:
                reach = LONGEST_PERIOD_MICROSECONDS if spell is self._spells[-1] else 0
                return spell.until(instant if instant <= spell.end + reach else spell.end, power)
        return None
