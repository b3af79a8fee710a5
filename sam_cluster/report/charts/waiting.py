"""How long jobs waited for their GPUs, by lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import numbers
from ..text import shortened
from .axes import Axis, Tick, written
from .drawing import Drawing, Row, Size, given, layer, picture
from .key import TICK, Entry, symbol_layer
from .labels import text_width
from .palette import PAPER, SERIES, SOFT
from .picture import Picture
from .rows import MOST_LABS, in_rows, name_column, row_height

#: Waiting times that are written at the axis, in seconds: a logarithmic axis has no zero.
TIMES: tuple[Tick, ...] = (
    (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (21_600, "6 h"),
    (86_400, "1 day"), (604_800, "1 week"), (2_592_000, "30 days"), (31_536_000, "1 year"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LabWaiting:
    """The waiting time of a lab's jobs, from eligible to start."""

    label: str
    jobs: int
    median_seconds: float
    ninetieth_percentile_seconds: float


def waiting(labs: Sequence[LabWaiting]) -> Picture | None:
    """A line for each lab, the longest median first, up to 40. None for no lab."""
    if not labs:
        return None
    ordered = sorted(
        labs, key=lambda lab: (-lab.median_seconds, -lab.ninetieth_percentile_seconds, lab.label)
    )
    return picture(
        lambda size: _drawing(ordered[:MOST_LABS], size),
        title="Waiting time by lab",
        description=_description(ordered),
    )


def duration(seconds: float) -> str:
    """A waiting time in words: the greatest unit that it fills, three figures at most."""
    for length, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{numbers.number(seconds / length)} {unit}"
    return f"{numbers.number(seconds)} s"


def _drawing(labs: Sequence[LabWaiting], size: Size) -> Drawing:
    jobs = [numbers.count(lab.jobs) for lab in labs]
    left = name_column([lab.label for lab in labs], size)
    right = max(text_width(text, size.text) for text in [*jobs, "jobs"]) + 14
    ticks = _ticks(labs)
    x = Axis(low=ticks[0][0], high=ticks[-1][0], length=size.width - left - right, is_log=True)
    row = row_height(size)
    middle = [(n + 0.5) * row for n in range(len(labs))]
    spans: list[Row] = [
        {
            "from": min(max(lab.median_seconds, x.low), x.high),
            "to": min(max(lab.ninetieth_percentile_seconds, x.low), x.high),
            "y": y, "top": y - row / 2 + 4, "bottom": y + row / 2 - 4,
        }
        for lab, y in zip(labs, middle, strict=True)
    ]  # fmt: skip
    dots: list[dict[str, object]] = [
        {"x": span["from"], "y": span["y"], "shape": "circle", "fill": SERIES[0], "stroke": PAPER, "area": 80,
         "opacity": 1}
        for span in spans
    ]  # fmt: skip
    entries = [
        Entry(text="median: half of the jobs waited less", shape="circle", fill=SERIES[0]),
        Entry(text="90th percentile: nine of ten waited less", shape=TICK, stroke=SERIES[1]),
    ]
    counts: list[Row] = [
        {"x": size.width - left, "y": y, "text": text}
        for text, y in zip(["jobs", *jobs], [6.0 - 2 * size.line, *middle], strict=True)
    ]
    marks = [
        layer(
            "rule", spans, {"x": x.at("from"), "x2": x.at("to"), "y": given("y")},
            stroke=SOFT, strokeWidth=1,
        ),
        layer(
            "rule", spans, {"x": x.at("to"), "y": given("top"), "y2": given("bottom")},
            stroke=SERIES[1], strokeWidth=3,
        ),
        symbol_layer(dots, x=x.at("x")),
        written(counts, size, align="right", colour=SOFT),
    ]  # fmt: skip
    return in_rows(
        [lab.label for lab in labs], marks,
        x=x, ticks=ticks, axis_name="time from eligible to start", entries=entries,
        left=left, right=right, size=size,
    )  # fmt: skip


def _ticks(labs: Sequence[LabWaiting]) -> list[Tick]:
    """The times from that below the shortest to that above the longest."""
    least = min(lab.median_seconds for lab in labs)
    most = max(lab.ninetieth_percentile_seconds for lab in labs)
    first = max((n for n, (value, _) in enumerate(TIMES) if value <= least), default=0)
    last = min((n for n, (value, _) in enumerate(TIMES) if value >= most), default=len(TIMES) - 1)
    return list(TIMES[min(first, last - 1) if last else 0 : max(last, first + 1) + 1])


def _description(labs: Sequence[LabWaiting]) -> str:
    longest, shortest = labs[0], labs[-1]
    worst = max(labs, key=lambda lab: (lab.ninetieth_percentile_seconds, lab.label))
    text = f"{len(labs)} lab{'s' if len(labs) != 1 else ''}" + (
        f", of which the first {MOST_LABS} are drawn" if len(labs) > MOST_LABS else ""
    )
    least, most = duration(shortest.median_seconds), duration(longest.median_seconds)
    medians = (
        f"is {most}" if least == most else f"is from {least} ({_name(shortest)}) to {most} ({_name(longest)})"
    )
    return (
        f"{text}. The median waiting time {medians}; the longest 90th percentile is "
        f"{duration(worst.ninetieth_percentile_seconds)} ({_name(worst)})."
    )


def _name(lab: LabWaiting) -> str:
    return shortened(lab.label, 40)
