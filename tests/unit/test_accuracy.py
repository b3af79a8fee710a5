"""An accuracy as people write it."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.core.accuracy import accuracy_fraction, parse_accuracy, parse_fraction
from sam_cluster.core.errors import EXIT_USAGE, UsageError


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("0.763", 0.763), ("76.3%", 0.763), (" 76.3 % ", 0.763), ("1", 1.0), ("100%", 1.0), ("0", 0.0),
        (".5", 0.5), ("+0.5", 0.5), ("7.63e-01", 0.763), ("1%", 0.01), ("0.5%", 0.005), ("1.", 1.0),
    ],
)  # fmt: skip
def test_fractions_and_signed_percentages_are_taken(text, fraction):
    assert parse_accuracy(text) == fraction


@given(st.decimals(0, 1, places=6))
def test_a_percentage_is_the_very_same_float_as_its_fraction(fraction):
    assert parse_accuracy(f"{fraction * 100:f}%") == parse_accuracy(f"{fraction:f}") == float(fraction)


@given(st.floats(0, 1).filter(lambda value: value == 0 or value > 1e-90))
def test_every_fraction_survives_being_written_down(fraction):
    assert parse_accuracy(repr(fraction)) == fraction


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("76.3", "write 0.763 or 76.3% if that is what is meant"),
        ("1.5", "write 0.015 or 1.5%"),
        ("100", "write 1.00 or 100%"),
        ("100.1", "more than 100 %"),
        ("763", "more than 100 %"),
        ("100.0001%", "more than 100 %"),
        ("1e99", "more than 100 %"),
        ("-0.5", "is negative"),
        ("-3%", "is negative"),
        ("", "is empty"),
        ("  ", "is empty"),
    ],
)
def test_each_wrong_accuracy_is_told_what_to_write(text, advice):
    with pytest.raises(UsageError) as caught:
        parse_accuracy(text)
    assert advice in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-inf", "infinity", "nan%", "%", "76.3%%", "0,763", "1_0", "0x1", "٠.٥", "0.7 6", "best",
     "0." + "1" * 5000, "1e999999999", "1e-999999999%", "0.5\x00", "\x1b[31m0.5"],
)  # fmt: skip
def test_what_is_not_a_number_is_refused_in_a_short_printable_line(text):
    with pytest.raises(UsageError, match="is not a number; write a fraction") as caught:
        parse_accuracy(text)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@given(st.text(max_size=60))
def test_any_text_gives_a_fraction_or_a_usage_error(text):
    try:
        assert 0 <= parse_accuracy(text) <= 1
    except UsageError:
        assert not text.strip().removesuffix("%") or not _is_fraction(text.strip())


def _is_fraction(text):
    try:
        return text.isascii() and "_" not in text and 0 <= Decimal(text) <= 1
    except ArithmeticError:
        return False


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-9, 1.0000001, 76.3])
def test_a_number_outside_zero_to_one_is_no_fraction(value):
    with pytest.raises(ValueError, match="an accuracy is a fraction from 0 to 1"):
        accuracy_fraction(value)


def test_another_fraction_is_parsed_alike_and_called_by_its_name():
    assert parse_fraction("25%", "fraction of the data", example="0.25") == 0.25
    for text, told in {
        "": "the fraction of the data is empty; write a fraction such as 0.25, or 25%",
        "25": "fraction of the data 25 is above 1 and has no percent sign; write 0.25 or 25%",
        "half": "fraction of the data 'half' is not a number; write a fraction such as 0.25, or 25%",
    }.items():
        with pytest.raises(UsageError) as caught:
            parse_fraction(text, "fraction of the data", example="0.25")
        assert told in str(caught.value)
