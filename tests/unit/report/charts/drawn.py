"""What a drawing holds, read back from its SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from sam_cluster.report.charts.labels import Box, text_width

SPACE = "{http://www.w3.org/2000/svg}"
TIGHT = 0.86  # of the estimated width, which is on the wide side: what a text surely takes


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def tag(element: ElementTree.Element) -> str:
    return element.tag.removeprefix(SPACE)


@dataclass(frozen=True)
class Text:
    """A text with its size in px and where it lies."""

    text: str
    size: float
    box: Box


def texts(svg: str) -> list[Text]:
    return list(_texts(parsed(svg), 0.0, 0.0, {}))


def _texts(element: ElementTree.Element, x: float, y: float, looks: dict[str, str]) -> Iterator[Text]:
    looks = looks | element.attrib
    moved = re.fullmatch(r"translate\((-?[\d.]+),(-?[\d.]+)\)", element.get("transform", "translate(0,0)"))
    assert moved is not None, element.attrib
    x, y = x + float(moved[1]), y + float(moved[2])
    if tag(element) == "text":
        size, text = float(looks["font-size"].removesuffix("px")), element.text or ""
        width = text_width(text, size) * TIGHT
        left = x - {"start": 0, "middle": width / 2, "end": width}[looks.get("text-anchor", "start")]
        yield Text(text, size, Box(left, y - 0.75 * size, left + width, y + 0.15 * size))
    for child in element:
        yield from _texts(child, x, y, looks)
