"""How evenly a total is shared: Lorenz curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from .. import numbers
from ..text import shortened
from .axes import Axis, Tick, grid, placed_layers, ticks_below, ticks_left, ticks_width, written
from .drawing import Drawing, Size, layer, picture
from .key import Entry, key, key_height, symbol_layer
from .labels import Box, Wanted, fitted, place, text_width
from .palette import PAPER, SERIES, SOFT
from .picture import Picture

LABEL = 40  # characters
DASHES: tuple[list[int], ...] = ([], [7, 3], [2, 2])
SHAPES = ("circle", "diamond", "square")
PARTS: tuple[Tick, ...] = ((0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %"))
SAMPLES = 60  # points of each line that labels keep clear of


@dataclass(frozen=True, slots=True, kw_only=True)
class LorenzCurve:
    """Corners from (0, 0) to (1, 1) as `metrics.lorenz` gives them, and Gini where it is defined."""

    label: str  # what is shared, such as "energy"
    corners: Sequence[tuple[float, float]]
    gini: float | None


def lorenz_curves(curves: Sequence[LorenzCurve], *, among: str) -> Picture | None:
    """Up to three curves with the diagonal of equality; `among` says who shares, such as "40 labs"."""
    drawn = [curve for curve in curves if len(curve.corners) > 1][: len(SHAPES)]
    if not drawn:
        return None
    return picture(
        lambda size: _drawing(drawn, among, size),
        title=f"How evenly it is shared among {shortened(among, LABEL)}",
        description=_description(drawn, among),
    )


def height_at(corners: Sequence[tuple[float, float]], part: float) -> float:
    """The part of the total that the `part` who used least per weight used, between corners by a line."""
    for (x, y), (further, above) in pairwise(corners):
        if part <= further and further > x:
            return y + (above - y) * (part - x) / (further - x)
    return 1.0


def _drawing(curves: Sequence[LorenzCurve], among: str, size: Size) -> Drawing:
    left, right, side = ticks_width(PARTS, size), 24.0, 340.0
    entries = [
        Entry(text="all the same", shape="line", stroke=SOFT, dash=[4, 4]),
        *(
            Entry(
                text=_text(curve, size.width * 0.8, size.text), shape="line", stroke=SERIES[n], dash=DASHES[n]
            )
            for n, curve in enumerate(curves)
        ),
    ]
    top = key_height(entries, size) + size.line + 8
    width = min(side * 1.35, size.width - left - right)
    height = min(side, width)
    x = Axis(low=0.0, high=1.0, length=width)
    y = Axis(low=0.0, high=1.0, length=height, is_vertical=True)
    values = [value for value, _ in PARTS]
    anchors = _anchors(curves)
    placed = place(
        [
            Wanted(text=shortened(curve.label, 24), x=x.pixel(at), y=y.pixel(up), radius=5)
            for curve, (at, up) in zip(curves, anchors, strict=True)
        ],
        _lines(curves, x, y), Box(0, 0, width, height), size.text,
    )  # fmt: skip
    markers: list[dict[str, object]] = [
        {"x": at, "y": up, "shape": SHAPES[n], "fill": SERIES[n], "stroke": PAPER, "area": 90, "opacity": 1}
        for n, (at, up) in enumerate(anchors)
    ]
    below = f"part of {shortened(among, LABEL)}, least users first"
    return Drawing(
        width=width, height=height, left=left, right=size.width - left - width, top=top,
        bottom=2 * size.line + 10,
        layers=[
            *key(entries, size, left=left, top=top),
            written([{"x": 6 - left, "y": -size.line, "text": "part of what was used"}], size, colour=SOFT),
            grid(x, values), grid(y, values),
            layer("line", [{"x": v, "y": v} for v in (0, 1)], {"x": x.at("x"), "y": y.at("y")},
                  stroke=SOFT, strokeDash=[4, 4], strokeWidth=1.5),
            *(
                layer("line", [{"x": a, "y": b} for a, b in curve.corners], {"x": x.at("x"), "y": y.at("y")},
                      stroke=SERIES[n], strokeDash=DASHES[n], strokeWidth=2.5)
                for n, curve in enumerate(curves)
            ),
            symbol_layer(markers, x=x.at("x"), y=y.at("y")),
            *placed_layers(placed, size),
            ticks_left(y, PARTS, size), ticks_below(x, PARTS, height + 14, size, left=left, right=right),
            written([{"x": width / 2, "y": height + 14 + size.line, "text": fitted(below, width, size.text)}],
                    size, align="center", colour=SOFT),
        ],
    )  # fmt: skip


def _anchors(curves: Sequence[LorenzCurve]) -> list[tuple[float, float]]:
    """Where each curve is named: at different places, so that close curves are told apart."""
    return [(at, height_at(curve.corners, at)) for curve, at in zip(curves, (0.62, 0.8, 0.42), strict=False)]


def _lines(curves: Sequence[LorenzCurve], x: Axis, y: Axis) -> list[Box]:
    """Small boxes along every curve and the diagonal."""
    parts = [n / SAMPLES for n in range(SAMPLES + 1)]
    points = [(p, p) for p in parts] + [(p, height_at(c.corners, p)) for c in curves for p in parts]
    return [Box(x.pixel(a) - 2, y.pixel(b) - 2, x.pixel(a) + 2, y.pixel(b) + 2) for a, b in points]


def _text(curve: LorenzCurve, room: float = inf, size: float = 1.0) -> str:
    """A curve's label, cut to some px, and its index."""
    label = fitted(curve.label, room - text_width(" (Gini 0.00)", size), size, LABEL)
    return label if curve.gini is None else f"{label} (Gini {curve.gini:.2f})"


def _description(curves: Sequence[LorenzCurve], among: str) -> str:
    parts = [
        f"{_text(curve)}: the half that used least used {numbers.percent(height_at(curve.corners, 0.5))}"
        for curve in curves
    ]
    return f"Among {shortened(among, LABEL)}: " + "; ".join(parts) + "."
