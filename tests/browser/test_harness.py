"""A fault that is put into a page is seen: each of the harness's eyes is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import PageOf
from tests.browser.observe import (
    PHONE,
    SHEET,
    Visit,
    cut_captions,
    dead_links,
    inaccessible,
    misplaced_headings,
    overflow,
    visit,
)

PAGE = "group, a month"
WIDE_TABLE = "<table><tr>" + "<td>a_wide_cell</td>" * 40 + "</tr></table>"


@pytest.fixture
def planted(page_of: PageOf, tmp_path: Path) -> Callable[[str], Path]:
    """A page with something put in front of its main part."""

    def planted(fault: str) -> Path:
        path = tmp_path / "page.html"
        source = page_of(PAGE).read_text("utf-8")
        assert source.count("<main>") == 1
        path.write_text(source.replace("<main>", f"<main>{fault}"), "utf-8")
        return path

    return planted


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("<script>window.canary = 1</script>", "breach: script-src-elem inline"),
        ('<p onclick="window.canary = 1">', "breach: script-src-attr inline"),
        ('<img alt="" src="https://example.org/a.png">', "breach: img-src https://example.org/a.png"),
        ('<img alt="" src="beside.png">', "breach: img-src file"),
        ('<p style="color: red">', "breach: style-src-attr inline"),
        ("<style>p { color: red }</style>", "breach: style-src-elem inline"),
        ('<iframe src="https://example.org/"></iframe>', "breach: frame-src https://example.org"),
    ],
)
def test_what_the_policy_keeps_from_running_is_seen(
    browser: Browser, planted: Callable[[str], Path], fault: str, complaint: str
) -> None:
    with visit(browser, planted(fault)) as opened:
        complaints = opened.complaints()
    assert [each for each in complaints if each.startswith(complaint)], complaints
    assert not [each for each in complaints if each.startswith(("ran", "request"))]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("<script>window.canary = 'script'</script>", "ran: script"),
        ("<img src=x onerror=\"window.canary = 'handler'\">", "ran: handler"),
        ("<script>alert('hello')</script>", "dialog: hello"),
        ("<script>throw new Error('broken')</script>", "uncaught: broken"),
        ("<script>console.error('said')</script>", "error: said"),
        ("<script>window.open('about:blank')</script>", "window: about:blank"),
        ('<img alt="" src="https://example.org/a.png">', "request: https://example.org/a.png"),
        ('<link rel="prefetch" href="https://example.org/b">', "request: https://example.org/b"),
    ],
)
def test_what_would_run_without_the_policy_is_seen(
    browser: Browser, planted: Callable[[str], Path], fault: str, complaint: str
) -> None:
    with visit(browser, planted(fault), bypass_csp=True) as opened:
        assert complaint in opened.complaints()


def _headings(opened: Visit) -> list[str]:
    return misplaced_headings(opened.page)


@pytest.mark.parametrize(
    ("fault", "look"),
    [
        (WIDE_TABLE, lambda opened: overflow(opened.page)),
        (f"<p>{'x' * 200}</p>", lambda opened: overflow(opened.page)),
        ("<h4>too deep</h4>", _headings),
        ("<h1>another</h1>", _headings),
        ('<button></button><a href="#totals"></a>', lambda opened: inaccessible(opened.page)),
        ('<p class="meta"><font color="#cccccc">faint</font></p>', lambda opened: inaccessible(opened.page)),
    ],
)
def test_a_fault_of_form_is_seen(
    browser: Browser, planted: Callable[[str], Path], fault: str, look: Callable[[Visit], list[str]]
) -> None:
    with visit(browser, planted(fault), width=PHONE) as opened:
        assert look(opened) != []


def test_a_caption_as_wide_as_a_table_that_scrolls_is_seen(
    browser: Browser, planted: Callable[[str], Path]
) -> None:
    table = WIDE_TABLE.replace("<table>", f"<table><caption>{'as wide as that ' * 20}</caption>")
    style = "<style>.scroll caption { max-width: none }</style>"
    with visit(browser, planted(f'{style}<div class="scroll">{table}</div>'), bypass_csp=True) as opened:
        assert cut_captions(opened.page) != []


def test_a_table_too_wide_for_the_sheet_is_seen_though_it_scrolls_on_a_screen(
    browser: Browser, planted: Callable[[str], Path]
) -> None:
    fault = f'<div class="scroll">{WIDE_TABLE}</div>'
    with visit(browser, planted(fault), width=SHEET) as opened:
        assert overflow(opened.page) == []
        opened.page.emulate_media(media="print")
        assert overflow(opened.page) != []


@pytest.mark.parametrize(
    "link", ["#nothing", "missing.csv", "https://example.org/", "//example.org", "../x", "/etc/passwd"]
)
def test_a_dead_link_is_seen(browser: Browser, planted: Callable[[str], Path], link: str) -> None:
    path = planted(f'<a href="{link}">a link</a>')
    (path.parent / "vision-2026-10.csv").touch()
    (path.parent / "vision-2026-10.json").touch()
    with visit(browser, path) as opened:
        assert dead_links(opened.page, path) == [link]
