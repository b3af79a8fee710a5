"""Whether a counter went on from one reading to the next, and whether it and the power tell the same.

A counter that goes down has restarted; it never wraps. One that has restarted can hide it by overtaking its
old value, but no sooner than the GPU can have drawn so much. Where that is possible the other meter decides.
"""

from __future__ import annotations

from enum import Enum

from sam_cluster.core.units import millijoules_from_power

from .boundary import COUNTER_STEP_MICROSECONDS, POWER_LIMIT_MILLIWATTS
from .series import Drawn

#: No GPU draws more. A counter that moves further was not counting in between: it was replaced, or misread.
MOST_MILLIWATTS = 10_000_000
#: A counter moves in steps, so that a reading may hold what was drawn a little earlier.
STEP_MICROSECONDS = 1_000_000
#: Sensors from Ampere on show the mean of the last second: at the ends of a stretch they are that late.
SENSOR_LAG_MICROSECONDS = 1_000_000
#: So far, in parts of the larger, the two meters may be apart: both have a gain of their own.
APART_DIVISOR = 10
#: A counter that was so much off before is not judged by the power: expected within a fifth.
HIDDEN_DIVISOR = 5


class Course(Enum):
    """What a counter did between two readings."""

    WENT_ON = "went on"
    FROM_ZERO = "restarted from zero in between"
    BROKEN = "did something else: nothing can be said of the time in between"


def explained(drawn: Drawn, limit_milliwatts: int | None) -> int:
    """Millijoules by which two meters that are both right may differ over a stretch, but for their gains: the
    counter's step, the sensor's lag, and what lies between the samples."""
    limit = limit_milliwatts or POWER_LIMIT_MILLIWATTS
    ends = millijoules_from_power(limit, SENSOR_LAG_MICROSECONDS + COUNTER_STEP_MICROSECONDS)
    return ends + drawn.uncertainty_millijoules


def disagree(counted: int, drawn: Drawn, limit_milliwatts: int | None) -> bool:
    """Whether counter and power are further apart than a tenth of the larger and what is explained."""
    apart = abs(counted - drawn.millijoules)
    return apart > max(counted, drawn.millijoules) // APART_DIVISOR + explained(drawn, limit_milliwatts)


def course(
    before: int,
    after: int,
    span_microseconds: int,
    drawn: Drawn | None,
    record: tuple[int, Drawn],
    limit_milliwatts: int | None,
    *,
    is_doubtful: bool,
) -> Course:
    """What a counter did between two readings (millijoules), `span_microseconds` apart.

    `drawn` is what the power series has for that time, None where it does not cover it. `record` is what this
    counter had counted up to `before`, over stretches that were covered, and what the power was in them: a
    counter that has kept to the power is expected to go on doing so, at the gain that it had. `is_doubtful`:
    the handle was lost or let go of in between, so that a restart is likely.

    1. It went down: from zero, where it is no more than a GPU can have drawn since.
    2. It moved further than any GPU draws: broken.
    3. The old value is more than the GPU can draw in that time: it went on, for it could not have overtaken.
    4. It is less than expected by a fifth and what steps and samples explain, it moved all the same (a frozen
       counter stands), and all of its value fits into what was drawn: it restarted from zero. A counter
       without a record, or that has never kept to the power, one of half speed say, is not judged so.
    5. Else it went on; where that is doubtful, and it is not as expected either, it is broken.
    """
    limit = limit_milliwatts or POWER_LIMIT_MILLIWATTS
    span = span_microseconds + STEP_MICROSECONDS
    most = millijoules_from_power(MOST_MILLIWATTS, span)
    if after < before:
        return Course.FROM_ZERO if after <= most else Course.BROKEN
    if after - before > most:
        return Course.BROKEN
    if before > millijoules_from_power(limit, span):
        return Course.WENT_ON
    if drawn is None:
        return Course.BROKEN if is_doubtful else Course.WENT_ON
    expected = _expected(drawn, record, limit_milliwatts)
    if expected is None:
        is_as_drawn = not disagree(after - before, drawn, limit_milliwatts)
        return Course.WENT_ON if is_as_drawn or not is_doubtful else Course.BROKEN
    slack = expected // HIDDEN_DIVISOR + explained(drawn, limit_milliwatts)
    if expected - (after - before) > slack and after > before and after <= expected + slack:
        return Course.FROM_ZERO
    is_as_expected = abs(expected - (after - before)) <= slack
    return Course.WENT_ON if is_as_expected or not is_doubtful else Course.BROKEN


def _expected(drawn: Drawn, record: tuple[int, Drawn], limit_milliwatts: int | None) -> int | None:
    """What a counter should have counted while so much was drawn; None where its record does not say, or
    says that it does not keep to the power."""
    counted, drawn_before = record
    power = drawn_before.millijoules
    if power <= HIDDEN_DIVISOR * explained(drawn_before, limit_milliwatts):
        return None
    if abs(counted - power) > power // HIDDEN_DIVISOR:
        return None
    return drawn.millijoules * counted // power
