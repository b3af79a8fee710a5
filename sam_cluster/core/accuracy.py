"""Accuracy and other fractions: inside the project from 0 to 1, converted here from what people write."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import SupportsFloat

from .errors import UsageError

# Digits only as people type them; two figures of exponent are all that a number near 1 can need.
NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<digits>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)")
MAX_LENGTH = 40


def accuracy_fraction(value: SupportsFloat) -> float:
    """The value as a fraction. Raises ValueError where it is not a number from 0 to 1."""
    number = float(value)
    if not 0.0 <= number <= 1.0:  # nan is not either
        raise ValueError(f"an accuracy is a fraction from 0 to 1, got {number:g}")
    return number


def parse_accuracy(text: str) -> float:
    """The fraction that `0.763` or `76.3%` stands for. Raises UsageError with what to write."""
    return parse_fraction(text, "accuracy", example="0.763")


def parse_fraction(text: str, name: str, *, example: str) -> float:
    """A fraction from 0 to 1, or a percentage with its sign.

    A number above 1 without a sign is refused, never guessed at. Raises UsageError that calls the number by
    its `name`, with what to write.
    """
    written = text.strip()
    number = written.removesuffix("%").rstrip()
    in_percent = number != written
    in_words = f"write a fraction such as {example}, or {Decimal(example).scaleb(2).normalize():f}%"
    if not written:
        raise UsageError(f"the {name} is empty; {in_words}")
    match = NUMBER.fullmatch(number) if len(number) <= MAX_LENGTH else None
    if match is None:
        raise UsageError(f"{name} {text[:MAX_LENGTH]!r} is not a number; {in_words}")
    if match["sign"] == "-":
        raise UsageError(f"{name} {written} is negative; write a fraction from 0 to 1, or 0% to 100%")
    value = Decimal(match["digits"])
    fraction = value.scaleb(-2) if in_percent else value
    if fraction <= 1:
        return float(fraction)
    if in_percent or value > 100:
        raise UsageError(f"{name} {written} is more than 100 %; write a fraction up to 1, or up to 100%")
    raise UsageError(
        f"{name} {written} is above 1 and has no percent sign; "
        f"write {value.scaleb(-2):f} or {value:f}% if that is what is meant"
    )
