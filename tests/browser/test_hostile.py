"""Whatever a user can name does nothing: not in the page, with its policy or without, and not in a CSV."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from sam_cluster.report.text import FORMULA, HIDDEN, shortened
from tests.browser.observe import PHONE, Visit, overflow, visit
from tests.browser.pages import HOSTILE, Case, hostile_rows, write_page

#: What a reader may do to an element.
EVENTS = ("mouseover", "mouseenter", "mousemove", "click", "focus", "blur", "keydown", "pointerdown", "load")


@pytest.fixture(scope="module", params=HOSTILE)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A text, and the page of a lab in which it is the name of everything."""
    text = HOSTILE[request.param]
    case = Case(rows=hostile_rows(text), words=("--group", "vision", "--period", "2026-10"))
    return text, write_page(case, tmp_path_factory.mktemp("hostile"))


def touch_everything(page: Page) -> None:
    """Let each element have each event that a handler in it may wait for, and follow no link."""
    page.evaluate(
        """events => {
            addEventListener('click', event => event.preventDefault(), true);
            for (const element of document.querySelectorAll('*'))
                for (const event of events)
                    element.dispatchEvent(new MouseEvent(event, {bubbles: true, cancelable: true}));
        }""",
        list(EVENTS),
    )


def handlers(page: Page) -> list[str]:
    """Attributes that would run something, and links that would."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('*')].flatMap(element => [...element.attributes].filter(
            a => a.name.startsWith('on') || /^\\s*(javascript|data|vbscript):/i.test(a.value)
        ).map(a => `${element.tagName} ${a.name}=${a.value}`))"""
    )
    return list(found)


@pytest.mark.parametrize("has_policy", [True, False], ids=["policy", "no policy"])
def test_nothing_that_a_user_named_runs(
    browser: Browser, written: tuple[str, Path], has_policy: bool
) -> None:
    with visit(browser, written[1], width=PHONE, bypass_csp=not has_policy) as opened:
        touch_everything(opened.page)
        assert opened.complaints() == []
        assert handlers(opened.page) == []
        assert overflow(opened.page) == []


def test_what_a_user_named_is_shown_as_text(browser: Browser, written: tuple[str, Path]) -> None:
    text, path = written
    with visit(browser, path) as opened:
        body = opened.page.text_content("body") or ""
        elements = opened.page.evaluate(
            "document.querySelectorAll('.page :is(script, img, b, [onload])').length"
        )
    shown = "".join(shortened(text)[:20].split())
    assert shown in "".join(body.split())
    assert "49" not in body or "7*7" not in text
    assert not [c for c in body if unicodedata.category(c) in HIDDEN - {"Cc"} or c in "\x1b\x07\x9b"]
    assert elements == 0


def test_no_cell_of_the_csv_is_a_formula(written: tuple[str, Path]) -> None:
    text, page = written
    with page.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not text.isprintable() or any(text in cell for cell in cells)
    assert [cell for cell in cells if cell.lstrip(" ").startswith(FORMULA)] == []


@pytest.mark.parametrize("text", [name for name in HOSTILE.values() if "/" in name or "<" in name])
def test_a_lab_with_a_hostile_name_has_a_page_in_its_place(
    browser: Browser, tmp_path: Path, text: str
) -> None:
    rows = hostile_rows("x")
    for row in (*rows["jobs"], *rows["runs"]):
        row["account"] = text
    path = write_page(Case(rows=rows, words=("--group", text, "--period", "2026-10")), tmp_path)
    assert path.parent == tmp_path / "pages"
    with visit(browser, path, bypass_csp=True) as opened:
        touch_everything(opened.page)
        assert opened.complaints() == []
        assert handlers(opened.page) == []


def test_a_handler_that_gets_in_is_touched_and_seen(browser: Browser, written: tuple[str, Path]) -> None:
    broken = written[1].with_name("broken.html")
    source = written[1].read_text("utf-8")
    broken.write_text(
        source.replace("<main>", "<main><p onmouseover=\"window.canary = 'hover'\">x</p>"), "utf-8"
    )
    with visit(browser, broken, bypass_csp=True) as opened:
        touch_everything(opened.page)
        assert _ran(opened) == ["ran: hover"]
        assert handlers(opened.page) == ["P onmouseover=window.canary = 'hover'"]


def _ran(opened: Visit) -> list[str]:
    return [complaint for complaint in opened.complaints() if complaint.startswith("ran")]
