"""From the SVG that Vega writes to one that a page with a strict policy may hold.

Only elements and attributes of two closed lists are kept, so that no style, script, reference, id or class
gets into the page whatever Vega writes.
"""

from __future__ import annotations

import re
from itertools import chain, groupby
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
#: A number with more decimals than a picture shows.
_NUMBER = re.compile(rf"-?\d+(?:\.\d{{{DECIMALS + 1},}}|(?:\.\d+)?e-\d+)")


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
        name: _NUMBER.sub(_rounded, value) if "." in value or "e-" in value else value
        for name, value in element.attrib.items()
        if name in ATTRIBUTES
    }
    if element.get("transform") == "translate(0,0)":
        del element.attrib["transform"]


def _rounded(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), DECIMALS) + 0.0:.12g}"


def _gather(element: ElementTree.Element) -> None:
    """States once what several say: at a group what all its children say, in a group around them what
    neighbours say. Groups that say nothing go."""
    children = list(element)
    for child in children:
        _gather(child)
    if element.tag == "g" and children:
        first = _looks(children[0])
        same = [name for name in first if all(child.get(name) == first[name] for child in children)]
        _move(same, children, element)
    element[:] = []
    flat = chain.from_iterable(
        child if child.tag == "g" and not child.attrib else [child] for child in children
    )
    for looks, run in groupby(flat, _looks):
        alike = list(run)
        if looks and len(alike) > 1:
            around = ElementTree.SubElement(element, "g")
            _move(list(looks), alike, around)
            around.extend(alike)
        else:
            element.extend(alike)


def _looks(element: ElementTree.Element) -> dict[str, str]:
    return {name: value for name, value in sorted(element.items()) if name in INHERITED}


def _move(names: list[str], children: list[ElementTree.Element], group: ElementTree.Element) -> None:
    for name in names:
        for child in children:
            group.set(name, child.attrib.pop(name))
