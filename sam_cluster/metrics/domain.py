"""Where a metric has a value, where it has none, and what it cannot be asked about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import SupportsFloat


class UndefinedReason(StrEnum):
    """Why a metric has no value: a closed list, whose texts go into tables and JSON as they are."""

    ACCURACY_UNKNOWN = "accuracy_unknown"
    ENERGY_UNKNOWN = "energy_unknown"
    #: log10 of the electricity is zero or negative: SAM has a pole there and then turns over.
    ENERGY_AT_OR_BELOW_ONE_UNIT = "energy_at_or_below_one_unit"
    #: The energy's interval of uncertainty touches one unit, so that any score could be had.
    NEAR_POLE = "near_pole"
    #: Some of the energy is missing; a score of the rest would reward the missing.
    LOWER_BOUND = "lower_bound"
    #: What no electricity reached would score above everything: the pole of the smooth variant.
    ENERGY_ZERO = "energy_zero"
    NO_VALUES = "no_values"
    #: One alone is neither equal nor unequal.
    ONE_VALUE = "one_value"
    #: Shares of nothing are 0/0, which is not equality.
    ALL_ZERO = "all_zero"
    #: All share one rank, so that there is no order for another to agree with.
    ALL_TIED = "all_tied"
    #: Nothing was used of what was granted: any factor of it would be (Slurm shows infinity).
    NOTHING_USED = "nothing_used"
    #: No result has the accuracy that is asked for.
    NOT_REACHED = "not_reached"
    #: A result that is rejected, or that somebody has yet to confirm.
    NOT_ACCEPTED = "not_accepted"


@dataclass(frozen=True, slots=True)
class Undefined:
    """A metric that has no value, and why.

    `at_most` is given where the value, though unknown, cannot be above it: for a display beside the
    reason, never to rank by.
    """

    reason: UndefinedReason
    at_most: float | None = None


def amount(value: SupportsFloat, what: str) -> float:
    """The value as a float of at least 0. Raises ValueError where it is negative, infinite or nan."""
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{what} must be finite and at least 0, got {number:g}; leave out what is unknown")
    return number


def amounts(values: Iterable[SupportsFloat], what: str) -> list[float]:
    """Each value as a float of at least 0. Raises ValueError with the index of the first that is not."""
    return [amount(value, f"{what}[{index}]") for index, value in enumerate(values)]
