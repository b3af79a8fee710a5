"""The Pareto front of accuracy and energy, against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.metrics import pareto_front

points = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.integers(0, 6)), max_size=15)


def beats(one, other):
    return one[0] >= other[0] and one[1] <= other[1] and one != other


@given(points)
def test_the_front_is_what_no_other_point_beats(results):
    front = pareto_front([accuracy for accuracy, _ in results], [energy for _, energy in results])
    unbeaten = [i for i, point in enumerate(results) if not any(beats(other, point) for other in results)]
    assert sorted(front) == unbeaten
    assert [results[i][1] for i in front] == sorted(results[i][1] for i in front)


def test_a_front_of_real_shape_runs_from_the_frugal_to_the_accurate():
    assert pareto_front(np.array([0.72, 0.77, 0.75, 0.88]), np.array([0.6, 4.0, 9.0, 310.0])) == [0, 1, 3]


@pytest.mark.parametrize(
    ("accuracies", "energies", "complaint"),
    [
        ([0.5], [1, 2], "there are 1 accuracies, but 2 energies"),
        ([76.3], [1], "an accuracy is a fraction from 0 to 1, got 76.3"),
        ([0.5], [math.nan], r"energies_kwh\[0\] must be finite"),
    ],
)
def test_points_that_cannot_be_placed_are_refused(accuracies, energies, complaint):
    with pytest.raises(ValueError, match=complaint):
        pareto_front(accuracies, energies)
