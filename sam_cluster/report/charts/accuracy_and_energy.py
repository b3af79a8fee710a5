"""Accuracy against the electricity that was spent on it, for the results of one task."""

from __future__ import annotations

from collections.abc import Sequence

from ...metrics import UNITS_PER_KWH
from .. import numbers
from ..text import shortened
from .axes import (
    Axis,
    energy_unit,
    grid,
    placed_layers,
    plain,
    powers,
    round_steps,
    ticks_below,
    ticks_left,
    ticks_width,
    written,
)
from .bins import binned
from .drawing import Drawing, Layer, Row, Size, given, layer, picture
from .iso_sam import Metric, iso_labels, iso_levels, iso_lines
from .key import Entry, key, key_height, symbol_layer
from .palette import BAND, INK, PAPER, SERIES, SOFT
from .picture import Picture
from .result_points import LABEL, NAMED, ResultPoint, areas_of, front_of, named_beside, named_points

__all__ = ["ResultPoint", "accuracy_and_energy"]

LEAST_RANKED = 3  # fewer scores are no order

#: More points than these are counted in squares: 5,000 symbols are a picture of 1.8 MB, and a blot.
MOST_POINTS = 300


def accuracy_and_energy(
    points: Sequence[ResultPoint], *, task: str, alpha: float, beta: float, unit: str
) -> Picture | None:
    """The results of one task with lines of equal SAM and the Pareto front.

    Alpha, beta and unit (kWh, Wh, MJ, J) are those that the scores were made with. None where no point
    has an energy above zero, which is all that a logarithmic axis can show.
    """
    drawn = sorted(
        (point for point in points if point.energy_millijoules > 0),
        key=lambda p: (-p.energy_millijoules, p.accuracy, p.label),  # small symbols over large ones
    )
    if not drawn:
        return None
    metric = Metric(alpha=alpha, beta=beta, unit_kwh=1 / UNITS_PER_KWH[unit], unit=unit)
    front = front_of(drawn)
    return picture(
        lambda size: _drawing(drawn, front, metric, size),
        title=f"Accuracy and electricity: {shortened(task, LABEL)}",
        description=_description(points, drawn, front),
    )


def _drawing(
    points: Sequence[ResultPoint], front: Sequence[ResultPoint], metric: Metric, size: Size
) -> Drawing:
    accuracy_steps = _accuracy_steps(points)
    accuracy_ticks = [(value, f"{numbers.setting(value * 100)} %") for value in accuracy_steps]
    is_binned = len(points) > MOST_POINTS
    left, right = ticks_width(accuracy_ticks, size), 36.0 if size.is_narrow else 72.0
    low, high = _energy_range(points, metric.unit_kwh)
    x = Axis(low=low, high=high, length=size.width - left - right, is_log=True)
    y = Axis(
        low=accuracy_steps[0],
        high=accuracy_steps[-1],
        length=270 if size.is_narrow else 340,
        is_vertical=True,
    )
    levels = iso_levels([point.sam for point in points if point.sam is not None], metric, x, y)
    squares = binned(((p.energy_kwh, p.accuracy) for p in points), x, y) if is_binned else []
    named = named_points(points, front)
    symbols = [point for point in points if not is_binned or point in named]
    areas = areas_of(points, size)
    entries = _key(points, metric, bool(levels), low < metric.unit_kwh, squares)
    top = key_height(entries, size) + 2 * size.line
    steps = powers(low, high, 5 if size.is_narrow else 8)
    unit, per_kwh = energy_unit(steps)
    axis_name = f"electricity in {unit}, logarithmic scale"
    ticks = [(kwh, plain(kwh * per_kwh)) for kwh in steps]
    labels = named_beside(named, symbols, front, areas, x, y, size)
    return Drawing(
        width=x.length, height=y.length, left=left, right=right, top=top, bottom=2 * size.line + 10,
        layers=[
            *key(entries, size, left=left, top=top),
            written([{"x": 6 - left, "y": -size.line - 8, "text": "accuracy"}], size, colour=SOFT),
            *_band(metric.unit_kwh, x, y),
            grid(y, accuracy_steps), grid(x, [kwh for kwh, _ in ticks]),
            iso_lines(levels, metric, x, y),
            _squares(squares, x, y),
            _front_line(front, x, y),
            symbol_layer([_symbol(point, areas[point]) for point in symbols], x=x.at("x"), y=y.at("y")),
            *iso_labels(levels, metric, x, y, size),
            *placed_layers(labels, size),
            ticks_left(y, accuracy_ticks, size),
            ticks_below(x, ticks, y.length + 14, size, left=left, right=right),
            written([{"x": x.length / 2, "y": y.length + 14 + size.line, "text": axis_name}],
                    size, align="center", colour=SOFT),
        ],
    )  # fmt: skip


def _accuracy_steps(points: Sequence[ResultPoint]) -> list[float]:
    """Round accuracies around all points, within 0 to 1."""
    low, high = min(p.accuracy for p in points), max(p.accuracy for p in points)
    pad = max(0.02 * (high - low), 0.005)
    return [step for step in round_steps(max(0.0, low - pad), min(1.0, high + pad)) if 0 <= step <= 1]


