"""The picture of the README, from the pages of the demo: `python -m tests.browser.picture`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.observe import CHROMIUM, FLAGS

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "page.png"
#: Of each: the page, and the heading from which on it is shown; None: from its beginning.
PANELS = (("vision", None), ("vision", "Results and what they cost"), ("cluster", None))
#: Three windows of this size in CSS pixels, with a margin between, drawn at two thirds of it.
PANEL, MARGIN, SCALE = {"width": 860, "height": 1_250}, 20, 2 / 3


def panel(browser: Browser, page: Path, heading: str | None) -> bytes:
    """What a window of that size shows of a page, as PNG."""
    window = browser.new_page(viewport=PANEL, device_scale_factor=SCALE)
    window.goto(page.as_uri())
    if heading:
        window.get_by_role("heading", name=heading, exact=True).evaluate("found => found.scrollIntoView()")
    shown = window.screenshot()
    window.close()
    return shown


def beside(browser: Browser, panels: list[bytes]) -> bytes:
    """Pictures beside one another, as PNG."""
    images = "".join(
        f'<img width="{PANEL["width"]}" src="data:image/png;base64,{b64encode(each).decode()}">'
        for each in panels
    )
    width = len(panels) * (PANEL["width"] + MARGIN) - MARGIN
    window = browser.new_page(viewport={**PANEL, "width": width}, device_scale_factor=SCALE)
    window.set_content(
        f"<style>body {{ margin: 0; display: flex; gap: {MARGIN}px; background: #cdd4d1 }}</style>{images}"
    )
    shown = window.screenshot()
    window.close()
    return shown


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        out = Path(name) / "demo"
        subprocess.run([sys.executable, "-m", "sam_cluster", "demo", "--out", out], check=True)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), chromium_sandbox=False
        )
        with browser:
            panels = [
                panel(browser, next((out / "pages").glob(f"{page}-*.html")), heading)
                for page, heading in PANELS
            ]
            PICTURE.write_bytes(beside(browser, panels))


if __name__ == "__main__":
    main()
