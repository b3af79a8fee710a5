"""Axes, labels and colours: round values, no label on another, and contrast."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sam_cluster.report.charts.axes import Axis, energy_unit, plain, powers, round_steps
from sam_cluster.report.charts.labels import Box, Wanted, fitted, place, spread, text_width
from sam_cluster.report.charts.svg import cleaned

CSS = (Path(__file__).resolve().parents[4] / "templates" / "report.css").read_text("utf-8")
MARKS = [f"--series-{number}" for number in range(1, 8)]


@settings(deadline=None)
@given(st.floats(0, 1e6), st.floats(1e-3, 1e6))
def test_round_steps_are_even_and_hold_the_range(low: float, width: float) -> None:
    high = low + width
    assume(high > low)
    steps = round_steps(low, high)
    assert steps[0] <= low * (1 + 1e-6) + 1e-9 and steps[-1] >= high * (1 - 1e-6)
    gaps = [b - a for a, b in pairwise(steps)]
    assert max(gaps) == pytest.approx(min(gaps), rel=1e-3)
    assert 2 <= len(steps) <= 8


@settings(deadline=None)
@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e9), st.integers(3, 9))
def test_powers_lie_in_the_range_and_rise(low: float, factor: float, most: int) -> None:
    values = powers(low, low * factor, most)
    assert values == sorted(set(values))
    assert all(low <= value <= low * factor for value in values)
    assert len(values) <= most + 1


@settings(deadline=None)
@given(st.floats(1e-9, 1e6), st.floats(1.01, 1e9), st.booleans())
def test_energies_at_an_axis_are_written_in_full_and_are_what_they_say(
    low: float, factor: float, is_log: bool
) -> None:
    values = powers(low, low * factor, 8) if is_log else round_steps(0.0, low)
    assume(values)
    unit, per_kwh = energy_unit(values)
    for kwh in values:
        text = plain(kwh * per_kwh)
        assert re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?", text)
        assert float(text.replace(",", "")) == pytest.approx(kwh * {"kWh": 1, "Wh": 1000}[unit])


def test_energies_at_an_axis_are_in_the_unit_of_their_size() -> None:
    assert energy_unit([0.0, 5.0, 10.0])[0] == energy_unit([0.001, 10.0])[0] == "kWh"
    assert energy_unit([0.0, 0.02, 0.04])[0] == energy_unit([1e-6, 1e-3, 1.0])[0] == "Wh"
    assert [plain(value) for value in (1e-6, 0.5, 20_000.0, 0.0)] == ["0.000001", "0.5", "20,000", "0"]


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.booleans(), st.booleans())
def test_a_value_lies_where_its_part_of_the_axis_is(part: float, is_log: bool, is_vertical: bool) -> None:
    axis = Axis(low=0.5, high=800.0, length=100, is_log=is_log, is_vertical=is_vertical)
    assert axis.pixel(axis.value(part)) == pytest.approx(100 * (1 - part if is_vertical else part), abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0.5, 15))
def test_labels_that_are_spread_keep_their_gap_their_order_and_their_room(
    wanted: list[float], gap: float
) -> None:
    placed = spread(wanted, gap, 0, 100)
    fair = min(gap, 100 / max(1, len(wanted) - 1))
    assert all(-1e-6 <= at <= 100 + 1e-6 for at in placed)
    for (want, at), (other, there) in combinations(zip(wanted, placed, strict=True), 2):
        assert abs(at - there) >= fair - 1e-6
        assert (want <= other) == (at < there)


@settings(deadline=None)
@given(st.lists(st.floats(5, 95), min_size=1, max_size=8))
def test_labels_that_have_room_stay_where_they_are_wanted(wanted: list[float]) -> None:
    assume(all(abs(a - b) > 2 for a, b in combinations(wanted, 2)))
    assert spread(wanted, 2, 0, 100) == pytest.approx(wanted)


places = st.tuples(st.floats(0, 300), st.floats(0, 200))


@settings(deadline=None)
@given(st.lists(places, max_size=25))
def test_placed_labels_meet_neither_marks_nor_each_other(points: list[tuple[float, float]]) -> None:
    marks = [Box(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    bounds = Box(0, 0, 300, 200)
    wanted = [Wanted(text=f"model {n}", x=x, y=y, radius=3) for n, (x, y) in enumerate(points)]
    placed = place(wanted, marks, bounds, 12)
    assert all(bounds.holds(label.box) for label in placed)
    assert not any(label.box.meets(mark) for label in placed for mark in marks)
    assert not any(a.box.meets(b.box) for a, b in combinations(placed, 2))


@settings(deadline=None)
@given(st.text(max_size=100), st.floats(20, 400))
def test_what_is_fitted_fits(text: str, width: float) -> None:
    assert text_width(fitted(text, width, 12), 12) <= width


def test_what_is_cut_keeps_both_its_ends() -> None:
    assert fitted("EfficientNet-B0 with augmentation B7", 120, 12).startswith("Effi")
    assert fitted("EfficientNet-B0 with augmentation B7", 120, 12).endswith("B7")
    assert fitted("short", 120, 12) == "short"


def schemes() -> dict[str, dict[str, str]]:
    """The variables of the page in light, dark and print."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    assert len(blocks) == 3
    found = [dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=True))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_marks_and_text_stand_out_in_every_scheme(scheme: str) -> None:
    colours = schemes()[scheme]
    for ground in ("--paper", "--card", "--band"):
        faint = {m: contrast(colours[m], colours[ground]) for m in MARKS}
        assert {m: ratio for m, ratio in faint.items() if ratio < 3} == {}, ground
        for text in ("--ink", "--soft"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def test_what_vega_may_write_and_a_page_may_not_hold_is_dropped() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9.0000001" viewBox="0 0 9 9">'
        "<style>a{}</style><script>x</script>"
        '<g style="fill:red" class="a" id="b" onclick="x()" clip-path="url(#clip7)">'
        '<image href="http://example.org"/><a href="x"><text fill="var(--ink)">t</text></a>'
        '<path d="M0,0" fill="var(--ink)" pointer-events="none"/>'
        '<path d="M1.23456,-5.6e-17h1" fill="var(--ink)"/></g>'
        '<defs><clipPath id="clip7"><rect width="1" height="1"/></clipPath></defs></svg>'
    )
    assert cleaned(svg, title='a "b" <c>', font_size=12) == (
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="a &quot;b&quot; &lt;c&gt;" '
        'focusable="false" font-family="system-ui, sans-serif" font-size="12" fill="none" '
        'width="9" height="9" viewBox="0 0 9 9">'
        '<g fill="var(--ink)"><path d="M0,0" /><path d="M1.23,0h1" /></g></svg>'
    )


def test_what_all_say_and_what_neighbours_say_is_said_once() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9"><g><g>'
        '<line x2="1" stroke="a" stroke-width="2"/><line x2="2" stroke="a" stroke-width="2"/>'
        '<line x2="3" stroke="b" stroke-width="2"/></g></g></svg>'
    )
    assert cleaned(svg, title="t", font_size=12).partition("9 9")[2] == (
        '"><g stroke-width="2"><g stroke="a"><line x2="1" /><line x2="2" /></g>'
        '<line x2="3" stroke="b" /></g></svg>'
    )
