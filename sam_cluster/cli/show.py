"""Rows on stdout as a table for people, or as JSON or CSV for programs.

JSON is a list of objects with every key; CSV has the same keys without nested lists, each cell
defused against formulas; the table shows chosen columns with control characters made visible.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from sam_cluster.report.text import csv_text, shortened

Format = Literal["table", "json", "csv"]
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
    rows: Sequence[Row], keys: Sequence[str], columns: Sequence[Column], how: Format, out: TextIO
) -> None:
    """Writes the rows. `keys` are those of a CSV, also where there are no rows."""
    if how == "json":
        out.write(json_text(rows))
    elif how == "csv":
        out.write(csv_text(rows, keys))
    else:
        out.write(table_text(rows, columns))


def json_text(content: object) -> str:
    """Indented JSON in ASCII, in which no character can act on a terminal, with a newline at its end."""
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def table_text(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """The rows under headings, as wide as they need; the last column is not padded."""
    lines = [
        [column.heading for column in columns],
        *([column.cell(row) for column in columns] for row in rows),
    ]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )
