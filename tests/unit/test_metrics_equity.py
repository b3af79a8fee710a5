"""Indices of equity: their vectors, and the laws that make them indices of inequality."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sam_cluster.metrics import (
    TheilParts,
    Undefined,
    UndefinedReason,
    gini,
    hoover,
    jain,
    level_fs,
    lorenz,
    theil_parts,
    theil_t,
)

INDICES = [gini, jain, hoover, theil_t]
TENS = [10, 20, 30, 40, 50, 60]
SKEWED = [600, 300, 100, 0]

VECTORS = [  # values, weights, Gini, Jain, Theil T, Hoover
    ([1, 1, 1, 1], None, 0, 1, 0, 0),
    ([4, 0, 0, 0], None, 0.75, 0.25, 1.386294, 0.75),
    ([1, 1, 0, 0], None, 0.5, 0.5, 0.693147, 0.5),
    ([1, 2, 3, 4], None, 0.25, 0.833333, 0.106440, 0.2),
    (TENS, None, 0.277778, 0.807692, 0.129383, 0.214286),
    ([100, 300], [1, 3], 0, 1, 0, 0),
    ([100, 300], None, 0.25, 0.8, 0.130812, 0.25),
    (SKEWED, [10, 5, 20, 5], 0.5375, 0.458716, 0.626978, 0.525),
    (SKEWED, None, 0.5, 0.543478, 0.488349, 0.4),
]
REGISTERED_BUT_IDLE = [  # listed too, Gini, Jain
    (0, 0.2778, 0.8077), (6, 0.6389, 0.4038), (24, 0.8556, 0.1615), (94, 0.9567, 0.0485),
]  # fmt: skip

amounts = st.integers(0, 10**6)
weights = st.integers(1, 1000)
populations = st.lists(st.tuples(amounts, weights), min_size=2, max_size=12).filter(
    lambda pairs: any(used for used, _ in pairs)
)
indices = pytest.mark.parametrize("index", INDICES, ids=lambda index: index.__name__)


def inequality(index, values, weights=None):
    """The index, turned so that more is less equal (Jain's is the one that falls)."""
    return -index(values, weights) if index is jain else index(values, weights)


@pytest.mark.parametrize(("values", "by", "g", "j", "t", "h"), VECTORS)
def test_the_indices_give_the_vectors(values, by, g, j, t, h):
    found = [index(values, by) for index in INDICES]
    assert found == [pytest.approx(expected, abs=6e-7) for expected in (g, j, h, t)]


@pytest.mark.parametrize(("idle", "g", "j"), REGISTERED_BUT_IDLE)
def test_listing_people_who_used_nothing_makes_the_indices_less_equal(idle, g, j):
    values = TENS + [0] * idle
    assert (round(gini(values), 4), round(jain(values), 4)) == (g, j)


@indices
@given(population=populations, factor=st.integers(1, 10**9))
def test_the_unit_of_the_values_does_not_matter(index, population, factor):
    values, by = zip(*population, strict=True)
    scaled = [value * factor for value in values]
    assert index(scaled, by) == pytest.approx(index(values, by), abs=1e-9)


@indices
@given(population=populations, order=st.randoms(use_true_random=False))
def test_the_order_of_the_groups_does_not_matter_to_the_bit(index, population, order):
    shuffled = population.copy()
    order.shuffle(shuffled)
    assert index(*zip(*shuffled, strict=True)) == index(*zip(*population, strict=True))


@indices
@given(population=populations, times=st.integers(2, 4))
def test_a_population_repeated_is_as_unequal_as_once(index, population, times):
    assert index(*zip(*(population * times), strict=True)) == pytest.approx(
        index(*zip(*population, strict=True)), abs=1e-9
    )


@indices
@given(values=st.lists(st.integers(1, 1000), min_size=2, max_size=12), data=st.data())
def test_giving_to_one_who_has_less_never_makes_it_less_equal(index, values, data):
    rich, poor = sorted(data.draw(st.permutations(range(len(values))))[:2], key=lambda i: -values[i])
    assume(values[rich] - values[poor] >= 2)
    gift = data.draw(st.integers(1, (values[rich] - values[poor]) // 2))
    after = values.copy()
    after[rich] -= gift
    after[poor] += gift
    before, now = inequality(index, values), inequality(index, after)
    assert now <= before + 1e-12
    if index is not hoover:  # which does not see a gift between two on one side of the mean
        assert now < before


@indices
@given(population=populations, data=st.data())
def test_giving_to_one_who_has_less_per_weight_never_makes_it_less_equal(index, population, data):
    values, by = map(list, zip(*population, strict=True))
    per_weight = [used / weight for used, weight in population]
    rich, poor = sorted(data.draw(st.permutations(range(len(values))))[:2], key=lambda i: -per_weight[i])
    before = inequality(index, values, by)
    # All that can be given without the one having less per weight afterwards than the other.
    most = (per_weight[rich] - per_weight[poor]) / (1 / by[rich] + 1 / by[poor])
    gift = most * data.draw(st.floats(0, 1))
    values[rich] = max(0.0, values[rich] - gift)
    values[poor] += gift
    assert inequality(index, values, by) <= before + 1e-9


@given(population=populations)
def test_the_indices_stay_within_their_ranges(population):
    values, by = zip(*population, strict=True)
    n = len(values)
    assert 0 <= gini(values) <= (n - 1) / n + 1e-12
    assert 1 / n - 1e-12 <= jain(values) <= 1
    assert 0 <= hoover(values) <= (n - 1) / n + 1e-12
    assert 0 <= theil_t(values) <= math.log(n) + 1e-12
    assert 0 <= theil_t(values, by) <= -math.log(min(by) / sum(by)) + 1e-12


@indices
@given(by=st.lists(weights, min_size=2, max_size=12), each=st.integers(1, 1000))
def test_the_same_use_per_weight_is_equality(index, by, each):
    expected = 1 if index is jain else 0
    assert index([each * weight for weight in by], by) == pytest.approx(expected, abs=1e-12)


@given(population=populations)
def test_a_weight_of_n_is_n_groups_that_used_a_nth_each(population):
    small = [(used, weight % 5 + 1) for used, weight in population]
    values, by = zip(*small, strict=True)
    people = [used / weight for used, weight in small for _ in range(weight)]
    for index in INDICES:
        assert index(values, by) == pytest.approx(index(people), abs=1e-9)


@given(population=populations)
def test_the_lorenz_curve_rises_convex_from_corner_to_corner_around_half_the_gini(population):
    values, by = zip(*population, strict=True)
    curve = lorenz(values, by)
    assert (curve[0], curve[-1], len(curve)) == ((0.0, 0.0), (1.0, 1.0), len(values) + 1)
    steps = [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in pairwise(curve)]
    assert all(dx > 0 and dy >= -1e-12 for dx, dy in steps)
    assert all(y0 / x0 <= y1 / x1 + 1e-6 for (x0, y0), (x1, y1) in pairwise(steps))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(curve))
    assert 1 - 2 * area == pytest.approx(gini(values, by), abs=1e-9)


def test_theil_within_sees_that_one_of_ten_used_all():
    groups = [[600] + [0] * 9, [60] * 5, [5] * 20, [0] * 5]
    parts = theil_parts(groups)
    assert (round(parts.between, 3), round(parts.within, 3), round(parts.total, 3)) == (0.627, 1.382, 2.009)


@given(groups=st.lists(st.lists(amounts, max_size=6), min_size=1, max_size=6))
def test_theils_parts_add_up_to_theil_over_all_people(groups):
    everyone = [used for members in groups for used in members]
    parts = theil_parts(groups)
    if isinstance(parts, Undefined):
        assert parts == theil_t(everyone)
        return
    assert parts.total == pytest.approx(theil_t(everyone), abs=1e-9)
    assert min(parts.between, parts.within) >= 0
    peopled = [members for members in groups if members]
    if len(peopled) > 1:
        between = theil_t([sum(members) for members in peopled], [len(members) for members in peopled])
        assert parts.between == pytest.approx(between, abs=1e-9)


@pytest.mark.parametrize("index", [*INDICES, lorenz, lambda values: theil_parts([values])])
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], UndefinedReason.NO_VALUES),
        ([7], UndefinedReason.ONE_VALUE),
        ([0, 0, 0], UndefinedReason.ALL_ZERO),
    ],
)
def test_nothing_to_compare_is_undefined_and_not_fair(index, values, reason):
    assert index(values) == Undefined(reason)


