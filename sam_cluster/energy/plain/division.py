"""The division of many GPUs at once, and for which of them it is the whole truth."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from .columns import Columns, Mask, intervals
from .gaps import Gaps, gaps
from .hours import Hours, hours
from .instants import instants

Found = TypeVar("Found", Hours, Gaps)


@dataclass(frozen=True, slots=True)
class Division:
    """The hours and gaps of the plain units."""

    hours: Hours
    gaps: Gaps
    is_plain: Mask  # of each unit


def divide(columns: Columns, units: int) -> Division:
    """The hours and gaps of those of so many units that are plain.

    Plain is a unit of which all that is read is known, where on each chain one run at a time held the GPU,
    each interval lies within an hour, both clocks agree over it, the counter nowhere restarts inside a run or
    runs backwards, and no two readings contradict each other. There the figures are those of `split.divide`,
    `hours.usage` and `gaps.gaps`; all other units are left to these.
    """
    unit = columns.unit
    is_plain = np.ones(units, np.bool_)
    if not len(columns):
        return Division(_none(Hours), _none(Gaps), is_plain)
    between, odd_rows = intervals(columns)
    cuts, odd_units = instants(columns, between)
    used, with_odd_hours = hours(columns, between)
    unheld, with_odd_gaps = gaps(columns, cuts)
    is_plain[unit[columns.restarted]] = False
    is_plain[unit[odd_rows]] = False
    is_plain[np.concatenate([odd_units, with_odd_hours, with_odd_gaps])] = False
    return Division(_of(used, is_plain[unit[used.row]]), _of(unheld, is_plain[unit[unheld.row]]), is_plain)


def _of(found: Found, which: Mask) -> Found:
    """Some of the hours or gaps."""
    if which.all():
        return found
    return type(found)(**{each.name: getattr(found, each.name)[which] for each in fields(found)})


def _none(kind: type[Found]) -> Found:
    return kind(**{each.name: np.zeros(0, np.int64) for each in fields(kind)})
