"""Energy by local day (or month), with the period before as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.units import kwh_from_millijoules
from .. import numbers
from ..text import shortened
from .axes import Axis, energy_unit, grid, plain, round_steps, ticks_below, ticks_left, ticks_width, written
from .drawing import Drawing, Layer, Row, Size, layer, picture
from .key import Entry, key, key_height
from .labels import fitted, text_width
from .palette import PAPER, SERIES, SOFT
from .picture import Picture

BAR = 0.72  # of a day's width
LABEL = 16  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyOfDay:
    """A local day, or month, as the caller labels it; None is unknown and drawn as such, not as zero."""

    label: str
    energy_millijoules: int | None
    is_lower_bound: bool = False
    energy_before_millijoules: int | None = None  # of the day at the same place in the period before


def energy_by_day(days: Sequence[EnergyOfDay], *, step: str = "day") -> Picture | None:
    """A bar for each day, up to 62; `step` is what one is called. None where no energy is known."""
    if not any(day.energy_millijoules is not None for day in days):
        return None
    return picture(
        lambda size: _drawing(days, size, step),
        title=f"Energy by {step}",
        description=_description(days, step),
    )


def _drawing(days: Sequence[EnergyOfDay], size: Size, step: str) -> Drawing:
    known = [
        v for day in days for v in (day.energy_millijoules, day.energy_before_millijoules) if v is not None
    ]
    steps = round_steps(0.0, kwh_from_millijoules(max(known)), 4)
    unit, per_kwh = energy_unit(steps)
    ticks = [(kwh, plain(kwh * per_kwh)) for kwh in steps]
    entries = _key(days, step, unit)
    top, left = key_height(entries, size) + size.line + 6, ticks_width(ticks, size)
    height = 150.0 if size.is_narrow else 190.0
    x = Axis(low=-0.5, high=len(days) - 0.5, length=size.width - left - 10)
    y = Axis(low=0.0, high=steps[-1], length=height, is_vertical=True)
    names = [(float(place), fitted(day.label, 120, size.text, LABEL)) for place, day in enumerate(days)]
    unknown = [
        {"x": n, "y": -8 + height, "text": "?"}
        for n, day in enumerate(days)
        if day.energy_millijoules is None
    ]
    return Drawing(
        width=x.length, height=height, left=left, right=10, top=top, bottom=size.line + 8,
        layers=[
            *key(entries, size, left=left, top=top),
            written([{"x": 6 - left, "y": -size.line, "text": unit}], size, colour=SOFT),
            grid(y, steps),
            _bars(days, x, y, is_lower_bound=False),
            _bars(days, x, y, is_lower_bound=True),
            _before(days, x, y),
            grid(y, [0.0], stroke=SOFT),
            written(unknown, size, x=x.at("x"), align="center", colour=SOFT),
            ticks_left(y, ticks, size),
            ticks_below(x, _thinned(names, x, size), height + 14, size, left=left, right=10),
        ],
    )  # fmt: skip


def _thinned(names: list[tuple[float, str]], x: Axis, size: Size) -> list[tuple[float, str]]:
    """Every so manieth name, evenly, so that those kept do not meet."""
    widest = 1.3 * max(text_width(text, size.text) for _, text in names)  # the first is moved to the right
    return names[:: max(1, -int(-widest // (x.length / len(names))))]


def _bars(days: Sequence[EnergyOfDay], x: Axis, y: Axis, *, is_lower_bound: bool) -> Layer:
    rows: list[Row] = [
        {
            "from": n - BAR / 2,
            "to": n + BAR / 2,
            "zero": 0,
            "kwh": kwh_from_millijoules(day.energy_millijoules),
        }
        for n, day in enumerate(days)
        if day.energy_millijoules is not None and day.is_lower_bound is is_lower_bound
    ]
    looks: dict[str, object] = {"fill": SERIES[0]}
    if is_lower_bound:
        looks = {"fill": PAPER, "stroke": SERIES[0], "strokeWidth": 1.5}
    places = {"x": x.at("from"), "x2": x.at("to"), "y": y.at("zero"), "y2": y.at("kwh")}
    return layer("rect", rows, places, **looks)


def _before(days: Sequence[EnergyOfDay], x: Axis, y: Axis) -> Layer:
    rows: list[Row] = [
        {"from": n - 0.5, "to": n + 0.5, "kwh": kwh_from_millijoules(day.energy_before_millijoules)}
        for n, day in enumerate(days)
        if day.energy_before_millijoules is not None
    ]
    places = {"x": x.at("from"), "x2": x.at("to"), "y": y.at("kwh")}
    return layer("rule", rows, places, stroke=SERIES[1], strokeWidth=2)


def _key(days: Sequence[EnergyOfDay], step: str, unit: str) -> list[Entry]:
    entries = [Entry(text=f"{unit} of the {step}", shape="square", fill=SERIES[0], area=120)]
    if any(day.is_lower_bound for day in days):
        entries.append(
            Entry(text="at least: a part is missing", shape="square", fill=PAPER, stroke=SERIES[0], area=120)
        )
    if any(day.energy_before_millijoules is not None for day in days):
        entries.append(Entry(text="the period before", shape="line", stroke=SERIES[1]))
    if any(day.energy_millijoules is None for day in days):
        entries.append(Entry(text="? unknown", shape=""))
    return entries


def _description(days: Sequence[EnergyOfDay], step: str) -> str:
    known = [(day.energy_millijoules, day) for day in days if day.energy_millijoules is not None]
    partial = sum(day.is_lower_bound for _, day in known)
    missing = len(days) - len(known)
    most, on = max(known, key=lambda pair: pair[0])
    total = numbers.energy(sum(energy for energy, _ in known))
    plural = "s" if len(days) != 1 else ""
    text = (
        f"{len(days)} {step}{plural}, {'at least ' if partial or missing else ''}{total} in all; "
        f"the most on one {step} was {numbers.energy(most)} ({shortened(on.label, LABEL)})."
    )
    before = [day.energy_before_millijoules for day in days if day.energy_before_millijoules is not None]
    if before:
        text += f" In the period before it was {numbers.energy(sum(before))}."
    if partial:
        text += f" {partial} {step}{'s are lower bounds' if partial != 1 else ' is a lower bound'}."
    if missing:
        text += f" Of {missing} {step}{'s' if missing != 1 else ''} nothing is known."
    return text
