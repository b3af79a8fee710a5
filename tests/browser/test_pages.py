"""Every page as people open it: from a file, on any screen, light or dark, without a network."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import PageOf
from tests.browser.observe import (
    DESKTOP,
    PHONE,
    TABLET,
    cut_captions,
    dead_links,
    inaccessible,
    misplaced_headings,
    overflow,
    shadows,
    visit,
    words_of,
)
from tests.browser.pages import CASES

each_page = pytest.mark.parametrize("name", CASES)


@each_page
def test_a_page_asks_for_nothing_and_breaks_nothing(browser: Browser, page_of: PageOf, name: str) -> None:
    with visit(browser, page_of(name)) as opened:
        opened.page.keyboard.press("Tab")
        assert opened.complaints() == []


@each_page
@pytest.mark.parametrize("width", [PHONE, TABLET, DESKTOP])
def test_a_page_is_no_wider_than_the_window(browser: Browser, page_of: PageOf, name: str, width: int) -> None:
    with visit(browser, page_of(name), width=width) as opened:
        assert overflow(opened.page) == []


@each_page
@pytest.mark.parametrize("width", [PHONE, TABLET, DESKTOP])
def test_a_caption_is_read_without_scrolling(
    browser: Browser, page_of: PageOf, name: str, width: int
) -> None:
    with visit(browser, page_of(name), width=width) as opened:
        assert cut_captions(opened.page) == []


@each_page
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESKTOP, "light"), (DESKTOP, "dark")])
def test_axe_finds_no_serious_fault(
    browser: Browser, page_of: PageOf, name: str, width: int, scheme: str
) -> None:
    with visit(browser, page_of(name), width=width, color_scheme=scheme) as opened:
        assert inaccessible(opened.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_that_is_cut_off_has_a_shadow_where_there_is_more(
    browser: Browser, page_of: PageOf, scheme: str
) -> None:
    with visit(browser, page_of("group, a month"), width=PHONE, color_scheme=scheme) as opened:
        tables = [table for table in opened.page.locator(".scroll").all() if table.is_visible()]
        found = [shadows(opened.page, table) for table in (*tables[:2], tables[-1])]
    # At its beginning and at its end: whether there is one at the left, and at the right.
    assert set(found) == {
        (True, ((False, True), (True, False))),
        (False, ((False, False), (False, False))),
    }


@each_page
def test_the_headings_are_an_outline(browser: Browser, page_of: PageOf, name: str) -> None:
    with visit(browser, page_of(name)) as opened:
        assert misplaced_headings(opened.page) == []


@each_page
def test_every_link_leads_to_a_part_of_the_page_or_a_file_beside_it(
    browser: Browser, page_of: PageOf, name: str
) -> None:
    path = page_of(name)
    with visit(browser, path) as opened:
        assert dead_links(opened.page, path) == []
        links = opened.page.eval_on_selector_all("a", "all => all.map(e => e.getAttribute('href'))")
    assert {path.with_suffix(suffix).name for suffix in (".csv", ".json")} <= set(links)


@each_page
def test_a_page_says_the_same_without_scripts(browser: Browser, page_of: PageOf, name: str) -> None:
    with visit(browser, page_of(name)) as opened:
        said = words_of(opened.page)
    with visit(browser, page_of(name), java_script_enabled=False) as opened:
        assert words_of(opened.page) == said
    assert len(said) > 500
