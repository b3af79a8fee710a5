"""Slurm's time grammar and the calendar's periods, in zones with and without clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sam_cluster.core.errors import UsageError
from sam_cluster.core.times import (
    PERIODS,
    TIMES,
    Period,
    from_utc_microseconds,
    iso,
    parse_period,
    parse_time,
    previous,
    span,
    utc_microseconds,
)

LONDON = ZoneInfo("Europe/London")
NEW_YORK = ZoneInfo("America/New_York")
HAVANA = ZoneInfo("America/Havana")  # turns its clock at midnight, into it and out of it
KOLKATA = ZoneInfo("Asia/Kolkata")
ZONES = st.sampled_from([LONDON, NEW_YORK, HAVANA, KOLKATA, ZoneInfo("UTC"), ZoneInfo("Pacific/Apia")])

#: A Wednesday in summer time: 15:30 in London.
NOW = datetime(2026, 8, 12, 14, 30, 15, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-05", utc(2026, 10, 4, 23)),
        ("2026-1-5", utc(2026, 1, 5)),
        ("2026-10-05T14:00", utc(2026, 10, 5, 13)),
        ("2026-10-05T14:00:59", utc(2026, 10, 5, 13, 0, 59)),
        ("2026-10-05 2:30 PM", utc(2026, 10, 5, 13, 30)),
        ("0305", utc(2026, 3, 5)),
        ("030525", utc(2025, 3, 5)),
        ("3/5", utc(2026, 3, 5)),
        ("03/05/25", utc(2025, 3, 5)),
        ("03.05.25", utc(2025, 3, 5)),
        ("03/05/25-12:30", utc(2025, 3, 5, 12, 30)),
        ("1224", utc(2025, 12, 24)),  # December is still to come: last year's
        ("0831", utc(2026, 8, 30, 23)),  # this month is this year's, whatever the day
        ("14:05", utc(2026, 8, 12, 13, 5)),
        ("14:05:06", utc(2026, 8, 12, 13, 5, 6)),
        ("9:05", utc(2026, 8, 12, 8, 5)),
        ("12:00 AM", utc(2026, 8, 11, 23)),
        ("12:15pm", utc(2026, 8, 12, 11, 15)),
        ("11:59 pm", utc(2026, 8, 12, 22, 59)),
        ("today", utc(2026, 8, 11, 23)),
        ("tomorrow", utc(2026, 8, 12, 23)),
        ("midnight", utc(2026, 8, 11, 23)),
        ("noon", utc(2026, 8, 12, 11)),
        ("fika", utc(2026, 8, 12, 14)),
        ("TeaTime", utc(2026, 8, 12, 15)),
        ("noon 2026-01-05", utc(2026, 1, 5, 12)),
        ("tomorrow noon", utc(2026, 8, 13, 11)),
        ("now", NOW),
        ("now-90", NOW - timedelta(seconds=90)),
        ("now - 90 seconds", NOW - timedelta(seconds=90)),
        ("NOW+5minutes", NOW + timedelta(minutes=5)),
        ("now-1hour", NOW - timedelta(hours=1)),
        ("now-200days", NOW - timedelta(days=200)),
        ("now-2weeks", NOW - timedelta(weeks=2)),
        ("uts1795377648", datetime.fromtimestamp(1795377648, UTC)),
    ],
)
def test_each_form_of_slurms_time_grammar_is_read_in_the_sites_zone(text: str, expected: datetime) -> None:
    parsed = parse_time(f" {text} ", LONDON, NOW)
    assert parsed == expected
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30", "2026-10-05T24:00", "2026-10-05T1", "10:60", "13:00 PM",
     "0:00:60", "99/99", "3/5.25", "12345", "10052026", "nowish", "now+", "now+5fortnights", "uts5",
     "uts99999999999999999999", "now+99999999999999999999weeks", "2026-10-05T14:00Z", "٢٠٢٦-10-05",
     "today\n;"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_what_was_given_and_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_time(text, LONDON, NOW)
    assert repr(text) in str(caught.value)
    assert TIMES in str(caught.value)


@given(st.text(max_size=30), ZONES)
def test_any_text_is_a_time_and_a_period_or_a_usage_error(text: str, zone: ZoneInfo) -> None:
    for parse in (parse_time, parse_period):
        try:
            parse(text, zone, NOW)
        except UsageError as error:
            assert repr(text) in str(error)


def test_a_local_time_that_comes_twice_is_the_first_and_one_left_out_is_read_by_the_old_offset() -> None:
    assert parse_time("2026-10-25T01:30", LONDON, NOW) == utc(2026, 10, 25, 0, 30)
    assert parse_time("2026-03-29T01:30", LONDON, NOW) == utc(2026, 3, 29, 1, 30)


def test_days_counted_from_now_have_24_hours_over_a_clock_change_too() -> None:
    after = utc(2026, 10, 25, 12)
    assert parse_time("now-1days", LONDON, after) == utc(2026, 10, 24, 12)


@pytest.mark.parametrize(
    ("text", "name", "start", "end"),
    [
        ("2026-10", "2026-10", utc(2026, 9, 30, 23), utc(2026, 11, 1)),
        ("2026-03", "2026-03", utc(2026, 3, 1), utc(2026, 3, 31, 23)),
        ("2026-12", "2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("2026Q3", "2026Q3", utc(2026, 6, 30, 23), utc(2026, 9, 30, 23)),
        ("2026q4", "2026Q4", utc(2026, 9, 30, 23), utc(2027, 1, 1)),
        ("2026", "2026", utc(2026, 1, 1), utc(2027, 1, 1)),
        ("2026-W01", "2026-W01", utc(2025, 12, 29), utc(2026, 1, 5)),
        ("2026-w43", "2026-W43", utc(2026, 10, 18, 23), utc(2026, 10, 26)),
        ("2026-10-25", "2026-10-25", utc(2026, 10, 24, 23), utc(2026, 10, 26)),
        ("this-month", "2026-08", utc(2026, 7, 31, 23), utc(2026, 8, 31, 23)),
        ("last-month", "2026-07", utc(2026, 6, 30, 23), utc(2026, 7, 31, 23)),
        ("last-week", "2026-W32", utc(2026, 8, 2, 23), utc(2026, 8, 9, 23)),
        ("last-quarter", "2026Q2", utc(2026, 3, 31, 23), utc(2026, 6, 30, 23)),
    ],
)
def test_each_form_of_a_period_is_the_calendars_in_the_sites_zone(
    text: str, name: str, start: datetime, end: datetime
) -> None:
    assert parse_period(text, LONDON, NOW) == Period(start, end, name)


@pytest.mark.parametrize(
    ("now", "month", "week", "quarter"),
    [
        (utc(2026, 1, 1), "2025-12", "2025-W52", "2025Q4"),
        (utc(2027, 1, 4), "2026-12", "2026-W53", "2026Q4"),
        (utc(2026, 3, 31), "2026-02", "2026-W13", "2025Q4"),
    ],
)
def test_the_last_period_of_a_kind_is_found_over_the_turn_of_the_year(
    now: datetime, month: str, week: str, quarter: str
) -> None:
    names = [parse_period(text, LONDON, now).name for text in ("last-month", "last-week", "last-quarter")]
    assert names == [month, week, quarter]


def test_the_sites_zone_decides_which_month_it_is() -> None:
    at_new_year = utc(2027, 1, 1, 2)
    assert parse_period("this-month", NEW_YORK, at_new_year).name == "2026-12"
    assert parse_period("this-month", KOLKATA, at_new_year).name == "2027-01"


@pytest.mark.parametrize(
    "text",
    ["", "2026-13", "2026Q5", "2026-W54", "2027-W53", "2026-02-29", "9999", "0000", "last-year", "26-10"],
)
def test_what_is_no_period_is_refused_with_what_was_given_and_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_period(text, LONDON, NOW)
    assert repr(text) in str(caught.value)
    assert PERIODS in str(caught.value)


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2090, 12, 31)), ZONES)
@example(date(2026, 3, 8), HAVANA)
@example(date(2026, 11, 1), HAVANA)
@example(date(2011, 12, 30), ZoneInfo("Pacific/Apia"))  # a day that never was there
def test_the_days_of_a_month_tile_it_and_the_months_of_a_year_tile_that(day: date, zone: ZoneInfo) -> None:
    whole = parse_period(f"{day:%Y}", zone, NOW)
    months = [parse_period(f"{day:%Y}-{month:02}", zone, NOW) for month in range(1, 13)]
    assert [whole.start, *(month.end for month in months)] == [*(month.start for month in months), whole.end]
    month = months[day.month - 1]
    first = day.replace(day=1)
    days = [first + timedelta(days=n) for n in range(31) if (first + timedelta(days=n)).month == day.month]
    parts = [parse_period(each.isoformat(), zone, NOW) for each in days]
    assert [month.start, *(part.end for part in parts)] == [*(part.start for part in parts), month.end]
    assert month.start < month.end


def test_a_period_is_open_until_its_end() -> None:
    period = parse_period("2026-08", LONDON, NOW)
    assert period.open_at(NOW)
    assert period.open_at(period.end - timedelta(microseconds=1))
    assert not period.open_at(period.end)


@given(st.datetimes(timezones=st.sampled_from([UTC, LONDON, timezone(timedelta(hours=-3, minutes=-30))])))
def test_microseconds_since_1970_and_back_is_the_same_instant(instant: datetime) -> None:
    try:
        in_utc = instant.astimezone(UTC)
    except OverflowError:
        return  # an end of the calendar
    assert from_utc_microseconds(utc_microseconds(instant)) == in_utc


def test_a_datetime_without_a_zone_has_no_microseconds() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        utc_microseconds(datetime(2026, 1, 1))  # noqa: DTZ001


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000), ZONES)
def test_iso_keeps_the_instant_to_the_microsecond_and_says_its_offset(
    microseconds: int, zone: ZoneInfo
) -> None:
    text = iso(microseconds, zone)
    assert utc_microseconds(datetime.fromisoformat(text)) == microseconds
    assert iso(from_utc_microseconds(microseconds), zone) == text


def test_iso_shows_the_sites_wall_clock() -> None:
    assert iso(utc(2026, 7, 1, 12), LONDON) == "2026-07-01T13:00:00+01:00"
    assert iso(utc(2026, 1, 1, 12, 0, 0, 5), LONDON) == "2026-01-01T12:00:00.000005+00:00"


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("2026-10", "2026-09"),
        ("2026-01", "2025-12"),
        ("2026Q1", "2025Q4"),
        ("2026Q4", "2026Q3"),
        ("2026", "2025"),
        ("2027-W01", "2026-W53"),
        ("2026-W43", "2026-W42"),
        ("2026-03-01", "2026-02-28"),
    ],
)
def test_the_period_before_is_of_the_same_kind(name: str, before: str) -> None:
    assert previous(parse_period(name, LONDON, NOW), LONDON) == parse_period(before, LONDON, NOW)


def test_the_period_before_some_days_has_as_many_days_over_a_clock_change_too() -> None:
    days = span(utc(2026, 10, 26), utc(2026, 10, 29), LONDON)
    assert previous(days, LONDON) == span(utc(2026, 10, 22, 23), utc(2026, 10, 26), LONDON)
    assert previous(days, LONDON).name == "2026-10-23--2026-10-26"


def test_the_period_before_some_hours_is_as_long() -> None:
    hours = span(utc(2026, 7, 1, 12), utc(2026, 7, 1, 15, 30), LONDON)
    assert previous(hours, LONDON) == span(utc(2026, 7, 1, 8, 30), utc(2026, 7, 1, 12), LONDON)


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2090, 12, 31)), ZONES)
def test_the_period_before_touches_the_one_after_it(day: date, zone: ZoneInfo) -> None:
    week = f"{day:%G}-W{day:%V}"
    for name in (f"{day:%Y}", f"{day:%Y}Q{(day.month + 2) // 3}", f"{day:%Y-%m}", week, day.isoformat()):
        period = parse_period(name, zone, NOW)
        before = previous(period, zone)
        assert before.end == period.start and before.start < before.end
        assert parse_period(before.name, zone, NOW) == before


def test_there_is_nothing_before_the_calendar() -> None:
    with pytest.raises(UsageError, match="0001"):
        previous(parse_period("0001", UTC, NOW), UTC)
