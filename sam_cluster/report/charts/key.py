"""The key of a picture: what its marks mean, in lines above the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axes import written
from .drawing import Channel, Layer, Size, given, layer
from .labels import text_width

SWATCH = 22  # px, with the gap to its text
GAP = 18
TICK = "M0,-1V1"  # a short upright line: a shape that Vega has no name for


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A mark as it looks in the picture, and what it means."""

    text: str
    shape: str  # a shape of Vega's; "line" for a line, "" where the text is the mark itself
    fill: str | None = None
    stroke: str | None = None
    dash: Sequence[int] = ()
    area: float = 80.0  # px²
    opacity: float = 1.0

    @property
    def indent(self) -> float:
        """Px from the entry's left end to its text."""
        return SWATCH if self.shape else 0.0


def key_lines(entries: Sequence[Entry], size: Size) -> list[list[tuple[Entry, float]]]:
    """The entries with their left ends in px, broken into lines that fit the picture's width."""
    lines: list[list[tuple[Entry, float]]] = [[]]
    x = 0.0
    for entry in entries:
        width = entry.indent + text_width(entry.text, size.text)
        if lines[-1] and x + width > size.width:
            lines.append([])
            x = 0.0
        lines[-1].append((entry, x))
        x += width + GAP
    return lines


def key_height(entries: Sequence[Entry], size: Size) -> float:
    """The room that the key takes above a plot, in px."""
    return len(key_lines(entries, size)) * (size.line + 2) + 6


def key(entries: Sequence[Entry], size: Size, *, left: float, top: float) -> list[Layer]:
    """The key, in a picture with a left and a top margin in px."""
    placed = [
        (entry, x - left, (number + 0.5) * (size.line + 2) - top)
        for number, line in enumerate(key_lines(entries, size))
        for entry, x in line
    ]
    symbols = [
        {
            "x": x + 8, "y": y, "shape": entry.shape, "fill": entry.fill or "transparent",
            "stroke": entry.stroke or "transparent", "area": entry.area, "opacity": entry.opacity,
        }
        for entry, x, y in placed if entry.shape not in ("line", "")
    ]  # fmt: skip
    lines = [
        layer(
            "rule", [{"x": x - 1, "y": y, "end": x + 17}],
            {"x": given("x"), "y": given("y"), "x2": given("end")},
            stroke=entry.stroke, strokeWidth=2, strokeDash=list(entry.dash), opacity=entry.opacity,
        )
        for entry, x, y in placed if entry.shape == "line"
    ]  # fmt: skip
    texts = [{"x": x + entry.indent, "y": y, "text": entry.text} for entry, x, y in placed]
    return [symbol_layer(symbols), *lines, written(texts, size)]


def symbol_layer(
    rows: Sequence[dict[str, object]],
    *,
    x: Channel | None = None,
    y: Channel | None = None,
) -> Layer:
    """Symbols whose shape, area (px²), fill, stroke and opacity their rows give."""
    return layer(
        "symbol", rows,
        {
            "x": x or given("x"), "y": y or given("y"), "shape": given("shape"), "size": given("area"),
            "fill": given("fill"), "stroke": given("stroke"), "opacity": given("opacity"),
        },
        strokeWidth=1.5,
    )  # fmt: skip
