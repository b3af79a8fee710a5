"""SAM: the vectors of the formula, where it is undefined, and the laws it keeps where it is not."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sam_cluster.core.config_keys import ELECTRICITY_UNITS
from sam_cluster.metrics import (
    UNITS_PER_KWH,
    Undefined,
    UndefinedReason,
    sam,
    sam_log1p,
    sam_of_measurement,
    sam_range,
)

# Made from the formula with alpha = beta = 5 and kWh: they say nothing of anybody's published scores.
VECTORS = [
    (0.80, 2, "5.4426"), (0.80, 5, "2.3440"), (0.80, 10, "1.6384"), (0.80, 100, "0.8192"),
    (0.80, 1000, "0.5461"), (0.80, 1.01, "379.14"),
    (0.75, 2, "3.9415"), (0.75, 5, "1.6975"), (0.75, 10, "1.1865"), (0.75, 100, "0.5933"),
    (0.75, 1000, "0.3955"),
    (0.35, 1.01, "6.08"), (0.90, 10, "2.95"),
]  # fmt: skip

accuracies = st.floats(0.01, 1.0)
energies_above_one_kwh = st.floats(1.001, 1e9)
units = st.sampled_from(list(UNITS_PER_KWH))


@pytest.mark.parametrize(("accuracy", "energy_kwh", "expected"), VECTORS)
def test_the_formula_gives_the_vectors_to_their_last_digit(accuracy, energy_kwh, expected):
    decimals = len(expected.partition(".")[2])
    assert f"{sam(accuracy, energy_kwh):.{decimals}f}" == expected


@pytest.mark.parametrize("accuracy", [0.8, 0.75])
@pytest.mark.parametrize("energy_kwh", [1, 0.99, 0.5, 0.1, 0.0])
def test_at_or_below_one_unit_there_is_no_score(accuracy, energy_kwh):
    assert sam(accuracy, energy_kwh) == Undefined(UndefinedReason.ENERGY_AT_OR_BELOW_ONE_UNIT)


@pytest.mark.parametrize(
    ("unit", "a", "b"), [("kWh", 2.79, 1.26), ("Wh", 0.255, 0.381)], ids=["A leads", "B leads"]
)
def test_the_unit_decides_which_of_two_results_leads(unit, a, b):
    assert sam(0.70, 2, unit=unit) == pytest.approx(a, abs=6e-3)
    assert sam(0.80, 20, unit=unit) == pytest.approx(b, abs=6e-4 if unit == "Wh" else 6e-3)


@pytest.mark.parametrize(("unit", "units"), [("kWh", 10), ("Wh", 10_000), ("MJ", 36), ("J", 36_000_000)])
def test_electricity_is_converted_before_the_logarithm(unit, units):
    assert sam(0.8, 10, unit=unit) == pytest.approx(1.6384 / math.log10(units))


def test_the_configuration_takes_the_units_that_the_metric_knows():
    assert tuple(UNITS_PER_KWH) == ELECTRICITY_UNITS


@pytest.mark.parametrize(("energy_kwh", "rise"), [(2, 0.34), (10, 0.15), (100, 0.084), (1000, 0.059)])
def test_ten_times_the_energy_is_offset_by_so_much_more_accuracy(energy_kwh, rise):
    dearer = sam(0.6 * (1 + rise), energy_kwh * 10)
    assert dearer == pytest.approx(sam(0.6, energy_kwh), rel=0.02)


@given(accuracies, energies_above_one_kwh, st.floats(0.5, 8), st.floats(0.1, 100), units)
def test_the_score_is_positive_and_beta_only_scales_it(accuracy, energy, alpha, beta, unit):
    assume(energy * UNITS_PER_KWH[unit] > 1.001)
    score = sam(accuracy, energy, alpha=alpha, beta=beta, unit=unit)
    assert score > 0
    assert score == pytest.approx(beta * sam(accuracy, energy, alpha=alpha, beta=1.0, unit=unit))


@given(accuracies, accuracies, energies_above_one_kwh, st.floats(0.5, 8))
def test_a_better_accuracy_scores_better_at_the_same_energy(worse, better, energy, alpha):
    worse, better = sorted((worse, better))
    assume(better > worse * (1 + 1e-9))
    assert sam(better, energy, alpha=alpha) > sam(worse, energy, alpha=alpha)


@given(accuracies, energies_above_one_kwh, energies_above_one_kwh)
def test_less_energy_scores_better_at_the_same_accuracy(accuracy, less, more):
    less, more = sorted((less, more))
    assume(more > less * (1 + 1e-9))
    assert sam(accuracy, less) > sam(accuracy, more)


def test_what_is_unknown_gives_its_reason_and_never_a_number():
    assert sam(None, 10) == Undefined(UndefinedReason.ACCURACY_UNKNOWN)
    assert sam(0.8, None) == Undefined(UndefinedReason.ENERGY_UNKNOWN)


@pytest.mark.parametrize(
    "arguments",
    [
        {"accuracy": 76.3}, {"accuracy": -0.1}, {"accuracy": math.nan}, {"accuracy": math.inf},
        {"energy_kwh": -1}, {"energy_kwh": math.nan}, {"energy_kwh": math.inf},
        {"alpha": 0}, {"alpha": math.nan}, {"beta": -1}, {"beta": math.inf}, {"unit": "kwh"},
        {"accuracy": 76.3, "energy_kwh": None}, {"accuracy": None, "energy_kwh": -1},
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_an_argument_is_refused_by_name(arguments):
    (name, value), *_ = arguments.items()
    culprit = "energy_kwh" if value is None else name.replace("accuracy", "an accuracy")
    with pytest.raises(ValueError, match=culprit):
        sam(**{"accuracy": 0.8, "energy_kwh": 10, **arguments})


def test_other_kinds_of_number_are_taken():
    assert sam(np.float64(0.8), np.int32(10)) == sam(Decimal("0.8"), 10) == sam(0.8, 10.0)


def test_a_lower_bound_of_energy_gives_only_an_upper_bound_of_the_score():
    assert sam_of_measurement(0.8, 10, is_lower_bound=True) == Undefined(
        UndefinedReason.LOWER_BOUND, at_most=sam(0.8, 10)
    )
    assert sam_of_measurement(0.8, 0.5, is_lower_bound=True) == Undefined(UndefinedReason.LOWER_BOUND)


@given(accuracies, st.floats(1.01, 1e6), st.floats(0, 1), st.floats(0, 10), st.floats(-1, 1))
@example(0.8, 2.0, 0.5, 0.0, -1.0)
def test_no_energy_that_a_lower_bound_allows_scores_above_the_bound_given(accuracy, known, off, missing, at):
    bound = sam_of_measurement(accuracy, known, uncertainty_kwh=off, is_lower_bound=True)
    true_score = sam(accuracy, known + at * off + missing)
    if bound.at_most is not None:
        assert true_score <= bound.at_most * (1 + 1e-9)
    else:
        assert known - off <= 1


@given(accuracies, st.floats(0, 3), st.floats(1e-6, 1))
def test_only_an_interval_that_touches_one_unit_is_near_the_pole(accuracy, energy, off):
    score = sam_of_measurement(accuracy, energy, uncertainty_kwh=off)
    if energy - off <= 1 <= energy + off:
        assert score == Undefined(UndefinedReason.NEAR_POLE)
    else:
        assert score == sam(accuracy, energy)


@given(accuracies, st.floats(0, 3), st.floats(0, 1))
def test_a_score_that_is_given_holds_for_every_energy_of_the_interval_on_one_side_of_the_pole(
    accuracy, energy, off
):
    score = sam_of_measurement(accuracy, energy, uncertainty_kwh=off)
    ends = [sam(accuracy, max(0.0, energy - off)), sam(accuracy, energy + off)]
    if isinstance(score, Undefined):
        assert any(isinstance(end, Undefined) for end in ends)
    else:
        assert ends[1] <= score <= ends[0]


@given(accuracies, st.floats(0, 3), st.floats(0, 1), st.floats(-1, 1))
def test_the_range_of_a_score_has_that_of_every_energy_within_its_uncertainty(accuracy, energy, off, part):
    found = sam_range(accuracy, energy, off)
    if found is None:
        assert isinstance(sam_of_measurement(accuracy, energy, uncertainty_kwh=off), Undefined)
    else:
        assert found[0] <= sam(accuracy, energy + part * off) <= found[1]


@pytest.mark.parametrize(("accuracy", "energy_kwh", "expected"), [(0.7, 2, 1.76), (0.8, 20, 1.24)])
def test_the_smooth_variant_gives_its_vectors(accuracy, energy_kwh, expected):
    assert sam_log1p(accuracy, energy_kwh) == pytest.approx(expected, abs=6e-3)


@given(st.floats(0, 1), st.floats(1e-9, 1e9), st.floats(0.5, 8), st.floats(0.1, 100), units)
def test_the_smooth_variant_is_its_formula(accuracy, energy, alpha, beta, unit):
    expected = beta * accuracy**alpha / math.log10(1 + energy * UNITS_PER_KWH[unit])
    found = sam_log1p(accuracy, energy, alpha=alpha, beta=beta, unit=unit)
    assert found == pytest.approx(expected, rel=1e-6)


@given(accuracies, st.floats(1e-9, 1e9), st.floats(1.001, 10))
def test_the_smooth_variant_has_a_value_above_zero_and_falls_with_every_joule(accuracy, energy, times):
    assert sam_log1p(accuracy, energy) > sam_log1p(accuracy, energy * times) > 0


@given(accuracies, energies_above_one_kwh)
def test_the_smooth_variant_is_another_metric_than_sam(accuracy, energy):
    assert sam_log1p(accuracy, energy) < sam(accuracy, energy)
    assert isinstance(sam(accuracy, 1 / energy), Undefined)


@pytest.mark.parametrize("energy_kwh", [0, 0.0, 5e-324])
def test_the_smooth_variant_is_undefined_where_there_is_no_electricity(energy_kwh):
    assert sam_log1p(0.8, energy_kwh) == Undefined(UndefinedReason.ENERGY_ZERO)


def test_the_smooth_variant_too_gives_the_reason_for_what_is_unknown_and_refuses_what_cannot_be():
    assert sam_log1p(None, 0) == Undefined(UndefinedReason.ACCURACY_UNKNOWN)
    assert sam_log1p(0.8, None) == Undefined(UndefinedReason.ENERGY_UNKNOWN)
    for arguments in ({"accuracy": 76.3}, {"energy_kwh": -1}, {"alpha": 0}, {"beta": -1}, {"unit": "kwh"}):
        with pytest.raises(ValueError):
            sam_log1p(**{"accuracy": 0.8, "energy_kwh": 10, **arguments})
