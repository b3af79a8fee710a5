"""Where the energy went, as one bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from ...core.units import kwh_from_millijoules
from .. import numbers
from .axes import Axis, written
from .drawing import Drawing, Row, Size, given, layer, picture
from .key import SWATCH, Entry, key, key_height
from .labels import fitted, spread, text_width
from .palette import PAPER, SERIES, SOFT
from .picture import Picture

BAR = 34.0  # px
LABEL = 40  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPart:
    """A part of the whole: useful, failed, cancelled, held idle and the like."""

    label: str
    energy_millijoules: int


def where_it_went(parts: Sequence[EnergyPart]) -> Picture | None:
    """The parts in the order given, as one stacked bar; each bears a number that the key repeats, so that
    no colour need be told from another. None where they add up to nothing."""
    drawn = [part for part in parts if part.energy_millijoules > 0]
    if not drawn:
        return None
    return picture(
        lambda size: _drawing(drawn, size),
        title="Where the energy went",
        description=f"{numbers.energy(_whole(drawn))} in all: "
        + "; ".join(_text(p, drawn) for p in drawn)
        + ".",
    )


def _whole(parts: Sequence[EnergyPart]) -> int:
    return sum(part.energy_millijoules for part in parts)


def _text(part: EnergyPart, parts: Sequence[EnergyPart], room: float = inf, size: float = 1.0) -> str:
    """What is said of a part, its label cut so that the whole fits into some px."""
    share = numbers.percent(part.energy_millijoules / _whole(parts))
    figures = f" {numbers.energy(part.energy_millijoules)} ({share})"
    return fitted(part.label, room - text_width(figures, size), size, LABEL) + figures


def _colour(number: int) -> str:
    colours = (*SERIES, SOFT)
    return colours[number % len(colours)]


def _drawing(parts: Sequence[EnergyPart], size: Size) -> Drawing:
    room = size.width - SWATCH - text_width("88 ", size.text)
    entries = [
        Entry(
            text=f"{number} {_text(part, parts, room, size.text)}",
            shape="square",
            fill=_colour(number - 1),
            area=140,
        )
        for number, part in enumerate(parts, 1)
    ]
    whole = kwh_from_millijoules(_whole(parts))
    width = size.width - 2.0
    x = Axis(low=0.0, high=whole, length=width)
    ends = [0.0, *accumulate(kwh_from_millijoules(part.energy_millijoules) for part in parts)]
    ends[-1] = whole
    rows: list[Row] = [
        {"from": ends[n], "to": ends[n + 1], "y": 0, "bottom": BAR, "fill": _colour(n)}
        for n in range(len(parts))
    ]
    middles = [x.pixel((ends[n] + ends[n + 1]) / 2) for n in range(len(parts))]
    half = text_width("88", size.text) / 2
    places = spread(middles, 2 * half + 4, half, width - half)
    numbered: list[Row] = [{"x": at, "y": -size.line, "text": str(n)} for n, at in enumerate(places, 1)]
    leaders: list[Row] = [
        {"x": at, "y": -size.line + 9, "to": middle, "bottom": 0}
        for at, middle in zip(places, middles, strict=True)
    ]
    top = key_height(entries, size) + size.line + 14
    return Drawing(
        width=width, height=BAR, left=1, right=1, top=top, bottom=2,
        layers=[
            *key(entries, size, left=1, top=top),
            layer(
                "rule", leaders,
                {"x": given("x"), "y": given("y"), "x2": given("to"), "y2": given("bottom")},
                stroke=SOFT, strokeWidth=1,
            ),
            layer(
                "rect", rows,
                {"x": x.at("from"), "x2": x.at("to"), "y": given("y"), "y2": given("bottom"),
                 "fill": given("fill")},
                stroke=PAPER, strokeWidth=1,
            ),
            written(numbered, size, align="center"),
        ],
    )  # fmt: skip