def _energy_range(points: Sequence[ResultPoint], unit_kwh: float) -> tuple[float, float]:
    """The kWh of the axis: all points with room around them, and one unit where it is near."""
    low, high = min(p.energy_kwh for p in points), max(p.energy_kwh for p in points)
    if low / 30 < unit_kwh < high * 30:
        low, high = min(low, unit_kwh), max(high, unit_kwh)
    return low / 1.7, high * 1.7


def _symbol(point: ResultPoint, area: float) -> dict[str, object]:
    shape, fill, stroke = "circle", SERIES[0], PAPER
    if point.is_lower_bound:
        shape, fill, stroke = "triangle-right", PAPER, SERIES[1]
    elif point.sam is None:
        shape, fill, stroke = "diamond", PAPER, INK
    return {
        "x": point.energy_kwh, "y": point.accuracy, "shape": shape, "fill": fill, "stroke": stroke,
        "area": area, "opacity": 0.85,
    }  # fmt: skip


def _band(unit_kwh: float, x: Axis, y: Axis) -> list[Layer]:
    """Where SAM has no value: up to one unit of electricity."""
    if x.low >= unit_kwh:
        return []
    end = min(unit_kwh, x.high)
    rows = [{"from": x.low, "to": end, "y": y.low, "top": y.high}]
    places = {"x": x.at("from"), "x2": x.at("to"), "y": y.at("y"), "y2": y.at("top")}
    edge = [grid(x, [unit_kwh], stroke=SOFT, strokeWidth=1.5)] if unit_kwh <= x.high else []
    return [layer("rect", rows, places, fill=BAND), *edge]


def _front_line(front: Sequence[ResultPoint], x: Axis, y: Axis) -> Layer:
    """The best accuracy that was had for at most so much electricity."""
    rows: list[Row] = [{"x": point.energy_kwh, "y": point.accuracy} for point in front]
    if front:
        rows.append({"x": x.high, "y": front[-1].accuracy})
    places = {"x": x.at("x"), "y": y.at("y")}
    return layer("line", rows, places, interpolate="step-after", stroke=SERIES[2], strokeWidth=2)


def _squares(squares: Sequence[Row], x: Axis, y: Axis) -> Layer:
    places = {
        "x": x.at("from"), "x2": x.at("to"), "y": y.at("bottom"), "y2": y.at("top"),
        "opacity": given("opacity"),
    }  # fmt: skip
    return layer("rect", squares, places, fill=SERIES[0])


def _key(
    points: Sequence[ResultPoint], metric: Metric, has_levels: bool, has_band: bool, squares: Sequence[Row]
) -> list[Entry]:
    entries = []
    if squares:
        counts = [int(str(square["count"])) for square in squares]
        text = f"results, a stronger colour for more ({min(counts)} to {max(counts)})"
        entries.append(Entry(text=text, shape="square", fill=SERIES[0], area=140))
    kind = "one with a name here" if squares else "result"
    if any(p.sam is not None for p in points):
        entries.append(Entry(text=f"{kind} (larger: more electricity)", shape="circle", fill=SERIES[0]))
    if any(p.sam is None and not p.is_lower_bound for p in points):
        entries.append(Entry(text=f"{kind}, without a score", shape="diamond", fill=PAPER, stroke=INK))
    if any(p.is_lower_bound for p in points):
        text = "used at least this much"
        entries.append(Entry(text=text, shape="triangle-right", fill=PAPER, stroke=SERIES[1]))
    entries.append(
        Entry(text="best accuracy for the electricity (Pareto front)", shape="line", stroke=SERIES[2])
    )
    if has_levels:
        entries.append(Entry(text="equal SAM", shape="line", stroke=SOFT, dash=[2, 3]))
    if has_band:
        text = f"too little electricity for SAM (up to 1 {metric.unit})"
        entries.append(Entry(text=text, shape="square", fill=BAND, stroke=SOFT, area=140))
    return entries


def _description(
    points: Sequence[ResultPoint], drawn: Sequence[ResultPoint], front: Sequence[ResultPoint]
) -> str:
    scored = sorted((p for p in drawn if p.sam is not None), key=lambda p: (-(p.sam or 0.0), p.label))
    bounds = sum(p.is_lower_bound for p in drawn)
    least, most = (numbers.energy(point.energy_millijoules) for point in (drawn[-1], drawn[0]))
    worst, best = (numbers.accuracy(end(p.accuracy for p in drawn)) for end in (min, max))
    text = (
        f"{numbers.count(len(drawn))} results from {least} to {most} and from {worst} to {best} accuracy; "
        f"{numbers.count(len(scored))} {'has' if len(scored) == 1 else 'have'} a score"
    )
    text += f", {bounds} used at least what is shown." if bounds else "."
    if len(scored) >= LEAST_RANKED:
        first = scored[0]
        text += f" First by SAM: {shortened(first.label, LABEL)} ({numbers.number(first.sam)})."
    if front:
        names = [shortened(point.label, LABEL) for point in front]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        text += (
            f" No other result is both more accurate and thriftier than: {', '.join(names[:NAMED])}{more}."
        )
    if left_out := len(points) - len(drawn):
        text += f" {left_out} without measured electricity cannot be drawn."
    return text
