"""What holds of every picture: the same bytes, nothing active in it, a name, letters that can be read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from sam_cluster.report.charts.picture import Picture
from sam_cluster.report.charts.svg import ATTRIBUTES, ELEMENTS
from tests.unit.report.charts.drawn import parsed, tag, texts
from tests.unit.report.charts.samples import PICTURES

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """
import json
from tests.unit.report.charts.samples import PICTURES
drawn = {name: draw() for name, draw in PICTURES.items()}
print(json.dumps({name: [p.wide, p.narrow, p.description] for name, p in drawn.items()}))
"""
ROOT_ATTRIBUTES = {
    "role",
    "aria-label",
    "focusable",
    "font-family",
    "font-size",
    "width",
    "height",
    "viewBox",
    "fill",
}


@cache
def drawn(name: str) -> Picture:
    picture = PICTURES[name]()
    assert picture is not None
    return picture


def both(name: str) -> tuple[str, str]:
    return drawn(name).wide, drawn(name).narrow


every_picture = pytest.mark.parametrize("name", PICTURES)


@every_picture
def test_three_renderings_in_one_process_are_the_same(name: str) -> None:
    assert PICTURES[name]() == PICTURES[name]() == drawn(name)


def test_another_process_time_zone_and_locale_draw_the_same_bytes() -> None:
    there = {
        "TZ": "Pacific/Kiritimati",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "de_DE.UTF-8",
        "PYTHONHASHSEED": "7",
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env={**os.environ, **there, "PYTHONUTF8": "1"},
        capture_output=True, check=True,
    )  # fmt: skip
    mine = {name: [drawn(name).wide, drawn(name).narrow, drawn(name).description] for name in PICTURES}
    assert json.loads(result.stdout) == mine


@every_picture
def test_nothing_in_a_drawing_acts_or_refers_outside(name: str) -> None:
    for svg in both(name):
        root = parsed(svg)
        for element in root.iter():
            assert tag(element) in ELEMENTS
            assert set(element.attrib) <= ATTRIBUTES | (ROOT_ATTRIBUTES if element is root else set())
            for value in element.attrib.values():
                assert not re.search(r"url\((?!#)|javascript|https?:", value)
        assert svg.count("http") == 1, "the name space only"
        assert not re.search(r"style=|<style|<script|class=|\son\w+=|href", svg)


@every_picture
def test_colours_are_variables_of_the_page(name: str) -> None:
    css = (ROOT / "templates" / "report.css").read_text("utf-8")
    for svg in both(name):
        for element in parsed(svg).iter():
            for colour in (element.get("fill"), element.get("stroke")):
                assert colour in (None, "none", "transparent") or re.fullmatch(r"var\(--[a-z0-9-]+\)", colour)
        for variable in set(re.findall(r"var\((--[a-z0-9-]+)\)", svg)):
            assert css.count(f"{variable}: #") >= 3, f"{variable} has a value in light, dark and print"


@every_picture
def test_a_drawing_has_a_role_and_a_name_and_a_description(name: str) -> None:
    picture = drawn(name)
    for svg in both(name):
        assert parsed(svg).get("role") == "img"
        assert parsed(svg).get("aria-label") == picture.title
    assert len(picture.description) > 40
    assert re.search(r"\d", picture.description)


@every_picture
def test_letters_are_readable_and_inside_and_on_nothing_else(name: str) -> None:
    for svg, width in zip(both(name), (720, 328), strict=True):
        root = parsed(svg)
        assert float(root.attrib["width"]) == pytest.approx(width, abs=0.5)
        assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
        found = texts(svg)
        assert found
        for text in found:
            assert text.size >= 11
            assert text.box.left >= -1 and text.box.right <= width + 1, text
            assert text.box.top >= -1 and text.box.bottom <= float(root.attrib["height"]) + 1, text
        assert [(a, b) for a, b in combinations(found, 2) if a.box.meets(b.box)] == []


def test_a_picture_is_small() -> None:
    sizes = {name: max(map(len, both(name))) for name in PICTURES}
    assert {name: size for name, size in sizes.items() if size > 64_000} == {}


def test_nothing_is_drawn_before_it_is_asked_for() -> None:
    modules = ["sam_cluster.cli.main", "sam_cluster.cli.jobs", "sam_cluster.report.group"]
    modules += [
        f"sam_cluster.report.charts.{p.stem}" for p in (ROOT / "sam_cluster/report/charts").glob("[a-z]*.py")
    ]
    program = f"import sys, {', '.join(modules)}; print('vl_convert' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert result.stdout == "False\n"
