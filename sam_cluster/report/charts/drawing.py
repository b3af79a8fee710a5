"""From a drawing, which is marks in a frame of fixed size, to SVG.

Specifications are plain Vega dicts with every place in px: axes, keys and room for text are laid out here,
so that Vega-Lite would only take as long to compile them as Vega takes to draw them. Nothing depends on
the fonts of the machine that draws: the reader's are others, so that room for text is estimated in
`labels`, and the frame is laid out by it instead of by Vega.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .engine import svg_of
from .picture import Picture
from .svg import DECIMALS, cleaned

Row = Mapping[str, Any]
Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The width of a picture and of its letters, in px."""

    name: str
    width: int
    text: int

    @property
    def line(self) -> int:
        """The height of a line of text."""
        return self.text + 6

    @property
    def is_narrow(self) -> bool:
        """Whether it is for a phone."""
        return self.width < 500


WIDE = Size(name="wide", width=720, text=12)
NARROW = Size(name="narrow", width=328, text=11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Layers on a plot of `width` × `height` px, with the margins around it that text lies in."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    layers: Sequence[Layer]

    def specification(self) -> dict[str, Any]:
        """The whole as Vega."""
        marks = self._marks()
        return {
            "$schema": "https://vega.github.io/schema/vega/v5.json",
            "autosize": "none",
            "width": self.width,
            "height": self.height,
            "padding": {"left": self.left, "right": self.right, "top": self.top, "bottom": self.bottom},
            "config": {"aria": False},
            "data": [{"name": str(n), "values": items} for n, (_, items) in enumerate(marks)],
            "marks": [
                {"type": mark, "from": {"data": str(n)}, "encode": {"enter": _properties(items)}}
                for n, (mark, items) in enumerate(marks)
            ],
        }

    def _marks(self) -> list[tuple[str, list[Item]]]:
        """The marks with their items. Layers of one kind that follow one another are one mark, for a mark
        takes as long as dozens of items; but a line is a mark."""
        marks: list[tuple[str, list[Item]]] = []
        for each in self.layers:
            if items := each.items(self.width, self.height):
                if marks and marks[-1][0] == each.mark and each.mark not in ("line", "area"):
                    marks[-1][1].extend(items)
                else:
                    marks.append((each.mark, items))
        return marks


@dataclass(frozen=True, slots=True)
class Channel:
    """Which field of its row states a property of a mark; of a value on an axis, where it lies in px."""

    field: str
    place: Callable[[float], float] | None = None

    def of(self, row: Row) -> Any:
        """What Vega is told."""
        value = row[self.field]
        return value if self.place is None else round(self.place(value), DECIMALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One kind of mark with its data, and looks that all of it has."""

    mark: str  # as Vega calls it
    rows: Sequence[Row]
    encoding: Mapping[str, Channel]
    looks: Mapping[str, object]

    def items(self, width: float, height: float) -> list[Item]:
        """The properties of each item, in a plot of some px; a rule that has no place in one direction
        reaches over it. Text reaches Vega as data only, never in an expression."""
        whole = {"x": 0, "x2": width, "y": 0, "y2": height} if self.mark == "rule" else {}
        ends = {name: end for name, end in whole.items() if name[0] not in self.encoding}
        return [
            {**self.looks, **ends, **{name: channel.of(row) for name, channel in self.encoding.items()}}
            for row in self.rows
        ]


def _properties(items: Sequence[Item]) -> dict[str, Any]:
    return {name: {"field": name} for name in sorted({name for item in items for name in item})}


def layer(mark: str, rows: Sequence[Row], encoding: Mapping[str, Channel], **looks: object) -> Layer:
    """One kind of mark."""
    return Layer(mark=mark, rows=rows, encoding=encoding, looks=looks)


def given(field: str) -> Channel:
    """What the rows state themselves: px from the plot's upper left corner, a colour, a shape."""
    return Channel(field)


def picture(draw: Callable[[Size], Drawing], *, title: str, description: str) -> Picture:
    """Both drawings of a picture."""
    wide, narrow = (
        cleaned(svg_of(draw(size).specification()), title=title, font_size=size.text)
        for size in (WIDE, NARROW)
    )
    return Picture(title=title, description=description, wide=wide, narrow=narrow)
