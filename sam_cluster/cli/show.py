"""Rows on stdout as a table for people, or as JSON or CSV for programs.

JSON is a list of objects with every key; CSV has the same keys without nested lists, each cell
defused against formulas; the table shows chosen columns with control characters made visible.
What sacct calls parsable2 is the CSV with `|` between the cells, and nothing quoted: a line is a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from sam_cluster.report.text import csv_cell, csv_text, shortened, visible

Format = Literal["table", "json", "csv", "parsable2"]
PARSABLE2: Format = "parsable2"
FORMATS: tuple[Format, ...] = ("table", "json", "csv")
Row = Mapping[str, Any]

MISSING = "-"
WIDEST = 40


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its heading, the row's key, how a value is written, and its side."""

    heading: str
    key: str
    text: Callable[[Any], str] = str
    right: bool = False
    widest: int = WIDEST

    def cell(self, row: Row) -> str:
        """The text of a row's cell; unknown is a dash."""
        value = row[self.key]
        return MISSING if value is None else shortened(self.text(value), self.widest)


def words(values: Sequence[object]) -> str:
    """A list as one text, for a column; a dash for an empty one."""
    return ",".join(str(value) for value in values) or MISSING


def show(
    rows: Sequence[Row],
    keys: Sequence[str],
    columns: Sequence[Column],
    how: Format,
    out: TextIO,
    *,
    has_header: bool = True,
) -> None:
    """Writes the rows. `keys` are those of a CSV, also where there are no rows; JSON has no header."""
    if how == "json":
        out.write(json_text(rows))
    elif how == "csv":
        out.write(csv_text(rows, keys, has_header=has_header))
    elif how == PARSABLE2:
        out.write(parsable2_text(rows, keys, has_header=has_header))
    else:
        out.write(table_text(rows, columns, has_header=has_header))


def json_text(content: object) -> str:
    """Indented JSON in ASCII, in which no character can act on a terminal, with a newline at its end."""
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def parsable2_text(rows: Sequence[Row], keys: Sequence[str], *, has_header: bool) -> str:
    """A line a row with `|` between the cells and none behind the last, as sacct's --parsable2. A text that
    holds a `|` or breaks lines has its code there."""
    cells = [[csv_cell(row[key]) for key in keys] for row in rows]
    lines = [list(keys), *cells] if has_header else cells
    return "".join("|".join(visible(cell).replace("|", "\\x7c") for cell in line) + "\n" for line in lines)


def table_text(rows: Sequence[Row], columns: Sequence[Column], *, has_header: bool = True) -> str:
    """The rows under headings, as wide as they need; the last column is not padded."""
    headings = [column.heading for column in columns]
    lines = [headings, *([column.cell(row) for column in columns] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    lines[:1] = [headings, ["-" * width for width in widths]] if has_header else []
    return "".join(
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )
