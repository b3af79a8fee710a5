"""Least squares and Student's t, against tables, numpy, and what an interval promises."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.metrics.line import curvature, fit_line, fit_through_origin
from sam_cluster.metrics.student import t_quantile, two_sided_probability

# Two-sided quantiles as every table of Student's t has them: degrees, 90 %, 95 %, 99 %.
TABLE = [
    (1, 6.314, 12.706, 63.657), (2, 2.920, 4.303, 9.925), (3, 2.353, 3.182, 5.841), (4, 2.132, 2.776, 4.604),
    (5, 2.015, 2.571, 4.032), (6, 1.943, 2.447, 3.707), (7, 1.895, 2.365, 3.499), (8, 1.860, 2.306, 3.355),
    (9, 1.833, 2.262, 3.250), (10, 1.812, 2.228, 3.169), (20, 1.725, 2.086, 2.845), (30, 1.697, 2.042, 2.750),
    (60, 1.671, 2.000, 2.660), (120, 1.658, 1.980, 2.617),
]  # fmt: skip

points = st.lists(
    st.tuples(st.integers(1, 40), st.integers(10, 1000)),
    min_size=4,
    max_size=10,
    unique_by=lambda point: point[0],
)


@pytest.mark.parametrize(("degrees", "of_90", "of_95", "of_99"), TABLE)
def test_the_quantiles_are_those_of_the_tables(degrees, of_90, of_95, of_99):
    found = [round(t_quantile(probability, degrees), 3) for probability in (0.90, 0.95, 0.99)]
    assert found == [of_90, of_95, of_99]


@given(st.floats(0.001, 0.999), st.integers(1, 200))
def test_a_quantile_is_the_inverse_of_the_probability_and_falls_with_the_degrees(probability, degrees):
    t = t_quantile(probability, degrees)
    assert two_sided_probability(t, degrees) == pytest.approx(probability, abs=1e-9)
    assert t_quantile(probability, degrees + 1) < t


@pytest.mark.parametrize(("probability", "degrees"), [(0, 5), (1, 5), (1.5, 5), (float("nan"), 5), (0.95, 0)])
def test_what_has_no_quantile_is_refused(probability, degrees):
    with pytest.raises(ValueError, match=r"probability|degree"):
        t_quantile(probability, degrees)


@given(points)
def test_the_line_is_numpys_with_residuals_as_parts_of_y(given_points):
    xs, ys = (np.array(column, float) for column in zip(*given_points, strict=True))
    (slope, intercept), covariance = np.polyfit(xs, ys, 1, w=1 / ys, cov=True)
    line = fit_line(xs, ys)
    assert [line.slope, line.intercept] == pytest.approx([slope, intercept], rel=1e-6, abs=1e-6)
    assert line.margin_of_line(0.0, 0.95) == pytest.approx(
        t_quantile(0.95, len(xs) - 2) * np.sqrt(covariance[1, 1]), rel=1e-6, abs=1e-6
    )
    through_origin = fit_through_origin(xs, ys)
    expected = np.linalg.lstsq((xs / ys)[:, None], np.ones(len(xs)), rcond=None)[0][0]
    assert through_origin.slope == pytest.approx(expected)
    assert (through_origin.at(0), through_origin.passes_origin, line.passes_origin) == (0, True, False)


@given(points, st.integers(1, 100), st.floats(0, 0.5))
def test_one_more_point_on_the_line_moves_nothing_and_widens_no_interval(given_points, more, floor):
    xs, ys = zip(*given_points, strict=True)
    for fit in (fit_line, fit_through_origin):
        before = fit(xs, ys, floor)
        if before.at(more) < 1:
            continue
        after = fit([*xs, more], [*ys, before.at(more)], floor)
        for x in (0.5, 20, 100):
            assert after.at(x) == pytest.approx(before.at(x), rel=1e-6, abs=1e-6)
            assert after.margin_of_one(x, 0.95) <= before.margin_of_one(x, 0.95) * (1 + 1e-9) + 1e-9
            assert after.margin_of_line(x, 0.95) <= before.margin_of_line(x, 0.95) * (1 + 1e-9) + 1e-9


def scattered(xs, noise, chance):
    return [(2 + 1.3 * x) * (1 + chance.gauss(0, noise)) for x in xs]


@pytest.mark.parametrize("xs", [[1, 2, 4], [1, 2, 4, 8], [5, 10, 15, 20], [1, 1, 2, 2, 4, 4, 8, 8]], ids=str)
def test_the_interval_of_prediction_holds_as_often_as_it_says(xs):
    chance, held = random.Random(2310), 0
    for _ in range(2000):
        line = fit_line(xs, scattered(xs, 0.02, chance))
        (one,) = scattered([90], 0.02, chance)
        held += abs(one - line.at(90)) <= line.margin_of_one(90, 0.95)
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_straight_points_are_called_bent_as_seldom_as_the_test_says():
    chance, xs = random.Random(2310), [1, 2, 4, 8, 16]
    bent = sum(curvature(xs, scattered(xs, 0.02, chance), 40, 0.99) != 0 for _ in range(2000))
    assert bent / 2000 == pytest.approx(0.01, abs=0.007)


@given(points, st.integers(1, 100), st.integers(5, 50))
def test_a_bend_says_what_the_parabola_says_more_than_the_line(given_points, c, x):
    xs = np.array([x for x, _ in given_points], float)
    ys = 7 + 2 * xs + c * xs * xs
    expected = np.polyval(np.polyfit(xs, ys, 2), x) - np.polyval(np.polyfit(xs, ys, 1, w=1 / ys), x)
    assert curvature(xs, ys, x, 0.99) == pytest.approx(expected, rel=1e-6, abs=1e-4)


def test_three_points_cannot_show_a_bend():
    assert curvature([1, 2, 3], [1, 4, 9], 10, 0.99) == 0
