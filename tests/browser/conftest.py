"""One real browser for all tests of this directory, and each page written once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.observe import CHROMIUM, FLAGS, reason_not_to_browse
from tests.browser.pages import CASES, write_page

PageOf = Callable[[str], Path]


# Not longer than for this directory: Playwright keeps an event loop running in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, without a window; Playwright gives it a new profile."""
    reason = reason_not_to_browse()
    if reason is not None and "CI" in os.environ:
        pytest.fail(f"the browser tests must run in CI: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), chromium_sandbox=False)
        with found:
            yield found


@pytest.fixture(scope="session")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> PageOf:
    """The file of a page, by the name of its case."""
    written: dict[str, Path] = {}

    def page_of(name: str) -> Path:
        if name not in written:
            written[name] = write_page(CASES[name], tmp_path_factory.mktemp("page"))
        return written[name]

    return page_of
