"""From the SVG that Vega writes to one that a page with a strict policy may hold.

Only elements and attributes of two closed lists are kept, so that no style, script, reference, id or class
gets into the page whatever Vega writes.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

ELEMENTS = frozenset({"svg", "g", "path", "line", "text"})

#: What a group may state for all its children, when all of them say the same.
INHERITED = frozenset({
    "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linecap",
    "stroke-linejoin", "font-weight", "text-anchor", "paint-order",
})  # fmt: skip
ATTRIBUTES = INHERITED | {"x2", "y2", "d", "transform", "opacity"}

FONT = "system-ui, sans-serif"
DECIMALS = 2
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def cleaned(svg: str, *, title: str, font_size: int) -> str:
    """The drawing with a role, a name and a size of letters (px), safe and always the same for the same
    picture."""
    root = ElementTree.fromstring(svg)  # noqa: S314  (Vega's own writing; whatever it holds is filtered below)
    frame = {name: _NUMBER.sub(_rounded, root.attrib[name]) for name in ("width", "height", "viewBox")}
    _filter(root)
    _gather(root)
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "role": "img",
        "aria-label": title,
        "focusable": "false",
        "font-family": FONT,
        "font-size": str(font_size),
        "fill": "none",
        **frame,
    }
    return ElementTree.tostring(root, encoding="unicode")


def _filter(element: ElementTree.Element) -> None:
    """Drops what is not on the lists, what is not to be seen, and digits that nobody can see."""
    element.tag = element.tag.rpartition("}")[2]
    for child in list(element):
        hidden = child.get("display") == "none" or child.get("d") == "M0,0h0v0h0Z"
        _filter(child)
        unseen = child.tag == "path" and not {"fill", "stroke"} & set(child.attrib)
        if child.tag not in ELEMENTS or hidden or unseen or (child.tag == "g" and not len(child)):
            element.remove(child)
    if element.get("opacity") == "1":
        del element.attrib["opacity"]
    if element.tag == "text" and "stroke" in element.attrib:
        element.set("paint-order", "stroke")  # the halo behind the letters, not over them
        element.set("stroke-linejoin", "round")
    element.attrib = {
        name: _NUMBER.sub(_rounded, value) for name, value in element.attrib.items() if name in ATTRIBUTES
    }
    if element.get("transform") == "translate(0,0)":
        del element.attrib["transform"]


def _rounded(number: re.Match[str]) -> str:
    return (
        f"{round(float(number[0]), DECIMALS) + 0.0:g}"
        if abs(float(number[0])) < 1000
        else f"{float(number[0]):.0f}"
    )


def _gather(element: ElementTree.Element) -> None:
    """Moves what all children of a group say to the group, and drops groups that say nothing."""
    for child in element:
        _gather(child)
    flat: list[ElementTree.Element] = []
    for child in element:
        flat.extend(child if child.tag == "g" and not child.attrib else [child])
    element[:] = flat
    if element.tag == "g" and flat:
        for name in sorted(INHERITED):
            values = {child.get(name) for child in flat}
            if len(values) == 1 and None not in values:
                element.set(name, str(values.pop()))
                for child in flat:
                    del child.attrib[name]
