"""From a drawing, which is marks in a frame of fixed size, to SVG.

Specifications are plain Vega-Lite dicts: Altair only writes such dicts, at 17 MB more to install and
0.5 s more to import (vl-convert alone: 3 ms, and 0.9 s with the first picture). Nothing here depends on the
fonts of the machine that draws: the reader's are others, so that room for text is estimated in
`labels`, and the frame is laid out by it instead of by Vega.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .picture import Picture
from .svg import cleaned

#: Vega-Lite's own version, so that a newer vl-convert draws the same.
VEGA_LITE = "5.20"

Row = Mapping[str, object]
Channel = dict[str, Any]
Layer = dict[str, Any]


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
        """The whole as Vega-Lite."""
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "autosize": "none",
            "width": self.width,
            "height": self.height,
            "padding": {"left": self.left, "right": self.right, "top": self.top, "bottom": self.bottom},
            "background": None,
            "config": {"aria": False, "view": {"stroke": None}},
            "layer": [each for each in self.layers if each["data"]["values"]],
        }


def layer(mark: str, rows: Sequence[Row], encoding: Mapping[str, Channel], **looks: object) -> Layer:
    """One kind of mark, with its data inside. Text reaches Vega as data only, never in an expression."""
    return {
        "mark": {"type": mark, **looks},
        "data": {"values": [dict(row) for row in rows]},
        "encoding": dict(encoding),
    }


def pixel(field: str) -> Channel:
    """A position in px from the plot's upper left corner."""
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


def as_given(field: str) -> Channel:
    """A colour, shape, size or opacity that the rows state themselves."""
    return {"field": field, "type": "nominal", "scale": None}


def picture(draw: Callable[[Size], Drawing], *, title: str, description: str, prefix: str) -> Picture:
    """Both drawings of a picture."""
    wide, narrow = (
        cleaned(_svg(draw(size)), title=title, prefix=f"{prefix}-{size.name}") for size in (WIDE, NARROW)
    )
    return Picture(title=title, description=description, wide=wide, narrow=narrow)


def warm_up() -> None:
    """Start the drawing engine while something else is done: with the first picture it takes a while."""
    empty = Drawing(width=1, height=1, left=0, right=0, top=0, bottom=0, layers=())
    threading.Thread(target=_svg, args=(empty,), daemon=True).start()


def _svg(drawing: Drawing) -> str:
    import vl_convert  # 84 MB, and a JavaScript engine with the first call: only where something is drawn

    svg: str = vl_convert.vegalite_to_svg(drawing.specification(), vl_version=VEGA_LITE, allowed_base_urls=[])
    return svg
