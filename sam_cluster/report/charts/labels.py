"""Room for text: how wide it is at most, what fits, and where labels go without lying on each other.

Widths are estimates on the wide side (DejaVu Sans, the widest of the page's fonts): the reader's
fonts are not known where a picture is drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..text import SHORT, shortened

_NARROW = frozenset("ijlftrI.,:;'|!()[]/ ")
_LARGE = frozenset("mwMW@%…—≥≤")


def text_width(text: str, size: float) -> float:
    """The most px that a text takes at a letter size in px."""
    return sum(map(_ems, text)) * size


def _ems(character: str) -> float:
    if character in _NARROW:
        return 0.41
    if character in _LARGE:
        return 1.0
    if character.islower() or character.isdigit():
        return 0.64
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.78


def fitted(text: str, width: float, size: float, length: int = SHORT) -> str:
    """The visible text, cut where it is longer than a width in px: in its middle, for the names of models
    differ at their ends."""
    shown = shortened(text, length)
    if text_width(shown, size) <= width:
        return shown
    kept = len(shown) - 1
    while kept > 0 and text_width(_cut(shown, kept), size) > width:
        kept -= 1
    return _cut(shown, kept)


def _cut(text: str, kept: int) -> str:
    """So many characters of a text, from both its ends."""
    head = kept - kept * 2 // 5
    return text[:head].rstrip() + "…" + text[len(text) - (kept - head) :].lstrip() * (kept > head)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart between low and high, each as near to where it is wanted as the others
    let it (least squares, by pooling neighbours that would overlap). Positions keep the order of what is
    wanted, equal ones that of the sequence. Where there is no room for the gap, it is what there is room for.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    last = high - low - gap * (len(wanted) - 1)
    pools: list[tuple[float, int]] = []  # mean of (wanted - gap * place), and of how many
    for place, index in enumerate(order):
        mean, count = wanted[index] - gap * place, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    offsets = [min(max(mean, low), low + max(0.0, last)) for mean, count in pools for _ in range(count)]
    placed = [0.0] * len(wanted)
    for place, (index, offset) in enumerate(zip(order, offsets, strict=True)):
        placed[index] = offset + gap * place
    return placed


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A text that is to stand beside a mark of some radius, at x, y in px."""

    text: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A text with the left end and the middle of its line; `leader` is a line to its mark if it is far."""

    text: str
    x: float
    y: float
    box: Box
    leader: tuple[float, float, float, float] | None


#: Where a text may stand around its mark, the best first: the parts of its width and height by which it
#: is moved from there, and the direction in which it keeps its distance.
SIDES = (
    (0.0, 0.0, 1.0, 0.0), (-1.0, 0.0, -1.0, 0.0), (-0.5, -0.5, 0.0, -1.0), (-0.5, 0.5, 0.0, 1.0),
    (0.0, -0.5, 0.7, -0.7), (-1.0, -0.5, -0.7, -0.7), (0.0, 0.5, 0.7, 0.7), (-1.0, 0.5, -0.7, 0.7),
)  # fmt: skip
NEAR, FAR = 3.0, 16.0  # px from the edge of the mark; a text that is far has a line to it


def place(wanted: Iterable[Wanted], taken: Iterable[Box], bounds: Box, size: float) -> list[Placed]:
    """Each text where it meets neither a taken box nor a text placed before it; left out where there is
    no such place, so that those that matter most come first."""
    occupied, placed = list(taken), []
    for label in wanted:
        for found in _candidates(label, size):
            if bounds.holds(found.box) and not any(found.box.meets(other) for other in occupied):
                occupied.append(found.box)
                placed.append(found)
                break
    return placed


def _candidates(label: Wanted, size: float) -> Iterator[Placed]:
    width, height = text_width(label.text, size), size + 2
    for away in (NEAR, FAR):
        for by_width, by_height, right, down in SIDES:
            edge_x, edge_y = label.x + right * label.radius, label.y + down * label.radius
            end_x, end_y = edge_x + right * away, edge_y + down * away
            x, y = end_x + by_width * width, end_y + by_height * height
            leader = (edge_x, edge_y, end_x, end_y) if away == FAR else None
            yield Placed(label.text, x, y, Box(x, y - height / 2, x + width, y + height / 2), leader)
