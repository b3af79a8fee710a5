"""User text made safe to show."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.report.text import FORMULA, csv_cell, csv_text, shortened, visible

ANY_TEXT = st.text(st.characters(codec=None), max_size=50)


@given(ANY_TEXT)
def test_what_is_shown_holds_no_character_without_a_shape(text: str) -> None:
    assert visible(text).isprintable() or any(c.isspace() for c in visible(text))
    assert not set(visible(text)) & set("\x00\x07\x1b\r\n\t\x7f\x9b\u200b\u202e\u2066\u2028\ufeff\ud800")


@given(ANY_TEXT, st.integers(min_value=1, max_value=30))
def test_what_is_shortened_is_never_longer_than_asked(text: str, length: int) -> None:
    assert len(shortened(text, length)) <= length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train.sh", "train.sh"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines", "two\\x0alines"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("\U000e0041", "\\U000e0041"),
        ("Größe 猫", "Größe 猫"),
    ],
)
def test_control_and_direction_characters_are_shown_as_their_code(text: str, expected: str) -> None:
    assert visible(text) == expected


@given(ANY_TEXT)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not csv_cell(text).lstrip(" ").startswith(FORMULA)


@given(ANY_TEXT)
def test_a_cell_holds_no_character_that_acts_on_a_terminal(text: str) -> None:
    assert not set(csv_cell(text)) & {*map(chr, range(32)), "\x7f", "\x9b", "\ud800"} - set("\t\r\n")


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_left_a_number(value: float) -> None:
    assert type(value)(csv_cell(value)) == value


@given(st.lists(st.fixed_dictionaries({"a": ANY_TEXT, "b": ANY_TEXT}), max_size=5))
def test_csv_has_one_record_a_row_whatever_the_text(rows: list[dict[str, str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_text(rows, ("a", "b")), newline="")))
    assert read == [["a", "b"], *([csv_cell(row["a"]), csv_cell(row["b"])] for row in rows)]


def test_a_cell_of_nothing_is_empty_and_a_list_is_its_words() -> None:
    assert [csv_cell(value) for value in (None, True, False, [], ["no_end", "shared"])] == [
        "", "true", "false", "", "no_end shared",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1+2", "@SUM(A1)", "\tx", "\r=x", " =1", "＝1"])
def test_a_formula_is_defused_by_an_apostrophe(text: str) -> None:
    assert csv_cell(text) == "'" + text
