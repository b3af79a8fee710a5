"""How the order by SAM depends on what was configured: on alpha, and on the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .. import numbers
from ..text import shortened
from .axes import Axis, grid, ticks_below, written
from .drawing import Drawing, Layer, Size, layer, picture
from .key import Entry, key, key_height, symbol_layer
from .labels import fitted, spread, text_width
from .palette import INK, LINE, PAPER, SERIES, SOFT
from .picture import Picture

DASHES: tuple[list[int], ...] = ([], [7, 3], [2, 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class RankPath:
    """The ranks of one result, one for each setting; None where it has no score under that setting."""

    label: str
    ranks: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What is varied: its name, its values as places and as texts, and the place that is configured."""

    name: str
    places: Sequence[float]
    texts: Sequence[str]
    configured: float
    configured_text: str


def order_over_alpha(
    paths: Sequence[RankPath], *, alphas: Sequence[float], configured: float
) -> Picture | None:
    """Rank over alpha, on a rising grid of at least two. None for fewer than two ranked results."""
    texts = [numbers.setting(alpha) for alpha in alphas]
    settings = _Settings(
        name="alpha",
        places=alphas,
        texts=texts,
        configured=configured,
        configured_text=numbers.setting(configured),
    )
    return _order(paths, settings, "The order by SAM over alpha")


def order_over_units(paths: Sequence[RankPath], *, units: Sequence[str], configured: str) -> Picture | None:
    """Rank over the unit of electricity (J, Wh, MJ, kWh). None for fewer than two ranked results."""
    settings = _Settings(
        name="unit", places=[float(n) for n in range(len(units))], texts=units,
        configured=float(units.index(configured)), configured_text=configured,
    )  # fmt: skip
    return _order(paths, settings, "The order by SAM over the unit of electricity")


def _order(paths: Sequence[RankPath], settings: _Settings, title: str) -> Picture | None:
    for path in paths:
        if len(path.ranks) != len(settings.places):
            raise ValueError(f"{len(settings.places)} settings, but {len(path.ranks)} ranks")
    ranked = [path for path in paths if any(rank is not None for rank in path.ranks)]
    if len(ranked) < 2 or len(settings.places) < 2:
        return None
    return picture(
        lambda size: _drawing(ranked, settings, size),
        title=title,
        description=_description(ranked, settings),
    )


def _drawing(paths: Sequence[RankPath], settings: _Settings, size: Size) -> Drawing:
    last = max(rank for path in paths for rank in path.ranks if rank is not None)
    unscored = max(sum(path.ranks[n] is None for path in paths) for n in range(len(settings.places)))
    row = size.line + 4
    entries = _key(settings, bool(unscored))
    top = key_height(entries, size) + row / 2
    column = size.width * (0.36 if size.is_narrow else 0.27)
    x = Axis(low=settings.places[0], high=settings.places[-1], length=size.width - 2 * column)
    rows = last + (max(unscored, 1) + 0.6 if unscored else 0)
    # Results that share a rank are named below one another all the same.
    y = Axis(low=rows + 0.5, high=0.5, length=max(rows, len(paths)) * row, is_vertical=True)
    ticks = list(zip(settings.places, settings.texts, strict=True))
    bottom_rank = last + 1.6  # where those without a score stand
    return Drawing(
        width=x.length, height=y.length, left=column, right=column, top=top, bottom=2 * size.line + 10,
        layers=[
            *key(entries, size, left=column, top=top),
            grid(x, [settings.configured], stroke=SOFT, strokeWidth=2, strokeDash=[4, 3]),
            *([grid(y, [last + 0.9], stroke=LINE)] if unscored else []),
            *(_line(path, settings, number, x, y) for number, path in enumerate(paths)),
            _corners(paths, settings, x, y, bottom_rank),
            _ends(paths, 0, y, size, column, x.length, bottom_rank),
            _ends(paths, -1, y, size, column, x.length, bottom_rank),
            ticks_below(x, ticks, y.length + 14, size, left=column, right=column),
            written(
                [{"x": x.length / 2, "y": y.length + 14 + size.line, "text": _axis_name(settings)}],
                size, align="center", colour=SOFT,
            ),
        ],
    )  # fmt: skip


