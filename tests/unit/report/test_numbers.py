"""The rules by which numbers are shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.report import numbers

POSITIVE = st.floats(min_value=5e-324, max_value=1e18)


def read_back(text: str) -> float:
    return float(re.sub(r"[^0-9.eE]", "", text))


@given(POSITIVE)
def test_what_is_not_zero_is_never_shown_as_zero(value: float) -> None:
    assert read_back(numbers.number(value)) > 0


@given(st.floats(min_value=0.001, max_value=1e15))
def test_a_number_is_shown_to_half_a_percent_or_better(value: float) -> None:
    assert read_back(numbers.number(value)) == pytest.approx(value, rel=0.005)


@given(st.lists(st.floats(min_value=0, max_value=1e15), min_size=2, max_size=2).map(sorted))
def test_a_larger_number_is_never_shown_as_a_smaller_one(pair: list[float]) -> None:
    small, large = (0.0 if n == 0 else max(n, 0.001) for n in pair)
    assert read_back(numbers.number(small)) <= read_back(numbers.number(large))


@given(st.floats(min_value=0, max_value=1))
def test_a_share_is_nothing_or_the_whole_only_where_it_is(part: float) -> None:
    assert (numbers.percent(part) == "0 %") == (part == 0)
    assert (numbers.percent(part) == "100 %") == (part == 1)
    assert (numbers.accuracy(part) == "0 %") == (part == 0)
    assert (numbers.accuracy(part) == "100 %") == (part == 1)


@given(st.integers(min_value=1, max_value=10**18))
def test_an_energy_of_a_millijoule_or_more_is_shown_in_a_unit_in_which_it_is_not_zero(energy: int) -> None:
    assert read_back(numbers.energy(energy)) > 0
    assert read_back(numbers.kwh(energy)) > 0


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.number(0), "0"),
        (numbers.number(0.0004), "< 0.001"),
        (numbers.number(0.0123456), "0.0123"),
        (numbers.number(1.23456), "1.23"),
        (numbers.number(123.456), "123"),
        (numbers.number(1234567.8), "1,234,568"),
        (numbers.number(-1.5), "−1.50"),
        (numbers.kwh(3_600_000_000), "1.00"),
        (numbers.joules(1), "0.00100"),
        (numbers.energy(0), "0 kWh"),
        (numbers.energy(1), "0.00100 J"),
        (numbers.energy(3_600_000), "1.00 Wh"),
        (numbers.energy(43_200_000_000), "12.0 kWh"),
        (numbers.gpu_hours(5_400_000_000), "1.50"),
        (numbers.percent(0.4567), "45.7 %"),
        (numbers.percent(0.0001), "< 0.1 %"),
        (numbers.percent(0.99999), "> 99.9 %"),
        (numbers.accuracy(0.763), "76.30 %"),
        (numbers.change_percent(0.081), "+8.10 %"),
        (numbers.change_percent(-0.3), "−30.0 %"),
        (numbers.change_percent(-0.000001), "> −0.001 %"),
        (numbers.change_percent(11.0), "12.0-fold"),
        (numbers.points(-0.021), "2.10 points"),
        (numbers.grams(980.0), "980 g"),
        (numbers.grams(12_300.0), "12.3 kg"),
    ],
)
def test_numbers_are_shown_with_three_figures_and_their_unit(shown: str, expected: str) -> None:
    assert shown == expected


def test_what_is_unknown_is_called_unknown() -> None:
    functions = (
        numbers.number, numbers.count, numbers.kwh, numbers.joules, numbers.energy, numbers.gpu_hours,
        numbers.percent, numbers.points, numbers.accuracy, numbers.grams,
    )  # fmt: skip
    assert {function(None) for function in functions} == {"unknown"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        numbers.number(value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="share"):
        numbers.percent(value)
