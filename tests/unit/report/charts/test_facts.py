"""Each picture says what its figures are, and nothing else: facts read back from what is drawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.metrics import Undefined, lorenz
from sam_cluster.report.charts.energy_by_day import EnergyOfDay, energy_by_day
from sam_cluster.report.charts.lorenz import LorenzCurve, height_at, lorenz_curves
from sam_cluster.report.charts.order_stability import RankPath, order_over_alpha, order_over_units
from sam_cluster.report.charts.picture import Picture
from sam_cluster.report.charts.projection import FittedPoint, MeteredPoint, projection
from sam_cluster.report.charts.shares import LabShares, shares
from sam_cluster.report.charts.two_orders import RankedResult, two_orders
from sam_cluster.report.charts.waiting import LabWaiting, duration, waiting
from sam_cluster.report.charts.where_it_went import EnergyPart, where_it_went
from tests.unit.report.charts.drawn import parsed, tag, texts

KWH = 3_600_000_000


def words(picture: Picture | None) -> list[str]:
    assert picture is not None
    return [text.text for text in texts(picture.wide)]


def rectangles(picture: Picture | None) -> list[tuple[float, float]]:
    """Width and height of what Vega draws for a rectangle."""
    assert picture is not None
    found = [
        re.fullmatch(r"M[-\d.]+,[-\d.]+h([\d.]+)v(-?[\d.]+)h-[\d.]+Z", e.get("d", ""))
        for e in parsed(picture.wide).iter()
    ]
    sizes = [(float(m[1]), abs(float(m[2]))) for m in found if m]
    return [(width, height) for width, height in sizes if width != height]  # squares are in the key


def day(n: int, energy: int | None, **more: object) -> EnergyOfDay:
    return EnergyOfDay(label=f"{n}", energy_millijoules=energy, **more)  # type: ignore[arg-type]


def test_nothing_to_draw_is_no_picture() -> None:
    assert energy_by_day([]) is None
    assert energy_by_day([day(1, None, energy_before_millijoules=5)]) is None
    assert two_orders([]) is None
    assert order_over_alpha([], alphas=[1, 2], configured=1) is None
    assert order_over_units([RankPath(label="a", ranks=(1,))], units=["J"], configured="J") is None
    assert where_it_went([EnergyPart(label="a", energy_millijoules=0)]) is None
    nothing = LabShares(label="a", share_granted=None, share_of_energy=None, share_of_gpu_hours=None)
    assert shares([nothing]) is None
    assert lorenz_curves([], among="labs") is None
    assert waiting([]) is None
    target = FittedPoint(amount=1, energy_millijoules=1, least_millijoules=0, most_millijoules=2)
    assert projection([], [target], target, axis="epochs") is None


def test_bars_are_as_high_as_the_energy_and_the_unknown_has_none() -> None:
    picture = energy_by_day([day(1, 10 * KWH), day(2, 20 * KWH), day(3, None), day(4, 0)])
    heights = [height for _, height in rectangles(picture)]
    assert heights[1] == pytest.approx(2 * heights[0])
    assert len([height for height in heights if height]) == 2
    assert words(picture).count("?") == 1
    assert "at least 30.0 kWh" in (picture.description if picture else "")


def test_a_month_of_zeros_is_drawn_as_zero_and_not_as_unknown() -> None:
    picture = energy_by_day([day(n, 0) for n in range(1, 31)])
    assert picture is not None
    assert "?" not in words(picture)
    assert picture.description.startswith("30 days, 0 kWh in all")


def test_a_lower_bound_is_marked_in_picture_and_words() -> None:
    picture = energy_by_day([day(1, KWH), day(2, KWH, is_lower_bound=True)])
    assert picture is not None
    assert "at least: a part is missing" in words(picture)
    assert "1 day is a lower bound" in picture.description


def ranked(label: str, before: int, after: int) -> RankedResult:
    return RankedResult(label=label, accuracy=0.5, sam=1.0, rank_by_accuracy=before, rank_by_sam=after)


def test_who_rises_and_who_falls_is_said_at_the_name() -> None:
    picture = two_orders([ranked("a", 1, 3), ranked("b", 2, 1), ranked("c", 2, 2), ranked("d", 4, 4)])
    found = words(picture)
    assert "3 a · 1.00 ▼2" in found
    assert "1 b · 1.00 ▲1" in found
    assert "4 d · 1.00 =" in found
    assert {"2= b · 50.00 %", "2= c · 50.00 %"} <= set(found), "equals share their rank"
    assert picture is not None and "1 rise, 1 fall and 2 keep" in picture.description


LONG = [f"a model whose name has no end, number {n} (4711_{n})" for n in range(12)]


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_a_name_is_cut_the_same_wherever_a_picture_has_it(width: str) -> None:
    results = [ranked(name, n + 1, len(LONG) - n) for n, name in enumerate(LONG)]
    paths = [RankPath(label=name, ranks=(n + 1, None if n else 1)) for n, name in enumerate(LONG)]
    for picture in (two_orders(results), order_over_units(paths, units=["J", "kWh"], configured="kWh")):
        assert picture is not None
        found = [text.text for text in texts(getattr(picture, width)) if "…" in text.text]
        cut = [match[0] for text in found if (match := re.search(r"a m\S*( \S+)*?…\S*( \S+)*?\)", text))]
        assert len(cut) == len(found) == 2 * len(LONG)
        # Each at both ends; numbers of one and of two digits are left whole at the end of the name.
        assert sorted(cut[: len(LONG)]) == sorted(cut[len(LONG) :])


def test_a_result_without_a_score_has_no_rank_and_stays_in_the_picture() -> None:
    paths = [RankPath(label="a", ranks=(1, 1)), RankPath(label="b", ranks=(2, None))]
    picture = order_over_units(paths, units=["J", "kWh"], configured="kWh")
    assert {"a 1", "b 2", "1 a", "– b"} <= set(words(picture))


def test_a_rank_that_is_kept_is_one_stroke_and_a_change_or_a_gap_ends_it() -> None:
    paths = [RankPath(label="a", ranks=(1, 1, 1, 2)), RankPath(label="b", ranks=(2, None, 1, 1))]
    picture = order_over_alpha(paths, alphas=[1, 2, 3, 4], configured=2)
    assert picture is not None
    ends = [(float(e.get("x2", "0")), float(e.get("y2", "0"))) for e in parsed(picture.wide).iter()]
    strokes = [(x, y) for x, y in ends if x > 0]
    across = max(x for x, _ in strokes)  # the line above those without a score
    steps = [(round(3 * x / across), (y > 0) - (y < 0)) for x, y in strokes]
    assert sorted(steps) == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0)]  # the first is the key's


def test_ranks_must_be_as_many_as_settings() -> None:
    with pytest.raises(ValueError, match="2 settings, but 1 ranks"):
        order_over_alpha([RankPath(label="a", ranks=(1,))], alphas=[1, 2], configured=1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 10**15), min_size=1, max_size=10))
def test_the_parts_of_the_bar_are_in_proportion_and_fill_it(energies: list[int]) -> None:
    parts = [EnergyPart(label=f"part {n}", energy_millijoules=energy) for n, energy in enumerate(energies)]
    widths = [width for width, height in rectangles(where_it_went(parts)) if height == 34]
    assert sum(widths) == pytest.approx(718, abs=0.2)
    whole = sum(energies)
    if len(widths) == len(energies):  # a part that is too narrow for the eye is not drawn
        for width, energy in zip(widths, energies, strict=True):
            assert width == pytest.approx(718 * energy / whole, abs=0.1)


def test_each_part_bears_a_number_that_the_key_repeats() -> None:
    parts = [EnergyPart(label=name, energy_millijoules=KWH) for name in ("useful", "failed", "idle")]
    found = words(where_it_went(parts))
    assert {"1", "2", "3", "1 useful 1.00 kWh (33.3 %)", "3 idle 1.00 kWh (33.3 %)"} <= set(found)


def share(label: str, energy: float | None, granted: float | None) -> LabShares:
    return LabShares(label=label, share_granted=granted, share_of_energy=energy, share_of_gpu_hours=None)


def test_labs_are_in_the_order_of_their_energy_and_their_count_is_said() -> None:
    labs = [share("small", 0.1, 0.2), share("large", 0.7, 0.1), share("none", None, None)]
    picture = shares(labs)
    found = words(picture)
    assert [word for word in found if word in ("small", "large", "none")] == ["large", "small", "none"]
    assert picture is not None and "1 of the 2 whose share is known" in picture.description


def test_of_more_labs_than_a_picture_holds_the_words_say_so() -> None:
    picture = shares([share(f"lab-{n}", 0.01, 0.01) for n in range(60)])
    assert picture is not None
    assert len([word for word in words(picture) if word.startswith("lab-")]) == 40
    assert "60 labs, of which the first 40 are drawn" in picture.description


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=20), st.floats(0, 1))
def test_a_lorenz_curve_lies_under_the_diagonal_and_passes_its_corners(
    used: list[float], part: float
) -> None:
    corners = lorenz(used)
    assert not isinstance(corners, Undefined)
    assert -1e-9 <= height_at(corners, part) <= part + 1e-9
    for x, y in corners[1:]:
        assert height_at(corners, x) == pytest.approx(y, abs=1e-9)


def test_gini_is_written_where_it_is_defined() -> None:
    corners = [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)]
    curves = [
        LorenzCurve(label="energy", corners=corners, gini=0.25),
        LorenzCurve(label="x", corners=corners, gini=None),
    ]
    found = words(lorenz_curves(curves, among="2 labs"))
    assert "energy (Gini 0.25)" in found and "x" in found


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59, "59.0 s"),
        (60, "1.00 min"),
        (5_400, "1.50 h"),
        (86_400, "1.00 days"),
        (1e6, "11.6 days"),
    ],
)
def test_a_waiting_time_is_in_the_unit_that_it_fills(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(("median", "ninetieth"), [(0, 0), (0, 1e10), (1e9, 1e10), (3600, 3600)])
def test_any_waiting_time_can_be_drawn(median: float, ninetieth: float) -> None:
    lab = LabWaiting(label="lab", jobs=1, median_seconds=median, ninetieth_percentile_seconds=ninetieth)
    picture = waiting([lab])
    assert picture is not None
    assert picture.description.startswith(f"1 lab. The median waiting time is {duration(median)}; ")
    assert "NaN" not in picture.wide
    marks = [e for e in parsed(picture.wide).iter() if tag(e) in ("line", "path")]
    assert len(marks) > 5


def test_the_projection_says_its_target_and_its_interval() -> None:
    target = FittedPoint(
        amount=90, energy_millijoules=40 * KWH, least_millijoules=-5 * KWH, most_millijoules=44 * KWH
    )
    start = FittedPoint(amount=1, energy_millijoules=KWH, least_millijoules=0, most_millijoules=2 * KWH)
    picture = projection([MeteredPoint(amount=1, energy_millijoules=KWH)], [start], target, axis="epochs")
    assert "40.0 kWh (0 to 44.0)" in words(picture), "no energy is below zero"
    assert picture is not None
    assert (
        "At 90 the fitted line gives 40.0 kWh, with an interval from 0 kWh to 44.0 kWh" in picture.description
    )


def test_results_of_one_rank_are_named_below_one_another() -> None:
    paths = [RankPath(label=f"model {n}", ranks=(1, 1)) for n in range(6)]
    found = order_over_alpha(paths, alphas=[1, 5], configured=5)
    apart = order_over_alpha(
        [RankPath(label=f"model {n}", ranks=(n + 1, n + 1)) for n in range(6)],
        alphas=[1, 5], configured=5,
    )  # fmt: skip
    assert found is not None and apart is not None
    heights = [re.search(r'viewBox="0 0 [0-9.]+ ([0-9.]+)"', p.wide) for p in (found, apart)]
    assert heights[0] is not None and heights[1] is not None and heights[0][1] == heights[1][1]
