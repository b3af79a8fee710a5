"""Instants and periods: what a user types, in the site's time zone; UTC inside.

Instants are aware UTC datetimes, or integer microseconds since 1970. A local time that a clock change
makes ambiguous is the first of the two; one that it leaves out is read by the offset before the change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from .errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_EARLIEST_UTS_SECONDS = 1_000_000  # Slurm takes no smaller one

TIMES = (
    "YYYY-MM-DD[THH:MM[:SS]], MMDD[YY], MM/DD[/YY][-HH:MM[:SS]], HH:MM[:SS] [AM|PM], today, tomorrow, "
    "midnight, noon, fika, teatime, now[{+|-}COUNT[seconds|minutes|hours|days|weeks]] or utsSECONDS"
)
PERIODS = "last-month, this-month, last-week, last-quarter, 2026-10, 2026Q3, 2026, 2026-W40 or 2026-10-05"


def utc_microseconds(instant: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly. Raises ValueError for a naive one."""
    if instant.utcoffset() is None:
        raise ValueError(f"{instant!r} has no time zone")
    return (instant - _EPOCH) // _MICROSECOND


def from_utc_microseconds(microseconds: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970. Raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(microseconds=microseconds)


def iso(instant: datetime | int, zone: tzinfo) -> str:
    """ISO 8601 with the offset of `zone`, of a datetime or of microseconds since 1970; nothing is rounded."""
    if isinstance(instant, int):
        instant = from_utc_microseconds(instant)
    return instant.astimezone(zone).isoformat()


@dataclass(frozen=True)
class Period:
    """A stretch of time from `start` up to, not including, `end` (aware, UTC), and its name."""

    start: datetime
    end: datetime
    name: str

    def open_at(self, now: datetime) -> bool:
        """Whether it has not ended by `now`, so that its figures may still grow."""
        return now < self.end


def parse_time(text: str, zone: tzinfo, now: datetime) -> datetime:
    """An instant from Slurm's time grammar (as of sacct(1)), as an aware UTC datetime.

    As sacct does: a time without a date is today's, a date without a year is this year's, or last year's
    where its month is still to come, a date without a time is its midnight, `now+1days` is 86,400 s on.
    Raises UsageError, naming what was given and what is accepted.
    """
    words = text.strip().lower()
    try:
        if match := _UTS.fullmatch(words):
            seconds = int(match["seconds"])
            if seconds < _EARLIEST_UTS_SECONDS:
                raise ValueError(f"uts needs at least {_EARLIEST_UTS_SECONDS}")
            return from_utc_microseconds(seconds * 1_000_000)
        if match := _NOW.fullmatch(words):
            count = int(match["count"] or 0) * _UNIT_SECONDS[match["unit"] or "second"]
            return now.astimezone(UTC) + timedelta(seconds=-count if match["sign"] == "-" else count)
        if match := _DATE_FIRST.fullmatch(words) or _TIME_FIRST.fullmatch(words):
            today = now.astimezone(zone).date()
            day = _day(match["date"], today) if match["date"] else today
            return _in_utc(day, _time_of_day(match["time"]) if match["time"] else time(), zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no time: {error}; accepted are {TIMES}") from error
    raise UsageError(f"{text!r} is no time; accepted are {TIMES}")


def parse_period(text: str, zone: tzinfo, now: datetime) -> Period:
    """A period of the calendar of `zone`, half-open; weeks are those of ISO 8601, from Monday.

    Its name says which one it is (`2026-10` for last-month). Raises UsageError, naming what was given
    and what is accepted.
    """
    words = text.strip()
    try:
        if relative := _RELATIVE.get(words.lower()):
            words = relative(now.astimezone(zone).date())
        if found := _of_calendar(words, zone):
            return found
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no period: {error}; accepted are {PERIODS}") from error
    raise UsageError(f"{text!r} is no period; accepted are {PERIODS}")


def span(start: datetime, end: datetime, zone: tzinfo) -> Period:
    """The period between two instants, named by both; midnights by their date alone."""
    return Period(start, end, f"{_stamp(start, zone)}--{_stamp(end, zone)}")


def previous(period: Period, zone: tzinfo) -> Period:
    """The period before, of the same kind: of a month the month before, of a quarter the quarter before.

    One that is none of the calendar's is as long as the one after it: as many days where that is from
    midnight to midnight of `zone`, else as much time. Raises UsageError where the calendar has none before.
    """
    try:
        for pattern, days, name in _CALENDAR:
            if match := pattern.fullmatch(period.name):
                first, _ = days(*map(int, match.groups()))
                before = _of_calendar(name(first - _DAY), zone)
                assert before is not None
                return before
        begin, end = period.start.astimezone(zone), period.end.astimezone(zone)
        if begin.time() == end.time() == time():
            first = begin.date() - (end.date() - begin.date())
            return span(_in_utc(first, time(), zone), period.start, zone)
        return span(period.start - (period.end - period.start), period.start, zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"the calendar has no period before {period.name}: {error}") from error


def _of_calendar(name: str, zone: tzinfo) -> Period | None:
    for pattern, days, _ in _CALENDAR:
        if match := pattern.fullmatch(name):
            first, after = days(*map(int, match.groups()))
            return Period(_in_utc(first, time(), zone), _in_utc(after, time(), zone), name.upper())
    return None


_UTS = re.compile(r"uts(?P<seconds>[0-9]+)")
_NOW = re.compile(
    r"now(?:\s*(?P<sign>[+-])\s*(?P<count>[0-9]+)\s*(?:(?P<unit>second|minute|hour|day|week)s?)?)?", re.ASCII
)
_UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_DATE = (
    r"(?P<date>today|tomorrow|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{4}(?:[0-9]{2})?"
    r"|[0-9]{1,2}(?P<mark>[/.])[0-9]{1,2}(?:(?P=mark)[0-9]{2})?)"
)
_TIME = r"(?P<time>midnight|noon|fika|teatime|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s*[ap]m)?)"
_DATE_FIRST = re.compile(rf"{_DATE}(?:[-t\s]\s*{_TIME})?", re.ASCII)
_TIME_FIRST = re.compile(rf"{_TIME}(?:\s+{_DATE})?", re.ASCII)
_NAMED_HOURS = {"midnight": 0, "noon": 12, "fika": 15, "teatime": 16}


def _day(words: str, today: date) -> date:
    """The day that a date of the grammar means; Slurm's rule for a missing year looks at the month alone."""
    if words in ("today", "tomorrow"):
        return today + _DAY if words == "tomorrow" else today
    if "-" in words:
        year, month, day = map(int, words.split("-"))
        return date(year, month, day)
    pairs = re.split("[/.]", words) if not words.isdigit() else re.findall("..", words)
    month, day, *century_year = map(int, pairs)
    if century_year:
        return date(2000 + century_year[0], month, day)
    return date(today.year - 1 if month > today.month else today.year, month, day)


def _time_of_day(words: str) -> time:
    if words in _NAMED_HOURS:
        return time(_NAMED_HOURS[words])
    half = words[-2:] if words.endswith("m") else ""
    hour, minute, second = map(int, (words.removesuffix(half) + ":00").split(":")[:3])
    if half and hour > 12:
        raise ValueError(f"there is no hour {hour} {half.upper()}")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute, second)


def _in_utc(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    after = year * 12 + month - 1 + count
    return date(year, month, 1), date(after // 12, after % 12 + 1, 1)


def _week(year: int, week: int) -> tuple[date, date]:
    monday = date.fromisocalendar(year, week, 1)
    return monday, monday + 7 * _DAY


def _stamp(instant: datetime, zone: tzinfo) -> str:
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%d}" if local.strftime("%H%M%S") == "000000" else f"{local:%Y-%m-%dT%H%M%S}"


def _month_name(day: date) -> str:
    return f"{day.year:04}-{day.month:02}"


def _week_name(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def _quarter_name(day: date) -> str:
    return f"{day.year:04}Q{(day.month + 2) // 3}"


_RELATIVE: dict[str, Callable[[date], str]] = {
    "this-month": _month_name,
    "last-month": lambda today: _month_name(today.replace(day=1) - _DAY),
    "last-week": lambda today: _week_name(today - 7 * _DAY),
    "last-quarter": lambda today: _quarter_name(date(today.year, (today.month - 1) // 3 * 3 + 1, 1) - _DAY),
}

#: What a name looks like, the first day it means and the first after it, and the name of the one a day is in.
_CALENDAR: list[tuple[re.Pattern[str], Callable[..., tuple[date, date]], Callable[[date], str]]] = [
    (re.compile(r"([0-9]{4})"), lambda year: _months(year, 1, 12), lambda day: f"{day.year:04}"),
    (
        re.compile(r"([0-9]{4})[qQ]([1-4])"),
        lambda year, quarter: _months(year, 3 * quarter - 2, 3),
        _quarter_name,
    ),
    (re.compile(r"([0-9]{4})-([0-9]{2})"), lambda year, month: _months(year, month, 1), _month_name),
    (re.compile(r"([0-9]{4})-[wW]([0-9]{2})"), _week, _week_name),
    (
        re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"),
        lambda *day: (date(*day), date(*day) + _DAY),
        date.isoformat,
    ),
]
