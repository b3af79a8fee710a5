"""The page: what it looks like, and what hostile text cannot make it do."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import jinja2
import pytest

from sam_cluster.report import render
from sam_cluster.report.charts.picture import Picture
from sam_cluster.report.group.pictures import GroupPictures, TaskPictures, group_pictures
from sam_cluster.report.group.view import GroupView
from sam_cluster.report.render import environment, period_title
from tests.unit.report.month import CONFIG, OCTOBER, ROWS, simulated, view
from tests.unit.report.tables import MODEL, at, job_rows, result_row, together

GOLD = Path(__file__).resolve().parents[2] / "gold"
TOP_JOBS = 25  # that the page lists
VOID = {"meta", "br", "hr", "img", "input", "link"}


def page(given: GroupView | None = None) -> str:
    given = given or view()
    return written(given, group_pictures(given))


def written(given: GroupView, pictures: GroupPictures) -> str:
    return render.page(
        "group.html.j2",
        given,
        csv_name="vision-2026-10.csv",
        json_name="vision-2026-10.json",
        pictures=pictures,
    )


def undrawn(picture: Picture | None) -> Picture | None:
    """The picture without its drawings, which change with the library that draws them."""
    return picture and replace(picture, wide="<!-- wide -->", narrow="<!-- narrow -->")


def without_drawings(pictures: GroupPictures) -> GroupPictures:
    return GroupPictures(
        days=undrawn(pictures.days),
        endings=undrawn(pictures.endings),
        tasks=tuple(
            TaskPictures(
                results=undrawn(panel.results),
                orders=undrawn(panel.orders),
                over_alpha=undrawn(panel.over_alpha),
                over_unit=undrawn(panel.over_unit),
            )
            for panel in pictures.tasks
        ),
    )


class Elements(HTMLParser):
    """Every element with its attributes, and the visible text; fails where tags do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.text += data

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.found if name == tag)


def test_the_page_is_the_gold_one() -> None:
    actual = written(view(), without_drawings(group_pictures(view())))
    expected = GOLD / "group.html"
    if not expected.is_file() or actual != expected.read_text("utf-8"):
        (GOLD / "actual").mkdir(exist_ok=True)
        (GOLD / "actual" / "group.html").write_text(actual, "utf-8")
        pytest.fail("the page differs from tests/gold/group.html; see tests/gold/README.md")


def test_the_headline_says_how_sure_it_is_and_the_page_what_that_means() -> None:
    shown = " ".join(Elements(page(view(job_rows(1, "2026-10-05 09:00", 4, 40.0)))).text.split())
    assert "used 40.0 kWh (± 2.00 kWh)" in shown
    assert "Figures are what NVML, the GPUs' own meter, says" in shown
    assert "as this site has calibrated it" not in shown
    calibrated = replace(CONFIG, calibration={MODEL: 0.01})
    shown = " ".join(
        Elements(page(view(job_rows(1, "2026-10-05 09:00", 4, 40.0), config=calibrated))).text.split()
    )
    assert "used 40.0 kWh (± 400 Wh)" in shown
    assert f"calibrated it ({MODEL} 1.0 %) and ±5 % for other models" in shown


def test_the_same_view_gives_the_same_bytes() -> None:
    assert page() == page(view())


def test_the_page_needs_nothing_but_itself() -> None:
    elements = Elements(page())
    tags = Counter(tag for tag, _ in elements.found)
    assert not tags & Counter({"link": 1, "img": 1, "iframe": 1, "object": 1, "form": 1, "base": 1})
    assert list(elements.named("script")) == [{}]
    addresses = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in ("href", "src")
    ]
    assert [
        address
        for address in addresses
        if not re.fullmatch(r"#[a-z]+|vision-2026-10\.(csv|json)", address or "")
    ] == []
    ids = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    assert set(re.findall(r"url\(([^)]*)\)", page())) <= {f"#{name}" for name in ids}
    assert "@import" not in page()