def _axis_name(settings: _Settings) -> str:
    return "alpha, the weight of accuracy" if settings.name == "alpha" else "unit of electricity"


def _line(path: RankPath, settings: _Settings, number: int, x: Axis, y: Axis) -> Layer:
    """The ranks of a result over the settings; a rank that it keeps is one stroke."""
    rows: list[dict[str, float]] = []
    for (at, rank), (following, after) in pairwise(zip(settings.places, path.ranks, strict=True)):
        if rank is None or after is None:
            continue
        last = rows[-1] if rows else {}
        if last.get("to") == at and last["y"] == last["rank"] == rank == after:
            last["to"] = following
        else:
            rows.append({"x": at, "y": rank, "to": following, "rank": after})
    places = {"x": x.at("x"), "y": y.at("y"), "x2": x.at("to"), "y2": y.at("rank")}
    dash = DASHES[number // len(SERIES) % len(DASHES)]
    return layer(
        "rule", rows, places,
        stroke=SERIES[number % len(SERIES)], strokeWidth=2.5, strokeCap="round", strokeDash=dash,
    )  # fmt: skip


def _corners(paths: Sequence[RankPath], settings: _Settings, x: Axis, y: Axis, bottom_rank: float) -> Layer:
    """A dot where a rank begins, ends or changes; a hollow one below the line where there is no score."""
    rows: list[dict[str, object]] = []
    for number, path in enumerate(paths):
        colour = SERIES[number % len(SERIES)]
        below = [sum(p.ranks[n] is None for p in paths[:number]) for n in range(len(path.ranks))]
        for n, (at, rank) in enumerate(zip(settings.places, path.ranks, strict=True)):
            near = {path.ranks[max(0, n - 1)], path.ranks[min(len(path.ranks) - 1, n + 1)]}
            if near == {rank} and 0 < n < len(path.ranks) - 1 and settings.name == "alpha":
                continue
            rows.append({
                "x": at, "y": bottom_rank + below[n] if rank is None else rank, "shape": "circle",
                "fill": PAPER if rank is None else colour, "stroke": colour, "area": 40, "opacity": 1,
            })  # fmt: skip
    return symbol_layer(rows, x=x.at("x"), y=y.at("y"))


def _ends(
    paths: Sequence[RankPath], end: int, y: Axis, size: Size, column: float, width: float, bottom_rank: float
) -> Layer:
    """The names at one end, at their ranks; where several would lie on one another they make room. A name is
    cut the same at both ends."""
    wanted, texts = [], []
    room = column - 14 - text_width(f"{len(paths)} ", size.text)
    below = 0
    for path in paths:
        rank = path.ranks[end]
        number = "–" if rank is None else str(rank)
        wanted.append(y.pixel(bottom_rank + below if rank is None else rank))
        below += rank is None
        name = fitted(path.label, room, size.text)
        texts.append(f"{name} {number}" if end == 0 else f"{number} {name}")
    places = spread(wanted, size.line, 0, y.length)
    at = -10 if end == 0 else width + 10
    rows = [{"x": at, "y": place, "text": text} for place, text in zip(places, texts, strict=True)]
    return written(rows, size, align="right" if end == 0 else "left")


def _key(settings: _Settings, has_unscored: bool) -> list[Entry]:
    text = f"configured: {settings.name} {settings.configured_text}"
    entries = [Entry(text=text, shape="line", stroke=SOFT, dash=[4, 3])]
    if has_unscored:
        text = "– too little electricity for a score"
        entries.append(Entry(text=text, shape="circle", fill=PAPER, stroke=INK, area=40))
    return entries


def _description(paths: Sequence[RankPath], settings: _Settings) -> str:
    still = sum(len(set(path.ranks)) == 1 for path in paths)
    first = {shortened(path.label, 40) for path in paths if 1 in path.ranks}
    text = (
        f"{len(paths)} results, {settings.name} from {settings.texts[0]} to {settings.texts[-1]}: "
        f"{still} of them keep{'s' if still == 1 else ''} one rank throughout. "
        f"First somewhere: {', '.join(sorted(first)[:4])}"
    )
    return text + (f" and {len(first) - 4} more." if len(first) > 4 else ".")
