"""Lines of equal SAM: accuracy = (SAM * log10(electricity) / beta) ** (1 / alpha).

Defined to the right of one unit of electricity only, where the formula has its pole: all lines begin
there at an accuracy of 0, so that near the pole they stand close and a little electricity changes much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .axes import Axis, powers, round_steps, written
from .drawing import Layer, Row, Size, given, layer
from .labels import spread, text_width
from .palette import SOFT

MOST_LINES = 6
STEPS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The parameters that scores were made with; `unit_kwh` is one unit of electricity."""

    alpha: float
    beta: float
    unit: str
    unit_kwh: float

    def accuracy_at(self, sam: float, energy_kwh: float) -> float:
        """The accuracy that has a score at an electricity of more than one unit."""
        return math.pow(sam * math.log10(energy_kwh / self.unit_kwh) / self.beta, 1 / self.alpha)

    def energy_at(self, sam: float, accuracy: float) -> float:
        """The kWh at which an accuracy has a score; infinite where no number is large enough."""
        exponent = self.beta * math.pow(accuracy, self.alpha) / sam
        return self.unit_kwh * 10.0**exponent if exponent < 250 else math.inf


def iso_levels(scores: Sequence[float], metric: Metric, x: Axis, y: Axis) -> list[float]:
    """Round scores among those given, of which the lines cross the plot."""
    positive = [score for score in scores if score > 0]
    if not positive or x.high <= metric.unit_kwh:
        return []
    low, high = min(positive), max(positive)
    found = powers(low, high, MOST_LINES) if high > 2 * low else []
    if len(found) < 3:
        found = [level for level in round_steps(low, high if high > low else low * 1.5, 4) if level > 0]
    begin = max(x.low, metric.unit_kwh)
    return [
        level
        for level in found
        if metric.energy_at(level, y.high) > begin and metric.energy_at(level, max(y.low, 0.0)) < x.high
    ][:MOST_LINES]


def iso_lines(levels: Sequence[float], metric: Metric, x: Axis, y: Axis) -> Layer:
    """The lines, sampled evenly in accuracy, in which they are smooth; cut at the plot's edges."""
    samples = [y.low + (y.high - y.low) * n / STEPS for n in range(STEPS + 1)]
    rows: list[Row] = []
    for level in levels:
        points = [(metric.energy_at(level, accuracy), accuracy) for accuracy in samples]
        inside = [(energy, accuracy) for energy, accuracy in points if x.low <= energy < x.high]
        if points[0][0] < x.low < points[-1][0]:
            inside.insert(0, (x.low, metric.accuracy_at(level, x.low)))
        if points[0][0] < x.high <= points[-1][0]:
            inside.append((x.high, metric.accuracy_at(level, x.high)))
        # The first point once more, as the gap after the line before.
        rows += [
            {"sam": level, "kwh": energy, "accuracy": accuracy, "is_drawn": number > 0}
            for number, (energy, accuracy) in enumerate([*inside[:1], *inside])
        ]
    places = {"x": x.at("kwh"), "y": y.at("accuracy"), "defined": given("is_drawn")}
    return layer("line", rows, places, stroke=SOFT, strokeWidth=1, strokeDash=[2, 3])


def iso_labels(levels: Sequence[float], metric: Metric, x: Axis, y: Axis, size: Size) -> list[Layer]:
    """The score of each line, where it leaves the plot: at the right, or above."""
    right, above = [], []
    for level in levels:
        accuracy, text = metric.accuracy_at(level, x.high), iso_text(level, size)
        if accuracy <= y.high:
            right.append((y.pixel(accuracy), text))
        else:
            above.append((x.pixel(metric.energy_at(level, y.high)), text))
    heights = spread([at for at, _ in right], size.line - 2, 0, y.length)
    gap = max((text_width(text, size.text) for _, text in above), default=0.0) + 6
    places = spread([at for at, _ in above], gap, 0, x.length - gap / 2)
    return [
        written([{"x": x.length + 5, "y": h, "text": t} for h, (_, t) in zip(heights, right, strict=True)],
                size, colour=SOFT),
        written([{"x": p, "y": -8, "text": t} for p, (_, t) in zip(places, above, strict=True)],
                size, align="center", colour=SOFT),
    ]  # fmt: skip


def iso_text(level: float, size: Size) -> str:
    """What is written at a line; on a phone the key says that it is SAM."""
    text = f"{level:,.12g}"
    return text if size.is_narrow else f"SAM {text}"
