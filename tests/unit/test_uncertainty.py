"""How sure a sum is: within a model of GPU errors add up, between models they may cancel, in part."""

from __future__ import annotations

from functools import reduce
from math import isclose
from operator import add

from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.core.uncertainty import Uncertainty, energy_by_model

MODELS = st.sampled_from(["A100", "H100", "V100"])
ENERGIES = st.integers(0, 10**15)
PARTS = st.builds(
    lambda model, energy, boundary: Uncertainty.of({model: energy}, boundary, {"V100": 0.01}),
    st.one_of(MODELS, st.none()),
    ENERGIES,
    st.integers(0, 10**9),
)


@given(st.lists(PARTS, min_size=1, max_size=6), st.randoms(use_true_random=False), st.integers(0, 5))
def test_a_sum_does_not_depend_on_order_or_on_how_it_is_cut(parts, random, cut) -> None:
    shuffled = random.sample(parts, len(parts))
    whole = reduce(add, parts)
    halves = [reduce(add, half, Uncertainty()) for half in (shuffled[:cut], shuffled[cut:])]
    assert whole == halves[0] + halves[1] == halves[1] + halves[0]


@given(st.lists(PARTS, min_size=1, max_size=6))
def test_a_sum_is_no_surer_than_its_least_sure_part_and_no_less_sure_than_all(parts) -> None:
    whole = reduce(add, parts).millijoules
    each = [part.millijoules for part in parts]
    assert max(each) <= whole <= sum(each)


@given(ENERGIES, ENERGIES)
def test_gpus_of_one_model_are_off_together(one, other) -> None:
    apart = (
        Uncertainty.of({"A100": one}, 0, {}).millijoules + Uncertainty.of({"A100": other}, 0, {}).millijoules
    )
    together = Uncertainty.of({"A100": one + other}, 0, {}).millijoules
    assert together == -(-(one + other) // 20)
    assert apart - 1 <= together <= apart


@given(ENERGIES, ENERGIES)
def test_of_two_models_the_errors_are_independent_and_of_an_unknown_one_they_are_not(one, other) -> None:
    known = Uncertainty.of({"A100": one, "H100": other}, 0, {}).millijoules
    assert isclose(known, (one**2 + other**2) ** 0.5 / 20, abs_tol=1.01, rel_tol=1e-12)
    unknown = Uncertainty.of({"A100": one, None: other}, 0, {}).millijoules
    assert unknown == -(-(one + other) // 20)


@given(ENERGIES, st.integers(0, 10**15))
def test_gain_and_boundaries_have_nothing_to_do_with_one_another(energy, boundary) -> None:
    both = Uncertainty.of({"A100": energy}, boundary, {}).millijoules
    assert isclose(both, ((energy / 20) ** 2 + boundary**2) ** 0.5, abs_tol=1.01, rel_tol=1e-12)


def test_a_calibrated_model_is_as_sure_as_the_site_says() -> None:
    calibration = {"A100": 0.02}
    assert Uncertainty.of({"A100": 1_000_000}, 0, calibration).millijoules == 20_000
    assert Uncertainty.of({"H100": 1_000_000}, 0, calibration).millijoules == 50_000
    assert Uncertainty.of({"A100": -1_000_000}, 0, calibration).millijoules == 20_000


def test_energies_without_a_figure_are_left_out_of_the_sums_by_model() -> None:
    rows = [
        {"gpu_model": "A100", "energy_millijoules": 3},
        {"gpu_model": "A100", "energy_millijoules": None},
        {"gpu_model": None, "energy_millijoules": 4},
        {"gpu_model": "A100", "energy_millijoules": 5},
    ]
    assert energy_by_model(rows) == {"A100": 8, None: 4}
