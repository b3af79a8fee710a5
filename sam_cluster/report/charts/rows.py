"""What pictures with a line for each lab share: names at the left, values along the line."""

from __future__ import annotations

from collections.abc import Sequence

from .axes import Axis, Tick, grid, ticks_below, written
from .drawing import Drawing, Layer, Size, given, layer
from .key import Entry, key, key_height
from .labels import fitted, text_width
from .palette import LINE, SOFT

MOST_LABS = 40


def name_column(labels: Sequence[str], size: Size) -> float:
    """The room for the names, in px: as much as they take, and no more than a third of the picture."""
    shown = (fitted(label, size.width / 3, size.text) for label in labels)
    return max(text_width(text, size.text) for text in shown) + 12


def in_rows(
    labels: Sequence[str],
    marks: Sequence[Layer],
    *,
    x: Axis,
    ticks: Sequence[Tick],
    axis_name: str,
    entries: Sequence[Entry],
    left: float,
    right: float,
    size: Size,
) -> Drawing:
    """Names, a faint line under each, the values above and (where it is far) below, and the marks,
    which place the row n at y = (n + 0.5) * `row_height`."""
    row = row_height(size)
    height = row * len(labels)
    top = key_height(entries, size) + 2 * size.line + 4
    middles = [(n + 0.5) * row for n in range(len(labels))]
    names = [
        {"x": -8, "y": y, "text": fitted(label, left - 10, size.text)}
        for label, y in zip(labels, middles, strict=True)
    ]
    lines = [{"x": 0, "end": x.length, "y": y} for y in middles]
    is_long = len(labels) > 12
    return Drawing(
        width=x.length, height=height, left=left, right=right, top=top,
        bottom=size.line + 6 if is_long else 6,
        layers=[
            *key(entries, size, left=left, top=top),
            written([{"x": 0, "y": -2 * size.line + 6, "text": axis_name}], size, colour=SOFT),
            grid(x, [value for value, _ in ticks]),
            layer("rule", lines, {"x": given("x"), "x2": given("end"), "y": given("y")},
                  stroke=LINE, strokeWidth=1, strokeDash=[1, 3]),
            ticks_below(x, ticks, -10, size, left=left, right=right),
            *([ticks_below(x, ticks, height + 12, size, left=left, right=right)] if is_long else []),
            *marks,
            written(names, size, align="right"),
        ],
    )  # fmt: skip


def row_height(size: Size) -> float:
    """Px from one lab to the next."""
    return size.line + 4.0
