"""The electricity of a longer run, foretold from shorter ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.units import MILLIJOULES_PER_KWH
from .. import numbers
from ..text import shortened
from .axes import Axis, energy_unit, grid, plain, round_steps, ticks_below, ticks_left, ticks_width, written
from .drawing import Drawing, Layer, Size, layer, picture
from .key import Entry, key, key_height, symbol_layer
from .labels import fitted as fit
from .labels import text_width
from .palette import PAPER, SERIES, SOFT
from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredPoint:
    """What a run of some length was metered at; `amount` is epochs, or a fraction of the data."""

    amount: float
    energy_millijoules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPoint:
    """The fitted line at one length, with the interval of prediction around it."""

    amount: float
    energy_millijoules: float
    least_millijoules: float
    most_millijoules: float


def projection(
    metered: Sequence[MeteredPoint],
    fitted: Sequence[FittedPoint],
    target: FittedPoint,
    *,
    axis: str,
) -> Picture | None:
    """Metered points, the fitted line with its band, and what was asked for.

    `fitted` samples the line by rising amount, the target's included or not; `axis` names the amount, such as
    "epochs" or "fraction of the data". None where there is no metered point or no line.
    """
    if not metered or not fitted:
        return None
    line = sorted(
        {point.amount: point for point in (*fitted, target)}.values(), key=lambda point: point.amount
    )
    return picture(
        lambda size: _drawing(metered, line, target, axis, size),
        title=f"Electricity over {shortened(axis, 40)}, measured and projected",
        description=_description(metered, target, axis),
    )


def _kwh(energy_millijoules: float) -> float:
    return energy_millijoules / MILLIJOULES_PER_KWH


def _drawing(
    metered: Sequence[MeteredPoint], line: Sequence[FittedPoint], target: FittedPoint, axis: str, size: Size
) -> Drawing:
    most = max(
        *(_kwh(point.most_millijoules) for point in line),
        *(_kwh(point.energy_millijoules) for point in metered),
    )
    steps = round_steps(0.0, most, 5)
    unit, per_kwh = energy_unit(steps)
    ticks = [(kwh, plain(kwh * per_kwh)) for kwh in steps]
    entries = [
        Entry(text="metered", shape="circle", fill=SERIES[0]),
        Entry(text="fitted line", shape="line", stroke=SERIES[1], dash=[6, 3]),
        Entry(text="95 % interval of prediction", shape="square", fill=SERIES[1], area=140, opacity=0.25),
        Entry(text="asked for", shape="diamond", fill=PAPER, stroke=SERIES[1], area=110),
    ]
    top, left = key_height(entries, size) + size.line + 6, ticks_width(ticks, size)
    furthest = max(target.amount, *(point.amount for point in metered), *(point.amount for point in line))
    across = round_steps(0.0, furthest, 4 if size.is_narrow else 6)
    x = Axis(low=0.0, high=max(across[-1], furthest * 1.04), length=size.width - left - 24)
    height = 210.0 if size.is_narrow else 260.0
    y = Axis(low=0.0, high=steps[-1], length=height, is_vertical=True)
    rows = [
        {"x": p.amount, "y": _kwh(p.energy_millijoules), "least": max(0.0, _kwh(p.least_millijoules)),
         "most": _kwh(p.most_millijoules)}
        for p in line
    ]  # fmt: skip
    points: list[dict[str, object]] = [
        {"x": p.amount, "y": _kwh(p.energy_millijoules), "shape": "circle", "fill": SERIES[0],
         "stroke": PAPER, "area": 80, "opacity": 1}
        for p in metered
    ]  # fmt: skip
    return Drawing(
        width=x.length, height=height, left=left, right=24, top=top, bottom=2 * size.line + 10,
        layers=[
            *key(entries, size, left=left, top=top),
            written([{"x": 6 - left, "y": -size.line, "text": unit}], size, colour=SOFT),
            grid(y, steps),
            grid(y, [0.0], stroke=SOFT),
            layer("area", rows, {"x": x.at("x"), "y": y.at("least"), "y2": y.at("most")},
                  fill=SERIES[1], fillOpacity=0.25),
            layer("line", rows, {"x": x.at("x"), "y": y.at("y")},
                  stroke=SERIES[1], strokeDash=[6, 3], strokeWidth=2),
            symbol_layer(points, x=x.at("x"), y=y.at("y")),
            *_asked(target, x, y, size, unit, per_kwh),
            ticks_left(y, ticks, size),
            ticks_below(x, [(v, numbers.setting(v)) for v in across], height + 14, size, left=left, right=24),
            written([{"x": x.length / 2, "y": height + 14 + size.line,
                      "text": fit(axis, x.length, size.text)}],
                    size, align="center", colour=SOFT),
        ],
    )  # fmt: skip


def _asked(target: FittedPoint, x: Axis, y: Axis, size: Size, unit: str, per_kwh: float) -> list[Layer]:
    """The target with its interval, and its figure beside it."""
    at = _kwh(target.energy_millijoules)
    ends = [max(0.0, _kwh(target.least_millijoules)), _kwh(target.most_millijoules)]
    span = [{"x": target.amount, "y": ends[0], "most": ends[1]}]
    figure, low, high = (numbers.number(kwh * per_kwh) for kwh in (at, *ends))
    text = f"{figure} {unit} ({low} to {high})"
    right = x.pixel(target.amount) - 10
    is_left = right - text_width(text, size.text) > 0
    label = {
        "x": right if is_left else x.pixel(target.amount) + 10,
        "y": max(8.0, y.pixel(ends[1]) - 10),
        "text": text,
    }
    return [
        layer("rule", span, {"x": x.at("x"), "y": y.at("y"), "y2": y.at("most")},
              stroke=SERIES[1], strokeWidth=2),
        symbol_layer(
            [{"x": target.amount, "y": at, "shape": "diamond", "fill": PAPER, "stroke": SERIES[1],
              "area": 110, "opacity": 1}],
            x=x.at("x"), y=y.at("y"),
        ),
        written([label], size, align="right" if is_left else "left",
                stroke=PAPER, strokeWidth=3, fontWeight="bold"),
    ]  # fmt: skip


def _description(metered: Sequence[MeteredPoint], target: FittedPoint, axis: str) -> str:
    shortest, longest = (numbers.setting(end(p.amount for p in metered)) for end in (min, max))
    least, most = (numbers.energy(end(p.energy_millijoules for p in metered)) for end in (min, max))
    ends = (target.energy_millijoules, target.least_millijoules, target.most_millijoules)
    foretold, low, high = (numbers.energy(max(0, round(energy))) for energy in ends)
    runs = f"{len(metered)} run{'s were' if len(metered) != 1 else ' was'} metered"
    return (
        f"{runs}, from {shortest} to {longest} ({shortened(axis, 40)}) and from {least} to {most}. "
        f"At {numbers.setting(target.amount)} the fitted line gives {foretold}, with an interval from "
        f"{low} to {high}."
    )