@pytest.mark.parametrize(
    ("values", "by", "complaint"),
    [
        ([1, -2], None, r"values\[1\] must be finite and at least 0, got -2"),
        ([math.nan, 1], None, r"values\[0\] .* nan"),
        ([1, math.inf], None, r"values\[1\] .* inf"),
        ([1, 2], [1, 0], r"weights\[1\] must be above 0"),
        ([1, 2], [-1, 1], r"weights\[0\] must be finite and at least 0"),
        ([1, 2], [1], "there are 2 values, but 1 weights"),
    ],
)
def test_values_that_no_group_can_have_are_refused_with_their_place(values, by, complaint):
    for index in [*INDICES, lorenz]:
        with pytest.raises(ValueError, match=complaint):
            index(values, by)


def test_arrays_and_columns_are_taken_like_lists():
    for index in [*INDICES, lorenz]:
        expected = index(SKEWED, [10, 5, 20, 5])
        assert index(np.array(SKEWED), np.array([10, 5, 20, 5])) == expected
        assert index(pd.Series(SKEWED, index=list("abcd")), pd.Series([10, 5, 20, 5])) == expected
        assert index(iter(SKEWED), iter([10, 5, 20, 5])) == expected
    assert theil_parts([np.array([1, 2]), pd.Series([3, 4])]) == theil_parts([[1, 2], [3, 4]])


def test_values_near_the_ends_of_the_range_of_floats_are_no_trouble():
    assert gini([1e308, 1e308]) == 0
    assert jain([5e-324, 5e-324]) == 1
    assert theil_parts([[1e308], [1e308]]) == TheilParts(between=0.0, within=0.0)


@given(population=populations)
def test_level_fs_is_what_was_granted_over_what_was_used(population):
    used, granted = ([x / sum(column) for x in column] for column in zip(*population, strict=True))
    for share, use in zip(granted, used, strict=True):
        level = level_fs(share, use)
        if use == 0:
            assert level == Undefined(UndefinedReason.NOTHING_USED)
        else:
            assert level * use == pytest.approx(share)


def test_level_fs_of_a_group_without_a_grant_is_zero_whatever_it_used():
    assert (level_fs(0, 0.5), level_fs(0, 0)) == (0.0, 0.0)


@pytest.mark.parametrize("shares", [(1.2, 0.5), (0.5, 1.2), (-0.1, 0.5), (0.5, math.nan), (25, 30)])
def test_level_fs_takes_shares_and_no_percentages(shares):
    with pytest.raises(ValueError, match="share"):
        level_fs(*shares)
