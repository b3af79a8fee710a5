"""A page opened in a real browser, and what is wrong with it.

Each function gives its complaints as a list of texts, so that a test says all that is wrong at once, and so
that a page with a planted fault shows that the fault would be seen (`test_harness.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

PHONE, TABLET, DESKTOP = 360, 768, 1440
#: What an A4 sheet leaves for the text with margins of 15 mm, in CSS pixels.
SHEET = 680

SERIOUS = ("serious", "critical")

#: Runs before the page and beside its policy: what the page did, and what it was kept from.
WITNESS = """
window.violations = [];
document.addEventListener('securitypolicyviolation',
    event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));
"""


def reason_not_to_browse() -> str | None:
    """Why no page can be opened on this machine, or None where one can."""
    return None if shutil.which(CHROMIUM) else f"pages are opened in {CHROMIUM} (Debian package chromium)"


class Visit:
    """One page in a browser window of its own, and what it asked for and said."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self._address = path.as_uri()
        self._said: list[str] = []
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self._said.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: (self._said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.context.on("page", lambda other: self._said.append(f"window: {other.url}"))
        page.route("**/*", self._let_the_page_pass)

    def open(self) -> None:
        """Load the page."""
        self.page.goto(self._address, wait_until="load")

    def complaints(self) -> list[str]:
        """Every request but that for the page itself, error, dialog, window and breach of the policy, up to
        when nothing is asked for any more."""
        self.page.wait_for_load_state("networkidle")
        breaches = self.page.evaluate("window.violations ?? []")
        ran = self.page.evaluate("window.canary")
        return [
            *self._said,
            *(f"breach: {breach}" for breach in breaches),
            *([f"ran: {ran}"] if ran is not None else []),
        ]

    def _let_the_page_pass(self, route: Route) -> None:
        if route.request.url.partition("#")[0] == self._address:
            route.continue_()
        else:
            self._said.append(f"request: {route.request.url}")
            route.abort()

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self._said.append(f"{kind}: {text}")


@contextmanager
def visit(browser: Browser, path: Path, *, width: int = DESKTOP, **context: Any) -> Iterator[Visit]:
    """The page, opened from its file in a window of that width; `context` is Playwright's."""
    with browser.new_context(viewport={"width": width, "height": 900}, **context) as window:
        window.add_init_script(WITNESS)
        opened = Visit(window.new_page(), path)
        opened.open()
        yield opened


def overflow(page: Page) -> list[str]:
    """What makes the page wider than its window: the innermost elements that reach beyond it and are not
    in a part that scrolls by itself."""
    found = page.evaluate(
        """() => {
            const root = document.scrollingElement, width = root.clientWidth;
            if (root.scrollWidth <= width) return [];
            const scrolls = e => e && e !== document.body && e !== root &&
                (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
            const wide = [...document.body.querySelectorAll('*')].filter(
                e => e.getBoundingClientRect().right > width + .5 && !scrolls(e.parentElement));
            const inner = wide.filter(e => !wide.some(other => other !== e && e.contains(other)));
            const named = e => `${e.tagName}.${e.getAttribute('class')} ${e.textContent.trim().slice(0, 40)}`;
            return [`${root.scrollWidth} px in ${width}`, ...inner.slice(0, 5).map(named)];
        }"""
    )
    return list(found)


def cut_captions(page: Page) -> list[str]:
    """Captions and headings over all columns of a table that are read whole only by one who scrolls it."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('.scroll caption, .scroll [scope=colgroup] > *')].filter(e => {
            const edge = e.closest('.scroll').getBoundingClientRect().right;
            return e.getBoundingClientRect().right > edge + .5;
        }).map(e => e.textContent.trim().slice(0, 40))"""
    )
    return list(found)


def shadows(page: Page, table: Locator) -> tuple[bool, tuple[tuple[bool, bool], ...]]:
    """Whether a part that scrolls is cut off, and whether at its beginning and at its end there is a shadow
    at the left and at the right of it, as seen where its content is hidden."""
    more = table.evaluate(
        """e => {
            e.querySelector('table').style.visibility = 'hidden';
            e.scrollIntoView();
            return e.scrollWidth - e.clientWidth;
        }"""
    )
    seen = []
    for at in (0, more):
        table.evaluate("(e, at) => { e.scrollLeft = at; }", at)
        box = table.bounding_box()
        assert box is not None
        edges = (box["x"] + box["width"] / 2, box["x"], box["x"] + box["width"] - 3)
        middle, left, right = (
            page.screenshot(clip={"x": round(x), "y": box["y"] + 5, "width": 3, "height": 3}) for x in edges
        )
        seen.append((left != middle, right != middle))
    return more > 0, tuple(seen)


def inaccessible(page: Page) -> list[str]:
    """The serious and critical violations that axe finds, and where the first of each is."""
    # Over a gradient axe judges no contrast; the shadows of tables are for what is cut off.
    page.evaluate("() => document.querySelectorAll('.scroll').forEach(e => { e.style.background = 'none'; })")
    result = Axe().run(page).response
    serious = [rule for rule in result["violations"] if rule["impact"] in SERIOUS]
    first = [(rule, rule["nodes"][0]) for rule in serious]
    return [f"{rule['id']} at {node['target']}: {node['failureSummary']}" for rule, node in first]


def misplaced_headings(page: Page) -> list[str]:
    """Where the outline of the page does not begin with its only h1, or leaves a level out."""
    found = page.eval_on_selector_all(
        "h1, h2, h3, h4, h5, h6", "all => all.map(e => [Number(e.tagName[1]), e.textContent.trim()])"
    )
    levels = [level for level, _ in found]
    complaints = [f"{levels.count(1)} h1"] if levels[:1] != [1] or levels.count(1) != 1 else []
    return complaints + [
        f"h{level} {text!r} after h{before}"
        for (before, _), (level, text) in pairwise(found)
        if level > before + 1
    ]


def dead_links(page: Page, path: Path) -> list[str]:
    """Links that lead neither to a part of the page nor to a file beside it."""
    links = page.eval_on_selector_all("[href]", "all => all.map(e => e.getAttribute('href'))")
    ids = set(page.eval_on_selector_all("[id]", "all => all.map(e => e.id)"))
    return [link for link in links if not _leads_somewhere(link, ids, path.parent)]


def _leads_somewhere(link: str, ids: set[str], directory: Path) -> bool:
    parts = urlsplit(link)
    if link.startswith("#"):
        return parts.fragment in ids
    is_a_name = not parts.scheme and not parts.netloc and "/" not in unquote(parts.path)
    return is_a_name and (directory / unquote(parts.path)).is_file()


def words_of(page: Page) -> str:
    """What the page says, its white space evened out."""
    return " ".join(page.inner_text("body").split())
