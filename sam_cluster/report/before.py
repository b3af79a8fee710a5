"""Figures beside those of the period before: which period that is, and when they may not be compared.

A lower bound is not compared as if it were the whole, nor a period that is still open with one that is
over: then the figures stand for themselves, and the reason is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..core.times import Period, previous, utc_microseconds
from .records import TableReader
from .view import PeriodView
from .words import NotCompared

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A quantity in its base unit; None is unknown."""

    value: float | None
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure of the period before, and how much more (or, below 0, less) there is now.

    `part` is the difference over the figure before; None where that was 0. Where `not_compared` gives a
    reason, both are None.
    """

    before: float | None
    is_before_partial: bool
    difference: float | None
    part: float | None
    not_compared: NotCompared | None


def change(now: Figure, before: Figure | None, *, is_preliminary: bool) -> Change:
    """The change of a figure; `before` is None where there was no period before."""
    value, partial = (None, False) if before is None else (before.value, before.is_partial)
    reason = _reason(now, before, is_preliminary)
    if reason is not None or now.value is None or value is None:
        return Change(
            before=value, is_before_partial=partial, difference=None, part=None, not_compared=reason
        )
    difference = now.value - value
    return Change(
        before=value,
        is_before_partial=False,
        difference=difference,
        part=difference / value if value else None,
        not_compared=None,
    )


def _reason(now: Figure, before: Figure | None, is_preliminary: bool) -> NotCompared | None:
    if before is None:
        return NotCompared.NO_PERIOD_BEFORE
    if is_preliminary:
        return NotCompared.PRELIMINARY
    if now.value is None or before.value is None:
        return NotCompared.UNKNOWN
    return NotCompared.LOWER_BOUND if now.is_partial or before.is_partial else None


def period_before(period: PeriodView) -> PeriodView:
    """The period before a page's, of the same kind. Raises UsageError where the calendar has none."""
    earlier = previous(Period(period.start, period.end, period.label), ZoneInfo(period.timezone))
    return replace(
        period, label=earlier.name, start=earlier.start, end=earlier.end, is_preliminary=False, is_begun=True
    )


def reaches_back(tables: TableReader, start: datetime) -> bool:
    """Whether anything was metered within a day of an instant, so that a period from there on is whole.

    Nodes that are followed leave a row each hour, held or not; a cluster that was off on just those two
    days is taken for one that was not followed yet, and nothing is compared with it.
    """
    return _is_any_row(tables, ("usage", "gaps"), start - DAY, start + DAY)


def is_anything_known(tables: TableReader, start: datetime, end: datetime) -> bool:
    """Whether anything was metered in a period, or a job of it is known; else its figures would be zeros that
    nobody has measured. Looks day by day, for a period of which anything is known mostly has it at once."""
    days = range((end - start) // DAY + 1)
    begun = (start + day * DAY for day in days)
    # What ends at the start is of the period before.
    return any(
        _is_any_row(tables, ("usage", "gaps", "jobs"), day + INSTANT, min(day + DAY, end)) for day in begun
    )


def _is_any_row(tables: TableReader, names: Iterable[str], start: datetime, end: datetime) -> bool:
    first, last = utc_microseconds(start), utc_microseconds(end)
    return any(
        len(tables.read(table, start_microseconds=first, end_microseconds=last, columns=["cluster"]))
        for table in names
    )
