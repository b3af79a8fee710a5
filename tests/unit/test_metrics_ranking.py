"""Orders of results: ranks, how they hold over alpha and the unit, and where two results swap."""

from __future__ import annotations

import math
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.metrics import Undefined, UndefinedReason, kendall_tau_b, sam
from sam_cluster.metrics.firmness import keep_their_places, may_be_first
from sam_cluster.metrics.ranking import (
    ALPHAS,
    Candidate,
    Place,
    competition_ranks,
    crossings,
    orders_over_alpha,
    orders_over_unit,
    places,
)

A = Candidate(accuracy=0.70, energy_kwh=2)
B = Candidate(accuracy=0.80, energy_kwh=20)

orders = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12)
candidates = st.lists(
    st.builds(Candidate, accuracy=st.floats(0.1, 1), energy_kwh=st.floats(0.2, 1e4)), max_size=8
)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), max_size=5))
@settings(deadline=None)
def test_what_keeps_its_place_and_what_may_be_first_is_so_wherever_scores_are_in_their_ranges(spans):
    ranges = [(float(low), float(low + length)) for low, length in spans]
    # What two ranges leave open shows at their ends.
    worlds = [competition_ranks(scores) for scores in product(*({low, high} for low, high in ranges))]
    in_place = [
        len(set(ranks)) == 1 and not any(others.count(ranks[0]) > 1 for others in worlds)
        for ranks in zip(*worlds, strict=True)
    ]
    assert keep_their_places(ranges) == in_place
    assert may_be_first(ranges) == [at for at, ranks in enumerate(zip(*worlds, strict=True)) if 1 in ranks]


def test_equal_values_share_a_rank_and_the_next_is_as_many_lower():
    assert competition_ranks([3.0, 7.0, None, 3.0, 1.0]) == [2, 1, None, 2, 4]


@given(st.lists(st.one_of(st.none(), st.integers(0, 4))))
def test_a_rank_is_one_more_than_the_number_of_those_that_are_better(values):
    known = [value for value in values if value is not None]
    expected = [None if v is None else 1 + sum(other > v for other in known) for v in values]
    assert competition_ranks(values) == expected


def test_by_sam_the_frugal_result_rises_and_the_dear_one_falls():
    unscored = Candidate(accuracy=0.99, energy_kwh=0.5)
    in_part = Candidate(accuracy=0.98, energy_kwh=50, is_lower_bound=True)
    near = Candidate(accuracy=0.97, energy_kwh=1.1, uncertainty_kwh=0.2)
    unknown = Candidate(accuracy=0.96, energy_kwh=None)
    found = places([B, unscored, A, in_part, near, unknown])
    assert found == [Place(by_accuracy=1, by_sam=2), None, Place(by_accuracy=2, by_sam=1), None, None, None]
    assert [place.rise for place in found if place] == [-1, 1]


@given(candidates)
def test_only_what_has_a_score_is_ranked_and_in_the_order_of_the_scores(results):
    found = places(results, alpha=3.0, unit="MJ")
    scores = [sam(each.accuracy, each.energy_kwh, alpha=3.0, unit="MJ") for each in results]
    assert [place is None for place in found] == [isinstance(score, Undefined) for score in scores]
    ranked = [(place, score) for place, score in zip(found, scores, strict=True) if place]
    for (one, a), (other, b) in combinations(ranked, 2):
        assert (one.by_sam < other.by_sam) == (a > b)
        assert (one.by_sam == other.by_sam) == (a == b)


def by_pairs(one, other):
    """Tau-b by its definition, over all pairs."""
    signs = [
        (math.copysign(bool(a - b), a - b), math.copysign(bool(c - d), c - d))
        for (a, c), (b, d) in combinations(zip(one, other, strict=True), 2)
    ]
    numerator = sum(x * y for x, y in signs)
    return numerator / math.sqrt(sum(x * x for x, _ in signs) * sum(y * y for _, y in signs))


@given(orders)
def test_taub_is_its_definition_over_all_pairs(pairs):
    one, other = zip(*pairs, strict=True)
    found = kendall_tau_b(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found == Undefined(UndefinedReason.ALL_TIED)
    else:
        assert found == pytest.approx(by_pairs(one, other))
        assert found == pytest.approx(kendall_tau_b(other, one))


@given(st.permutations(range(7)))
def test_an_order_agrees_wholly_with_itself_and_not_at_all_with_its_reverse(order):
    assert kendall_tau_b(order, order) == 1
    assert kendall_tau_b(order, [-value for value in order]) == -1


def test_taub_of_fewer_than_two_is_undefined_and_orders_must_be_as_long():
    assert kendall_tau_b([], []) == Undefined(UndefinedReason.NO_VALUES)
    assert kendall_tau_b([1], [1]) == Undefined(UndefinedReason.ONE_VALUE)
    with pytest.raises(ValueError, match="argument"):
        kendall_tau_b([1, 2], [1])


def test_the_unit_turns_the_order_of_two_results_round():
    found = {order.unit: (order.ranks, order.tau_b) for order in orders_over_unit([A, B])}
    assert found["kWh"] == ((1, 2), 1)
    assert found["Wh"] == ((2, 1), -1)
    assert list(found) == ["J", "Wh", "MJ", "kWh"]


def test_in_a_larger_unit_fewer_results_have_a_score():
    small = Candidate(accuracy=0.6, energy_kwh=0.4)
    found = {order.unit: order for order in orders_over_unit([A, small, B], unit="Wh")}
    assert found["MJ"].ranks[1] is not None
    assert found["kWh"].ranks == (1, None, 2)
    assert found["kWh"].tau_b == -1  # over the two that have a score in both


@given(candidates, st.sampled_from(ALPHAS))
def test_the_configured_alpha_agrees_with_itself(results, alpha):
    orders = orders_over_alpha(results, alpha=alpha)
    assert [order.alpha for order in orders] == list(ALPHAS)
    configured = next(order for order in orders if order.alpha == alpha)
    assert isinstance(configured.tau_b, Undefined) or configured.tau_b == pytest.approx(1)
    assert configured.ranks == tuple(place and place.by_sam for place in places(results, alpha=alpha))


def test_two_results_swap_where_the_closed_form_says():
    (crossing,) = crossings([A, B])
    expected = math.log(math.log(20) / math.log(2)) / math.log(0.8 / 0.7)
    assert (crossing.more_accurate, crossing.more_frugal) == (1, 0)
    assert crossing.alpha == pytest.approx(expected)
    assert sam(0.7, 2, alpha=expected) == pytest.approx(sam(0.8, 20, alpha=expected))


@given(candidates, st.sampled_from(["Wh", "kWh"]))
def test_a_pair_swaps_at_its_crossing_and_nowhere_else(results, unit):
    found = {(each.more_accurate, each.more_frugal): each.alpha for each in crossings(results, unit=unit)}

    def score(index, alpha):
        return sam(results[index].accuracy, results[index].energy_kwh, alpha=alpha, unit=unit)

    for one, other in combinations(range(len(results)), 2):
        if isinstance(score(one, 1.0), Undefined) or isinstance(score(other, 1.0), Undefined):
            assert (one, other) not in found
            continue
        pair = next((pair for pair in ((one, other), (other, one)) if pair in found), None)
        if pair and found[pair] < 50:
            accurate, frugal = pair
            alpha = found[pair]
            assert score(accurate, alpha) == pytest.approx(score(frugal, alpha), rel=1e-6)
            assert score(accurate, alpha * 1.1 + 0.1) >= score(frugal, alpha * 1.1 + 0.1)
            assert score(accurate, alpha * 0.9) <= score(frugal, alpha * 0.9) * (1 + 1e-9)
        elif pair is None:
            leads = {score(one, alpha) >= score(other, alpha) for alpha in (0.01, 1.0, 5.0, 10.0)}
            trails = {score(one, alpha) <= score(other, alpha) for alpha in (0.01, 1.0, 5.0, 10.0)}
            assert leads == {True} or trails == {True}


def test_what_has_no_accuracy_above_zero_swaps_with_nothing():
    assert crossings([Candidate(accuracy=0.0, energy_kwh=2), B]) == []
