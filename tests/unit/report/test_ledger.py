"""Energy inside a period: sums that do not depend on how they are cut or ordered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.sums import run_figures
from sam_cluster.core.model import Quality, quality_of_sum
from sam_cluster.core.uncertainty import Uncertainty, energy_by_model
from sam_cluster.report.ledger import UNKNOWN, Amount, days_of, entries_of, total_of, usage_of
from tests.unit.report.tables import MemoryTables, at, hour_rows

LONDON = ZoneInfo("Europe/London")
UTC_ZONE = ZoneInfo("UTC")

NOT_KNOWN = (
    "bridged_millijoules", "power_energy_millijoules", "covered_microseconds", "idle_microseconds",
    "idle_energy_millijoules",
)  # fmt: skip
SECOND_METER = dict.fromkeys(NOT_KNOWN)
MODELS = st.sampled_from(["A100", "H100", None])
CALIBRATION = {"H100": 0.01}
AMOUNTS = st.builds(
    lambda energy, held, qualities, model, boundary: Amount(
        energy, held, qualities, Uncertainty.of({model: energy}, boundary, CALIBRATION)
    ),
    st.integers(0, 10**15),
    st.integers(0, 10**15),
    st.frozensets(st.sampled_from(Quality), max_size=4),
    MODELS,
    st.integers(0, 10**9),
)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_amounts_add_up_in_any_order_and_any_grouping(a: Amount, b: Amount, c: Amount) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Amount() == a
    assert (a + b).without(b) + b == a + b


@given(st.lists(st.sampled_from(Quality), min_size=1, max_size=5))
def test_the_quality_of_a_sum_is_the_one_of_the_core(qualities: list[Quality]) -> None:
    whole = sum((Amount(1, 1, frozenset({quality})) for quality in qualities), Amount())
    assert whole.quality == quality_of_sum(qualities)
    assert whole.is_partial == (quality_of_sum(qualities) in (Quality.LOWER_BOUND, Quality.UNKNOWN))


def test_an_unknown_energy_is_not_zero_and_nothing_is() -> None:
    assert UNKNOWN.energy_millijoules is None
    assert (UNKNOWN + Amount(5, 1, frozenset({Quality.MEASURED}))).energy_millijoules == 5
    assert Amount().energy_millijoules == 0


@st.composite
def cut_months(draw: st.DrawFn) -> tuple[MemoryTables, list[datetime]]:
    runs = draw(
        st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60), st.integers(0, 10**9)), max_size=4)
    )
    rows = [
        row
        for number, (first, hours, energy) in enumerate(runs)
        for row in hour_rows(f"{number}.0", at("2026-10-20 00:00") + timedelta(hours=first), hours, energy)
    ]
    hours = sorted(draw(st.sets(st.integers(0, 400), min_size=2, max_size=6)))
    return MemoryTables({"usage": rows}), [at("2026-10-20 00:00") + timedelta(hours=n) for n in hours]


@given(cut_months())
def test_periods_that_touch_hold_together_what_the_one_over_both_holds(
    given_month: tuple[MemoryTables, list[datetime]],
) -> None:
    tables, borders = given_month
    parts = [total_of(usage_of(tables, start, end), {}) for start, end in pairwise(borders)]
    assert sum(parts, Amount()) == total_of(usage_of(tables, borders[0], borders[-1]), {})


@given(cut_months())
def test_the_entries_of_all_runs_and_days_add_up_to_the_total(
    given_month: tuple[MemoryTables, list[datetime]],
) -> None:
    tables, borders = given_month
    everyone = {f"{number}.0" for number in range(4)}
    entries = entries_of(usage_of(tables, borders[0], borders[-1]), LONDON, everyone, {})
    assert sum((e.amount for e in entries), Amount()) == total_of(
        usage_of(tables, borders[0], borders[-1]), {}
    )


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 90),
            MODELS,
            st.integers(0, 10**12) | st.none(),
            st.integers(0, 10**9),
            st.sampled_from([Quality.MEASURED, Quality.ESTIMATED, Quality.LOWER_BOUND]),
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(deadline=None)
def test_a_total_is_as_sure_as_all_its_rows_together_however_they_are_grouped(
    hours: list[tuple[int, int, str | None, int | None, int, Quality]],
) -> None:
    rows = []
    for number, (run, hour, model, energy, boundary, quality) in enumerate(hours):
        (row,) = hour_rows(f"{run}.0", at("2026-10-20 00:00") + timedelta(hours=hour), 1, energy)
        more = {
            "gpu_model": model,
            "uncertainty_millijoules": boundary,
            "quality": quality.value,
            **SECOND_METER,
        }
        rows.append({**row, **more, "gpu_uuid": f"GPU-{number}"})
    known = [row for row in rows if row["energy_millijoules"] is not None]
    boundaries = sum(row["uncertainty_millijoules"] for row in known)
    together = Uncertainty.of(energy_by_model(known), boundaries, CALIBRATION)

    usage = usage_of(MemoryTables({"usage": rows}), at("2026-10-01 00:00"), at("2026-11-01 00:00"))
    total = total_of(usage, CALIBRATION)
    entries = entries_of(usage, LONDON, {f"{run}.0" for run in range(4)}, CALIBRATION)
    assert total.uncertainty == together == sum((e.amount.uncertainty for e in entries), Uncertainty())
    assert total.uncertainty_millijoules == (together.millijoules if known else None)
    # As a run or a job of the tables has it.
    assert total.uncertainty_millijoules == run_figures(rows, {}, CALIBRATION)["uncertainty_millijoules"]


def test_an_hour_counts_on_the_local_day_in_which_it_begins() -> None:
    # London's summer time ends on the 25th: midnight before it is 23:00 UTC, the one after it 00:00.
    rows = hour_rows("1.0", at("2026-10-24 22:00"), 28, 28)
    days = {e.day: e.amount.known_millijoules for e in _entries(rows, LONDON)}
    assert days == {date(2026, 10, 24): 1, date(2026, 10, 25): 25, date(2026, 10, 26): 2}


def test_an_hour_without_a_figure_leaves_an_unknown_part() -> None:
    rows = hour_rows("1.0", at("2026-10-05 10:00"), 2, None) + hour_rows("1.0", at("2026-10-05 12:00"), 1, 7)
    whole = sum((e.amount for e in _entries(rows, UTC_ZONE)), Amount())
    assert (whole.energy_millijoules, whole.quality) == (7, Quality.LOWER_BOUND)


def test_the_end_of_a_period_is_excluded() -> None:
    tables = MemoryTables({"usage": hour_rows("1.0", at("2026-10-31 23:00"), 2, 10)})
    assert (
        total_of(usage_of(tables, at("2026-10-01 00:00"), at("2026-11-01 00:00")), {}).known_millijoules == 5
    )


def test_an_hour_that_reaches_over_the_border_is_the_period_befores() -> None:
    tables = MemoryTables({"usage": hour_rows("1.0", at("2026-10-05 10:00"), 2, 10)})
    before = total_of(usage_of(tables, at("2026-10-05 09:30"), at("2026-10-05 10:30")), {})
    after = total_of(usage_of(tables, at("2026-10-05 10:30"), at("2026-10-05 12:00")), {})
    assert (before.known_millijoules, after.known_millijoules) == (5, 5)


@pytest.mark.parametrize(
    ("start", "end", "first", "last", "count"),
    [
        ("2026-10-01 00:00", "2026-11-01 00:00", date(2026, 10, 1), date(2026, 10, 31), 31),
        ("2026-10-01 10:00", "2026-10-01 11:00", date(2026, 10, 1), date(2026, 10, 1), 1),
        ("2026-10-01 10:00", "2026-10-02 00:01", date(2026, 10, 1), date(2026, 10, 2), 2),
    ],
)
def test_the_days_of_a_period_are_those_it_touches(
    start: str, end: str, first: date, last: date, count: int
) -> None:
    days = days_of(at(start), at(end), UTC_ZONE)
    assert (days[0], days[-1], len(days)) == (first, last, count)


def _entries(rows: list[dict[str, object]], zone: ZoneInfo) -> list[object]:
    far = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    return entries_of(usage_of(MemoryTables({"usage": rows}), *far), zone, {"1.0"}, {})
