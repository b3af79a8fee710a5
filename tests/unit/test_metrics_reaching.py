"""The electricity that it took to reach an accuracy, and which accuracies are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.metrics import Undefined, UndefinedReason, energy_to_reach, shared_accuracies

fractions = st.floats(0, 1)
points = st.lists(st.tuples(fractions, st.floats(0, 1e6)), max_size=8)
labs = st.dictionaries(st.text(max_size=3), st.lists(fractions, max_size=4), max_size=8)


def test_an_untrained_model_that_used_nothing_reaches_nothing():
    trained = [(0.1, 0.0), (0.76, 12.0), (0.78, 40.0), (0.77, 9.0)]
    assert energy_to_reach(trained, 0.75) == 9.0
    assert energy_to_reach(trained, 0.78) == 40.0
    assert energy_to_reach(trained, 0.9) == Undefined(UndefinedReason.NOT_REACHED)


@given(points, fractions, fractions)
def test_to_reach_more_never_takes_less(results, one, other):
    easier, harder = (energy_to_reach(results, accuracy) for accuracy in sorted((one, other)))
    if isinstance(easier, Undefined):
        assert isinstance(harder, Undefined)
    elif not isinstance(harder, Undefined):
        assert easier <= harder


@given(points, fractions, st.tuples(fractions, st.floats(0, 1e6)))
def test_another_result_never_makes_it_dearer(results, accuracy, more):
    before, after = (energy_to_reach(given, accuracy) for given in (results, [*results, more]))
    assert isinstance(before, Undefined) or after <= before


@pytest.mark.parametrize("point", [(76.3, 1), (0.5, -1), (0.5, float("nan"))])
def test_what_cannot_be_a_point_is_refused(point):
    with pytest.raises(ValueError, match=r"fraction|energy"):
        energy_to_reach([point], 0.5)


def test_the_accuracies_asked_for_are_what_two_half_and_all_of_the_labs_reached():
    found = shared_accuracies({"a": [0.9, 0.7], "b": [0.8], "c": [0.6], "d": [0.5, 0.1], "e": [0.3], "f": []})
    assert found == [0.8, 0.6, 0.3]
    assert shared_accuracies({"a": [0.9], "b": [0.8]}) == [0.8]
    assert shared_accuracies({"a": [0.9], "b": []}) == []


@given(labs)
def test_each_accuracy_asked_for_was_reached_by_two_labs_at_least_and_one_by_all(by_lab):
    asked = shared_accuracies(by_lab)
    bests = [max(given) for given in by_lab.values() if given]
    assert asked == sorted(set(asked), reverse=True)
    assert all(sum(best >= accuracy for best in bests) >= 2 for accuracy in asked)
    if len(bests) >= 2:
        assert sum(best >= asked[-1] for best in bests) == len(bests)
        assert sum(best > asked[0] for best in bests) < 2
