"""User text made safe to show: whatever a person can name a job, a task or a model is hostile.

A terminal obeys control characters, a reader's eye obeys bidirectional overrides, and a spreadsheet
runs a cell that begins like a formula. Escaping for HTML is the template engine's.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

SHORT = 80

#: Cc control, Cf format (bidirectional overrides, zero-width), Cs lone surrogate, Co private,
#: Cn unassigned, Zl and Zp line and paragraph separators.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

#: What makes a spreadsheet take a cell for a formula, also where it trims blanks in front.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(text: str) -> str:
    r"""The text with each character that has no shape of its own written as its code, such as `\x1b`."""
    return "".join(_code(c) if unicodedata.category(c) in HIDDEN else c for c in text)


def _code(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def shortened(text: str, length: int = SHORT) -> str:
    """The visible text, cut to a length with an ellipsis as its last character where it is longer."""
    shown = visible(text[: length + 1])
    return shown if len(text) <= length and len(shown) <= length else shown[: length - 1] + "…"


def csv_cell(value: object) -> str:
    """A value as the text of a CSV cell that no spreadsheet runs; None is an empty cell.

    Text that begins like a formula gets an apostrophe in front, which spreadsheets take for "text".
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return csv_cell(" ".join(str(item) for item in value))
    # A terminal obeys control characters here too, and lone surrogates are in no encoding; the rest is kept.
    text = str(value)
    if not text.isprintable():
        text = "".join(_code(c) if c not in "\t\r\n" and _is_unfit_for_csv(c) else c for c in text)
    return "'" + text if text.lstrip(" ").startswith(FORMULA) else text


def _is_unfit_for_csv(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, has_header: bool = True) -> str:
    """The rows as CSV, mostly with a header line; lines end in CR LF, as RFC 4180 has it."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    if has_header:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(row[column]) for column in columns])
    return sink.getvalue()
