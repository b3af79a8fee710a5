"""Axes: where a value lies, which values are written at it, and the lines there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .drawing import Channel, Layer, Row, Size, given, layer
from .labels import Placed, text_width
from .palette import INK, LINE, PAPER, SOFT

#: From the middle of a line down to the foot of its letters, in parts of their size.
MIDDLE = 0.3

Tick = tuple[float, str]  # a value, and what is written at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear or logarithmic axis over `length` px; of a vertical one `low` is at the bottom."""

    low: float
    high: float
    length: float
    is_log: bool = False
    is_vertical: bool = False

    def at(self, field: str) -> Channel:
        """The values of a field, by the axis."""
        return Channel(field, self.pixel)

    def pixel(self, value: float) -> float:
        """Where a value lies, in px from the left or the top."""
        low, high, at = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        part = (at - low) / (high - low)
        return self.length * (1 - part if self.is_vertical else part)

    def value(self, part: float) -> float:
        """The value at a part of the way from low to high."""
        if self.is_log:
            return self.low * math.pow(self.high / self.low, part)
        return self.low + (self.high - self.low) * part


def round_steps(low: float, high: float, about: int = 5) -> list[float]:
    """Round values (1, 2, 5 times a power of ten) from the one at or below low to that at or above high."""
    if not high > low:
        high = low + 1
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def powers(low: float, high: float, most: int) -> list[float]:
    """Round values within a logarithmic range: with 2 and 5 where there is room, else powers of ten,
    or every second or third of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 4)):
        values = [
            float(f"{factor}e{exponent}")
            for exponent in range(first, last + 1)
            if exponent % every == 0
            for factor in factors
        ]
        found = [value for value in values if low <= value <= high]
        if len(found) <= most:
            break
    return found


def energy_unit(energies_kwh: Iterable[float]) -> tuple[str, float]:
    """The unit of energies at an axis, and how many of it are a kWh: Wh if all are small or one is tiny."""
    above_zero = [kwh for kwh in energies_kwh if kwh > 0]
    return ("Wh", 1_000.0) if max(above_zero) <= 0.1 or min(above_zero) < 0.001 else ("kWh", 1.0)


def plain(value: float) -> str:
    """A round number in full, without an exponent however small it is."""
    return f"{float(f'{value:.12g}'):,.12f}".rstrip("0").rstrip(".")


def grid(axis: Axis, values: Iterable[float], **looks: object) -> Layer:
    """A thin line across the plot at each value."""
    field = "y" if axis.is_vertical else "x"
    return layer(
        "rule", [{field: value} for value in values], {field: axis.at(field)},
        **{"stroke": LINE, "strokeWidth": 1, **looks},
    )  # fmt: skip


def ticks_below(
    axis: Axis, ticks: Sequence[Tick], y: float, size: Size, *, left: float, right: float
) -> Layer:
    """The values of a horizontal axis, in one line at `y` px: moved into the picture where one would
    end beyond its margins, and without those that would meet the one before."""
    kept: list[Row] = []
    end = -math.inf
    for value, text in ticks:
        half = text_width(text, size.text) / 2
        at = min(max(axis.pixel(value), half - left), axis.length + right - half)
        if at - half >= end + 6:
            kept.append({"x": at, "y": y, "text": text})
            end = at + half
    return written(kept, size, align="center", colour=SOFT)


def ticks_left(axis: Axis, ticks: Sequence[Tick], size: Size) -> Layer:
    """The values of a vertical axis, to the left of the plot."""
    rows = [{"x": -6, "y": value, "text": text} for value, text in ticks]
    return written(rows, size, x=given("x"), y=axis.at("y"), align="right", colour=SOFT)


def ticks_width(ticks: Iterable[Tick], size: Size) -> float:
    """The room that values to the left of a plot take, in px."""
    return math.ceil(max(text_width(text, size.text) for _, text in ticks)) + 8


def written(
    rows: Sequence[Row],
    size: Size,
    *,
    x: Channel | None = None,
    y: Channel | None = None,
    align: str = "left",
    colour: str = INK,
    **looks: object,
) -> Layer:
    """Texts, each the row's `text`, at x and y: px where no channel is given.

    Vega is told no size of letters, for it would measure each text in the fonts of this machine, which takes
    most of the time of a drawing: the size is the picture's (`svg.cleaned`), and the middle is found here.
    """
    return layer(
        "text", rows,
        {"x": x or given("x"), "y": y or given("y"), "text": given("text")},
        align=align, dy=round(MIDDLE * size.text), fontSize=0, fill=colour, **looks,
    )  # fmt: skip


def placed_layers(labels: Sequence[Placed], size: Size) -> list[Layer]:
    """Texts that were placed beside their marks, with the lines of those that are far."""
    ends = [dict(zip(("x", "y", "to", "end"), label.leader, strict=True)) for label in labels if label.leader]
    places = {"x": given("x"), "y": given("y"), "x2": given("to"), "y2": given("end")}
    rows: list[Row] = [{"x": label.x, "y": label.y, "text": label.text} for label in labels]
    return [
        layer("rule", ends, places, stroke=SOFT, strokeWidth=1),
        written(rows, size, stroke=PAPER, strokeWidth=3),
    ]