def digest_of(element: str, source: str) -> str:
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", source, re.DOTALL)
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def test_the_policy_allows_this_style_sheet_and_this_script_and_nothing_else() -> None:
    source = page()
    policy = next(
        m for m in Elements(source).named("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest_of('style', source)}'; "
        f"script-src 'sha256-{digest_of('script', source)}'; base-uri 'none'; form-action 'none'"
    )
    assert not any("style" in attributes for _, attributes in Elements(source).found)
    assert source.index("Content-Security-Policy") < source.index("<style>")


def test_the_page_can_be_read_without_seeing_it() -> None:
    elements = Elements(page())
    assert next(elements.named("html"))["lang"] == "en"
    ids = [a["id"] for _, a in elements.found if "id" in a]
    assert len(ids) == len(set(ids))
    labels = [a["aria-labelledby"] for _, a in elements.found if "aria-labelledby" in a]
    assert set(labels) - set(ids) == set()
    count = Counter(tag for tag, _ in elements.found)
    assert count["caption"] == count["table"]
    assert all("scope" in attributes for attributes in elements.named("th"))
    assert all(attributes.get("role") == "img" for attributes in elements.named("svg"))
    headings = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1 and all(after <= before + 1 for before, after in pairwise(headings))


def test_a_page_of_simulated_data_says_so_at_its_top() -> None:
    banner = "Simulated data"
    assert banner not in Elements(page()).text
    text = Elements(page(view(simulated()))).text
    assert text.index(banner) < text.index("GPU energy and results of a lab")


def test_a_page_of_an_open_period_says_so() -> None:
    assert "preliminary" not in Elements(page()).text
    assert "preliminary" in Elements(page(view(period=replace(OCTOBER, is_preliminary=True)))).text


def test_a_page_of_a_period_in_which_metering_began_says_so() -> None:
    said = "what ran unmetered is in no figure"
    assert said not in Elements(page()).text
    assert said in Elements(page(view(period=replace(OCTOBER, is_begun=False)))).text


def test_a_lab_without_jobs_has_a_page_that_says_so() -> None:
    assert "had no GPU job in this period" in Elements(page(view({}))).text


def test_an_unknown_energy_is_called_unknown() -> None:
    text = Elements(page(view({"jobs": [dict(ROWS["jobs"][11])]}))).text
    assert "energy the lab's 1 GPU job used is not known" in " ".join(text.split())


def test_only_the_jobs_with_the_most_energy_are_shown_and_the_csv_is_named_for_the_rest() -> None:
    rows = together(*(job_rows(n, "2026-10-05 09:00", 1, float(n)) for n in range(1, TOP_JOBS + 11)))
    text = Elements(page(view(rows))).text
    assert f"The {TOP_JOBS} jobs with the most energy" in text
    shown = re.findall(r"^(\d+)$", text, re.MULTILINE)
    assert str(TOP_JOBS + 10) in shown


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% for %}",
    "=cmd('calc')!A0",
    "\x1b[2J\x00\x07\x9b31m",
    "\u202egnp.exe\u2066",
    "</title></style><svg onload=alert(1)>",
    "javascript:alert(1)",
    "x" * 10_000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_a_user_can_write_it(text: str) -> None:
    rows = together(
        job_rows(1, "2026-10-05 09:00", 4, 5.0, user=text, job_name=text, account="vision", state=text),
        {
            "results": [
                result_row(
                    1, 0.9, ["1"], task=text, metric=text, dataset=text, split=text, model=text, user=text
                )
            ]
        },
    )
    source = page(view(rows))
    plain = view(
        together(
            job_rows(1, "2026-10-05 09:00", 4, 5.0, user="u", job_name="n", account="vision", state="s"),
            {
                "results": [
                    result_row(
                        1, 0.9, ["1"], task="t", metric="m", dataset="d", split="s", model="m", user="u"
                    )
                ]
            },
        )
    )
    # The same elements with the same attributes, whatever the text.
    assert Elements(source).found == Elements(page(plain)).found
    assert not set(source) & set("\x1b\x00\x07\x9b\u202e\u2066")
    assert len(source) < len(page(plain)) + 2_000


DRAWN = {"svg", "title", "desc", "defs", "clippath", "g", "path", "rect", "line", "text", "tspan"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_in_pictures_too(text: str) -> None:
    said = dict.fromkeys(("task", "metric", "dataset", "split", "model", "user"), text)
    results = [result_row(n, 0.5 + n / 10, ["1"], **said) for n in range(1, 5)]
    job = job_rows(1, "2026-10-05 09:00", 4, 5.0, user=text, job_name=text, account="vision")
    found = view(together(job, {"results": results}))
    panel = group_pictures(found).tasks[0]
    pictures = [panel.results, panel.orders, panel.over_alpha, panel.over_unit]
    assert all(pictures)
    drawings = [Elements(svg) for each in pictures if each for svg in (each.wide, each.narrow)]
    assert {tag for drawing in drawings for tag, _ in drawing.found} <= DRAWN
    named = {name for drawing in drawings for _, attributes in drawing.found for name in attributes}
    assert {name for name in named if name.startswith("on") or name in ("style", "href", "src")} == set()
    assert not set(page(found)) & set("\x1b\x00\x07\x9b\u202e\u2066")


def test_hostile_text_in_the_labs_own_name_stays_text() -> None:
    text = "<script>alert(1)</script>"
    found = view(job_rows(1, "2026-10-05 09:00", 4, 5.0, account=text), group=text)
    elements = Elements(page(found))
    assert not any(elements.named("script"))
    assert text in elements.text


def test_what_a_template_asks_for_and_is_not_there_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ view.nothing }}").render(view=view())


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("2026-10", "October 2026"),
        ("2026Q4", "2026Q4"),
        ("2026-10-03--2026-10-05", "2026-10-03 to 2026-10-05"),
        ("2026-10-05T090000--2026-10-05T103000", "2026-10-05 09:00 to 10:30"),
        ("2026-10-05T090000--2026-10-05T090001", "2026-10-05 09:00 to 09:00:01"),
        ("2026-10-05T233000--2026-10-06", "2026-10-05 23:30 to 2026-10-06"),
        ("2026-10-05--2026-10-05T103000", "2026-10-05 to 2026-10-05 10:30"),
    ],
)
def test_a_period_is_called_by_what_people_call_it(label: str, title: str) -> None:
    assert period_title(replace(OCTOBER, label=label, start=at("2026-09-30 23:00"))) == title
