"""The order by accuracy beside the order by SAM: who rises, who falls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .. import numbers
from ..text import shortened
from .axes import written
from .drawing import Drawing, Layer, Row, Size, given, layer, picture
from .key import Entry, key, key_height
from .labels import fitted, text_width
from .palette import SERIES, SOFT
from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedResult:
    """A scored result with its two ranks, 1 the best, equal ones sharing a rank."""

    label: str
    accuracy: float
    sam: float
    rank_by_accuracy: int
    rank_by_sam: int

    @property
    def rise(self) -> int:
        """Places won by counting electricity too; negative where they are lost."""
        return self.rank_by_accuracy - self.rank_by_sam

    @property
    def kind(self) -> str:
        """`rises`, `falls` or `stays`."""
        return "rises" if self.rise > 0 else "falls" if self.rise < 0 else "stays"


LOOKS: dict[str, dict[str, object]] = {
    "rises": {"stroke": SERIES[0], "strokeWidth": 2.5},
    "falls": {"stroke": SERIES[1], "strokeWidth": 2, "strokeDash": [6, 3]},
    "stays": {"stroke": SOFT, "strokeWidth": 1},
}
ARROWS = {"rises": "▲", "falls": "▼", "stays": "="}
WORDS = {"rises": "▲ rises", "falls": "▼ falls", "stays": "= keeps its place"}


def two_orders(results: Sequence[RankedResult]) -> Picture | None:
    """A line for each result (the caller chooses some fifteen). None for fewer than two."""
    if len(results) < 2:
        return None
    return picture(
        lambda size: _drawing(results, size),
        title="The order by accuracy beside the order by SAM",
        description=_description(results),
    )


def _drawing(results: Sequence[RankedResult], size: Size) -> Drawing:
    # Among equals the other order decides, so that no line crosses another without need.
    left_order = sorted(results, key=lambda r: (r.rank_by_accuracy, r.rank_by_sam, r.label))
    right_order = sorted(results, key=lambda r: (r.rank_by_sam, r.rank_by_accuracy, r.label))
    row = size.line + 4
    kinds = [kind for kind in LOOKS if any(result.kind == kind for result in results)]
    entries = [
        Entry(
            text=WORDS[k], shape="line", stroke=str(LOOKS[k]["stroke"]), dash=[6, 3] if k == "falls" else []
        )
        for k in kinds
    ]
    top, column = key_height(entries, size) + size.line + 4, size.width * (0.39 if size.is_narrow else 0.37)
    width = size.width - 2 * column
    at = {id(result): (n + 0.5) * row for n, result in enumerate(left_order)}
    to = {id(result): (n + 0.5) * row for n, result in enumerate(right_order)}
    heads = [("by accuracy", -4.0, "right"), ("by SAM", width + 4, "left")]
    return Drawing(
        width=width, height=row * len(results), left=column, right=column, top=top, bottom=4,
        layers=[
            *key(entries, size, left=column, top=top),
            *(
                written([{"x": x, "y": -12, "text": text}], size, align=align, fontWeight="bold")
                for text, x, align in heads
            ),
            *(_lines([r for r in results if r.kind == kind], at, to, width, kind) for kind in kinds),
            *_names(
                _ends(left_order, at, size, is_left=True), _ends(right_order, to, size, is_left=False),
                size, column, width,
            ),
        ],
    )  # fmt: skip


def _lines(
    results: Sequence[RankedResult], at: dict[int, float], to: dict[int, float], width: float, kind: str
) -> Layer:
    rows = [{"x": 4, "y": at[id(r)], "end": width - 4, "to": to[id(r)]} for r in results]
    places = {"x": given("x"), "y": given("y"), "x2": given("end"), "y2": given("to")}
    return layer("rule", rows, places, strokeCap="round", **LOOKS[kind])


@dataclass(frozen=True, slots=True)
class _Line:
    """What stands at one end of a result's line: its rank, its name, and what follows it."""

    first: str
    label: str
    last: str
    y: float


def _ends(order: Sequence[RankedResult], at: dict[int, float], size: Size, *, is_left: bool) -> list[_Line]:
    """Rank, name and figure of each; on a phone the figures stay in the table."""
    ranks = Counter(r.rank_by_accuracy if is_left else r.rank_by_sam for r in order)
    found = []
    for result in order:
        rank = result.rank_by_accuracy if is_left else result.rank_by_sam
        last = "" if is_left else f" {ARROWS[result.kind]}{abs(result.rise) or ''}"
        if not size.is_narrow:
            figure = numbers.accuracy(result.accuracy) if is_left else numbers.number(result.sam)
            last = f" · {figure}{last}"
        found.append(_Line(f"{rank}{'=' if ranks[rank] > 1 else ''} ", result.label, last, at[id(result)]))
    return found


def _names(
    left: Sequence[_Line], right: Sequence[_Line], size: Size, column: float, width: float
) -> list[Layer]:
    """Both ends of all lines. A name is cut the same at both, wherever one has no room for it."""
    beside = max(text_width(line.first + line.last, size.text) for line in (*left, *right))
    layers = []
    for lines, x, align in ((left, -4, "right"), (right, width + 4, "left")):
        rows: list[Row] = [
            {
                "x": x,
                "y": line.y,
                "text": f"{line.first}{fitted(line.label, column - 8 - beside, size.text)}{line.last}",
            }
            for line in lines
        ]
        layers.append(written(rows, size, align=align))
    return layers


def _description(results: Sequence[RankedResult]) -> str:
    kinds = Counter(result.kind for result in results)
    best = min(results, key=lambda r: (r.rank_by_accuracy, r.label))
    first = min(results, key=lambda r: (r.rank_by_sam, r.label))
    most = max(results, key=lambda r: (r.rise, r.label))
    text = (
        f"Of {len(results)} results {kinds['rises']} rise, {kinds['falls']} fall and {kinds['stays']} keep "
        f"their place when electricity counts too. "
        f"First by accuracy: {_name(best)} ({numbers.accuracy(best.accuracy)}); "
        f"first by SAM: {_name(first)} ({numbers.number(first.sam)})."
    )
    if most.rise > 0:
        text += f" {_name(most)} rises the most, from {most.rank_by_accuracy} to {most.rank_by_sam}."
    return text


def _name(result: RankedResult) -> str:
    return shortened(result.label, 40)
