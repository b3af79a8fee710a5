"""Held but idle: the rule, and that no millijoule is in two parts or in none."""

from __future__ import annotations

from datetime import timedelta
from statistics import median_low

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.model import Quality
from sam_cluster.report.idle import LEAST_MICROSECONDS, MOST_OF_IDLE_POWER, idle_powers, judged, judged_share
from sam_cluster.report.ledger import total_of, usage_of
from tests.unit.report.tables import MemoryTables, Row, at, gap_row, hour_rows, watt_hours

START, END = at("2026-10-01 00:00"), at("2026-11-01 00:00")


def powers(rows: list[Row], *gpus: str) -> dict[str, float]:
    found = idle_powers(MemoryTables({"gaps": rows}), gpus, START, END)
    return dict(zip(found["gpu_uuid"].to_pylist(), found["idle_milliwatts"].to_pylist(), strict=True))


def test_the_idle_power_is_the_median_of_the_period() -> None:
    rows = [
        gap_row("GPU-1", at(f"2026-10-0{n} 00:00"), 60, watts) for n, watts in enumerate((50, 60, 400), 1)
    ]
    assert powers(rows, "GPU-1") == {"GPU-1": 60_000}


def test_of_a_gpu_that_was_never_idle_in_the_period_the_last_stretch_before_counts() -> None:
    rows = [
        gap_row("GPU-1", at("2026-09-10 00:00"), 60, 45),
        gap_row("GPU-1", at("2026-09-20 00:00"), 60, 55),
        gap_row("GPU-2", at("2026-08-01 00:00"), 60, 45),
        gap_row("GPU-3", at("2026-10-02 00:00"), 60, 70),
    ]
    assert powers(rows, "GPU-1", "GPU-2", "GPU-3") == {"GPU-3": 70_000, "GPU-1": 55_000}


def test_short_stretches_unattributed_ones_and_those_over_a_reset_say_nothing() -> None:
    rows = [
        gap_row("GPU-1", at("2026-10-01 00:00"), 9, 60),
        gap_row("GPU-2", at("2026-10-01 00:00"), 60, 60, kind="unattributed", cause="not_metered"),
        gap_row("GPU-3", at("2026-10-01 00:00"), 60, 60, energy_millijoules=None),
        gap_row("GPU-4", at("2026-10-01 00:00"), 60, 60, from_uptime_microseconds=None),
    ]
    assert powers(rows, "GPU-1", "GPU-2", "GPU-3", "GPU-4") == {}


@given(st.lists(st.integers(1, 500), min_size=1, max_size=9), st.randoms())
def test_the_order_of_the_stretches_does_not_matter(watts: list[int], random: object) -> None:
    rows = [gap_row("GPU-1", START + timedelta(hours=2 * n), 60, each) for n, each in enumerate(watts)]
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert powers(rows, "GPU-1") == {"GPU-1": median_low(watts) * 1_000}


def hour(watts: float | None, *, minutes: int = 60, gpu: str = "GPU-1", **more: object) -> Row:
    """An hour of a run that held a GPU for some minutes at some mean power."""
    energy = None if watts is None else watt_hours(watts * minutes / 60)
    row = hour_rows("1.0", at("2026-10-05 09:00"), 1, energy)[0]
    return {**row, "gpu_uuid": gpu, "held_microseconds": minutes * 60_000_000, **more}


def verdict(row: Row) -> bool | None:
    tables = MemoryTables({"usage": [row], "gaps": [gap_row("GPU-1", START, 60, 60)]})
    usage = usage_of(tables, START, END)
    return judged(usage, idle_powers(tables, ["GPU-1"], START, END))["is_idle"].to_pylist()[0]


@pytest.mark.parametrize(
    ("row", "is_idle"),
    [
        (hour(60), True),
        (hour(75), True),
        (hour(75.1), False),
        (hour(350), False),
        (hour(60, minutes=10), True),
        (hour(60, minutes=9), None),
        (hour(60, gpu="GPU-2"), None),
        (hour(None), None),
        (hour(60, quality=Quality.LOWER_BOUND.value), None),
        (hour(60, device_energy_millijoules=None), None),
        # Of a shared GPU it is the power of the device that counts, not a run's part of it.
        (hour(60, device_energy_millijoules=watt_hours(200)), False),
    ],
)
def test_an_hour_is_judged_by_the_mean_power_of_the_device(row: Row, is_idle: bool | None) -> None:
    assert verdict(row) is is_idle


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 500)),
            st.integers(0, 60),
            st.sampled_from(["GPU-1", "GPU-2"]),
            st.one_of(st.none(), st.tuples(st.integers(0, 60), st.integers(0, 100))),
        ),
        max_size=8,
    )
)
@settings(deadline=None)
def test_what_is_idle_busy_and_not_judged_adds_up_to_the_whole_exactly(
    hours: list[tuple[int | None, int, str, tuple[int, int] | None]],
) -> None:
    rows = [
        hour(watts, minutes=minutes, gpu=gpu, uncertainty_millijoules=7) for watts, minutes, gpu, _ in hours
    ]
    for n, (row, (*_, idle)) in enumerate(zip(rows, hours, strict=True)):
        row["hour"] += timedelta(hours=n)
        if idle and row["energy_millijoules"] is not None:
            row["idle_microseconds"] = idle[0] * 60_000_000
            row["idle_energy_millijoules"] = row["energy_millijoules"] * idle[1] // 100
    tables = MemoryTables({"usage": rows, "gaps": [gap_row("GPU-1", START, 60, 60)]})
    usage = usage_of(tables, START, END)
    split = judged(usage, idle_powers(tables, ["GPU-1", "GPU-2"], START, END))
    parts = [
        total_of(
            split.filter(pa.array([each is wanted for each in split["is_idle"].to_pylist()], pa.bool_())),
            {},
        )
        for wanted in (True, False, None)
    ]
    assert sum(parts[1:], parts[0]) == total_of(usage, {})
    assert (share := judged_share(split)) is None or 0 <= share <= 1


def test_where_the_driver_told_how_busy_it_was_that_counts_and_not_the_power() -> None:
    told = hour(60, idle_microseconds=15 * 60_000_000, idle_energy_millijoules=watt_hours(12))
    busy = hour(60, gpu="GPU-2", idle_microseconds=0, idle_energy_millijoules=0)
    tables = MemoryTables({"usage": [told, busy], "gaps": [gap_row("GPU-1", START, 60, 60)]})
    split = judged(usage_of(tables, START, END), idle_powers(tables, ["GPU-1"], START, END))
    found = sorted(zip(*(split[name].to_pylist() for name in ("is_idle", "held_microseconds")), strict=True))
    assert found == [(False, 45 * 60_000_000), (False, 60 * 60_000_000), (True, 15 * 60_000_000)]
    idle = split.filter(split["is_idle"])
    assert idle["energy_millijoules"].to_pylist() == [watt_hours(12)]


def test_the_numbers_of_the_rule() -> None:
    assert (MOST_OF_IDLE_POWER, LEAST_MICROSECONDS) == (1.25, 600_000_000)


def test_no_hours_are_no_share() -> None:
    tables = MemoryTables({})
    assert judged_share(judged(usage_of(tables, START, END), idle_powers(tables, [], START, END))) is None
