"""The geometry of accuracy against electricity: what is drawn is where the formula says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.metrics import Undefined, sam
from sam_cluster.report.charts.accuracy_and_energy import MOST_POINTS, ResultPoint, accuracy_and_energy
from sam_cluster.report.charts.axes import Axis
from sam_cluster.report.charts.bins import binned
from sam_cluster.report.charts.iso_sam import Metric, iso_levels, iso_lines
from sam_cluster.report.charts.picture import Picture
from sam_cluster.report.charts.result_points import front_of, named_points
from tests.unit.report.charts.drawn import texts
from tests.unit.report.charts.samples import many_results, result, results

KWH = Metric(alpha=5.0, beta=5.0, unit="kWh", unit_kwh=1.0)
WH = Metric(alpha=2.0, beta=3.0, unit="Wh", unit_kwh=1e-3)
X = Axis(low=0.1, high=3000.0, length=600, is_log=True)
Y = Axis(low=0.4, high=0.9, length=300, is_vertical=True)

points_of_any_kind = st.lists(
    st.builds(
        result, st.sampled_from(["a", "b", "c"]), st.floats(0.0, 1.0), st.floats(1e-6, 1e5),
        is_lower_bound=st.booleans(),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


def draw(points: Sequence[ResultPoint]) -> Picture:
    picture = accuracy_and_energy(points, task="t", alpha=5.0, beta=5.0, unit="kWh")
    assert picture is not None
    return picture


@pytest.mark.parametrize("metric", [KWH, WH])
def test_every_point_of_a_line_has_the_score_that_is_written_at_it(metric: Metric) -> None:
    levels = [0.5, 1.0, 2.0]
    x = Axis(low=0.5 * metric.unit_kwh, high=3000.0 * metric.unit_kwh, length=600, is_log=True)
    drawn = iso_lines(levels, metric, x, Y).rows
    assert {row["sam"] for row in drawn} == set(levels)
    for row in drawn:
        score = sam(row["accuracy"], row["kwh"], metric.alpha, metric.beta, metric.unit)
        assert score == pytest.approx(row["sam"], rel=1e-9)


@pytest.mark.parametrize("x", [X, Axis(low=20.0, high=3000.0, length=600, is_log=True)])
def test_no_line_begins_at_or_left_of_one_unit_nor_leaves_the_plot(x: Axis) -> None:
    drawn = iso_lines([0.1, 0.2], KWH, x, Y).rows
    assert all(row["kwh"] > 1.0 and x.low <= row["kwh"] <= x.high for row in drawn)
    assert all(Y.low <= row["accuracy"] <= Y.high for row in drawn)
    if x.low > 1.0:
        assert {row["kwh"] for row in drawn if not row["is_drawn"]} == {x.low}, "each begins at the edge"


def test_lines_are_apart() -> None:
    drawn = iso_lines([0.5, 1.0, 2.0], KWH, X, Y).rows
    begun = [row["sam"] for row in drawn if not row["is_drawn"]]
    assert begun == [0.5, 1.0, 2.0]
    assert all(one["sam"] == other["sam"] for one, other in pairwise(drawn) if other["is_drawn"])


@settings(deadline=None)
@given(st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=20))
def test_levels_are_few_and_their_lines_cross_the_plot(scores: list[float]) -> None:
    levels = iso_levels(scores, KWH, X, Y)
    assert len(levels) <= 6
    assert levels == sorted(set(levels))
    for level in levels:
        assert any(Y.low <= row["accuracy"] <= Y.high for row in iso_lines([level], KWH, X, Y).rows)


def test_where_nothing_is_right_of_one_unit_there_are_no_lines() -> None:
    left = Axis(low=1e-4, high=0.9, length=600, is_log=True)
    assert iso_levels([1.0, 2.0], KWH, left, Y) == []
    picture = draw([result("a", 0.7, 0.01), result("b", 0.8, 0.02)])
    assert not any("equal SAM" in text.text for text in texts(picture.wide))
    assert any("too little electricity for SAM" in text.text for text in texts(picture.wide))


@settings(deadline=None)
@given(points_of_any_kind)
def test_no_point_beats_one_on_the_front(points: list[ResultPoint]) -> None:
    front = front_of(points)
    assert not any(point.is_lower_bound for point in front)
    for on_front in front:
        for other in points:
            if not other.is_lower_bound:
                better = other.accuracy >= on_front.accuracy and other.energy_kwh <= on_front.energy_kwh
                same = (other.accuracy, other.energy_kwh) == (on_front.accuracy, on_front.energy_kwh)
                assert same or not better
    assert [p.energy_millijoules for p in front] == sorted(p.energy_millijoules for p in front)


def test_unscored_results_stay_in_the_picture_and_on_the_front() -> None:
    front = {point.label for point in front_of(results())}
    assert {"tiny probe", "SqueezeNet", "MobileNetV2"} <= front
    assert {"tiny probe", "SqueezeNet"} <= {text.text for text in texts(draw(results()).wide)}


def test_the_first_by_sam_and_by_accuracy_are_named() -> None:
    named = [point.label for point in named_points(results(), front_of(results()))]
    assert named[0] == "MobileNetV2"
    assert "ViT-H/14 with a large pre-training" in named
    assert len(named) == len(set(named))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 3000.0), st.floats(0.4, 0.9)), min_size=1, max_size=50))
def test_every_point_is_counted_in_the_square_it_lies_in(points: list[tuple[float, float]]) -> None:
    squares: list[Any] = binned(points, X, Y)
    assert sum(square["count"] for square in squares) == len(points)
    for kwh, accuracy in points:
        assert any(
            square["from"] * (1 - 1e-9) <= kwh <= square["to"] * (1 + 1e-9)
            and square["bottom"] - 1e-9 <= accuracy <= square["top"] + 1e-9
            for square in squares
        )
    assert all(0.2 <= square["opacity"] <= 1 for square in squares)
    assert max(squares, key=lambda s: s["count"])["opacity"] == max(square["opacity"] for square in squares)


def test_thousands_of_points_are_counted_instead_of_drawn() -> None:
    few, many = many_results(MOST_POINTS), many_results(MOST_POINTS + 1)
    assert draw(few).wide.count("<path") > MOST_POINTS
    assert draw(many).wide.count("<path") < MOST_POINTS
    assert "stronger colour for more" in draw(many).wide


@pytest.mark.parametrize(
    "points",
    [
        [result("one", 0.5, 10.0)],
        [result("pole", 0.5, 1.0), result("beside it", 0.5, 1.0000001)],
        [result("none", 0.0, 2.0), result("all", 1.0, 2.0)],
        [result("least", 0.9, 1e-9), result("most", 0.1, 1e9)],
        [result("the same", 0.7, 3.0)] * 5,
        [result("bound", 0.7, 3.0, is_lower_bound=True)],
    ],
)
def test_the_ends_of_the_domain_can_be_drawn(points: list[ResultPoint]) -> None:
    picture = draw(points)
    for svg in (picture.wide, picture.narrow):
        assert "NaN" not in svg and "Infinity" not in svg and "undefined" not in svg.replace("undefined:", "")


def test_what_has_no_electricity_is_counted_and_not_drawn() -> None:
    points = [result("a", 0.7, 3.0), result("b", 0.8, 0.0)]
    assert "1 without measured electricity cannot be drawn" in draw(points).description
    assert accuracy_and_energy(points[1:], task="t", alpha=5, beta=5, unit="kWh") is None


def test_the_sample_has_the_scores_of_the_metric() -> None:
    for point in results():
        score = sam(point.accuracy, point.energy_kwh)
        expected = None if isinstance(score, Undefined) or point.is_lower_bound else score
        assert point.sam == expected or math.isclose(point.sam or 0, expected or 0)


@pytest.mark.parametrize("scored", [0, 1, 2, 3])
def test_one_or_two_scores_are_called_no_order(scored: int) -> None:
    points = [result(f"m{n}", 0.5 + n / 100, 2.0 + n) for n in range(scored)]
    points += [result(f"small {n}", 0.9, 0.1) for n in range(3)]
    said = draw(points).description
    assert ("First by SAM" in said) is (scored == 3)
    assert f"{scored} {'has' if scored == 1 else 'have'} a score" in said
