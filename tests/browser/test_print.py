"""Every page on paper: whole, with nothing cut off at the right."""

from __future__ import annotations

import io
import unicodedata

import pypdf
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import PageOf
from tests.browser.observe import SHEET, overflow, visit
from tests.browser.pages import CASES


def sheets(page: Page) -> list[str]:
    """The text of each sheet of A4."""
    content = page.pdf(format="A4", prefer_css_page_size=False)
    return [sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(content)).pages]


def squeezed(text: str) -> str:
    """Without ligatures, and without white space and hyphens, which a PDF has in other places."""
    return "".join(unicodedata.normalize("NFKC", text).replace("-", "").split())


@pytest.mark.parametrize("name", CASES)
def test_a_page_prints_whole(browser: Browser, page_of: PageOf, name: str) -> None:
    with visit(browser, page_of(name), width=SHEET) as opened:
        page = opened.page
        page.emulate_media(media="print")
        assert overflow(page) == []
        cells = page.eval_on_selector_all(
            "h1, h2, h3, caption, thead th, tbody th",
            "all => all.filter(e => e.checkVisibility()).map(e => e.innerText)",
        )
        height = page.evaluate("document.scrollingElement.scrollHeight")
        printed = sheets(page)
    text = squeezed("".join(printed))
    assert [cell for cell in map(squeezed, cells) if cell.isascii() and cell not in text] == []
    assert all(sheet.strip() for sheet in printed), "an empty sheet"
    # A4 holds 1000 px of height; what may not be broken can leave much of a sheet empty, not most of all.
    assert 1 <= len(printed) <= 2 + height // 500
