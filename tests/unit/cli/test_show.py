"""Rows as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.cli.show import Column, Format, show

COLUMNS = (Column("Name", "name"), Column("kWh", "kwh", "{:.1f}".format, right=True), Column("Note", "note"))
KEYS = ("name", "kwh", "note")


def shown(rows: list[dict[str, object]], how: Format) -> str:
    out = io.StringIO()
    show(rows, KEYS, COLUMNS, how, out)
    return out.getvalue()


def test_a_table_lines_up_and_shows_the_unknown_as_a_dash() -> None:
    rows = [{"name": "a", "kwh": 12.34, "note": None}, {"name": "longer", "kwh": None, "note": "x"}]
    assert shown(rows, "table").splitlines() == [
        "Name     kWh  Note",
        "------  ----  ----",
        "a       12.3  -",
        "longer     -  x",
    ]


def test_json_is_a_list_of_objects_and_the_unknown_null() -> None:
    rows: list[dict[str, object]] = [{"name": "é\x1b", "kwh": None, "note": ["a"]}]
    text = shown(rows, "json")
    assert json.loads(text) == rows
    assert text.isascii()
    assert shown([], "json") == "[]\n"


def test_csv_has_its_header_also_without_rows() -> None:
    assert shown([], "csv") == "name,kwh,note\r\n"


@given(st.text(st.characters(codec=None), max_size=60))
def test_whatever_a_text_holds_a_row_is_one_line_and_moves_no_terminal(text: str) -> None:
    lines = shown([{"name": text, "kwh": 1.0, "note": "end"}], "table").split("\n")
    assert len(lines) == 4
    assert all(ord(c) >= 0x20 and not 0x7F <= ord(c) < 0xA0 for line in lines for c in line)
    assert "\u202e" not in lines[2]


@given(
    st.lists(
        st.text(st.one_of(st.characters(codec=None), st.sampled_from("|\n\r\\\"'")), max_size=20), max_size=3
    )
)
@settings(deadline=None)
def test_whatever_texts_hold_parsable2_is_a_line_a_row_of_as_many_fields(texts: list[str]) -> None:
    lines = shown([{"name": text, "kwh": 1.5, "note": text} for text in texts], "parsable2").split("\n")
    assert (lines[0], lines[-1]) == ("name|kwh|note", "")
    assert len(lines) == len(texts) + 2
    for text, line in zip(texts, lines[1:-1], strict=True):
        name, energy, note = line.split("|")
        assert (name, energy) == (note, "1.5")
        assert line.splitlines() == [line]  # no other character breaks it either
        if text.isalnum() and text.isprintable():
            assert name == text


def test_without_a_header_there_are_the_rows_alone() -> None:
    def bare(rows: list[dict[str, object]], how: Format) -> str:
        out = io.StringIO()
        show(rows, KEYS, COLUMNS, how, out, has_header=False)
        return out.getvalue()

    rows: list[dict[str, object]] = [{"name": "a", "kwh": 12.34, "note": None}]
    assert [bare(rows, how) for how in ("table", "csv", "parsable2")] == [
        "a     12.3  -\n", "a,12.34,\r\n", "a|12.34|\n"
    ]  # fmt: skip
    assert [bare([], how) for how in ("table", "csv", "parsable2")] == ["", "", ""]
    assert bare(rows, "json") == shown(rows, "json")


@given(st.text(st.characters(codec=None), max_size=60))
def test_whatever_a_text_holds_json_gives_it_back_and_csv_runs_nothing(text: str) -> None:
    rows: list[dict[str, object]] = [{"name": text, "kwh": 1.0, "note": None}]
    assert json.loads(shown(rows, "json"))[0]["name"] == text
    cell = list(csv.reader(io.StringIO(shown(rows, "csv"), newline="")))[1][0]
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
