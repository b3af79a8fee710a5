"""A page as PDF, by a browser that is installed or by WeasyPrint.

Neither gives the same bytes twice: a PDF holds the time it was made and ids of its own. The page has no
script and its policy lets it load nothing; the browser is given no network either.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import ReportError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer",
)  # fmt: skip
PATIENCE_SECONDS = 120.0


def printer(environ: Mapping[str, str]) -> Callable[[str], bytes]:
    """What makes a PDF of a page on this machine. Raises ReportError where nothing does."""
    for name in BROWSERS:
        if found := shutil.which(name, path=environ.get("PATH")):
            return partial(by_browser, found)
    if find_spec("weasyprint") is not None:
        return by_weasyprint
    raise ReportError(
        "--pdf needs a browser or WeasyPrint: install Debian's chromium, or pip install weasyprint; "
        f"looked for {', '.join(BROWSERS)} in PATH"
    )


def by_browser(browser: str, page: str) -> bytes:
    """The page printed by a browser without a window, in a profile of its own."""
    # A sandbox cannot be set up by root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="sam-cluster-pdf-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        source, target = directory / "page.html", directory / "page.pdf"
        source.write_text(without_files(page), encoding="utf-8")
        words = [browser, *FLAGS, *sandbox, f"--user-data-dir={directory / 'profile'}",
                 f"--print-to-pdf={target}", source.as_uri()]  # fmt: skip
        # The home of a service user may not be there, and a browser wants one. Not TMPDIR: it makes a socket
        # there, whose path may have 107 bytes, and aborts where it has more.
        environ = {"PATH": os.defpath, "HOME": name, "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                words, env=environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise ReportError(f"{browser} did not print within {PATIENCE_SECONDS:g} s") from None
        except OSError as error:
            raise ReportError(f"{browser} cannot be run: {error.strerror}") from None
        if done.returncode or not target.is_file():
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ReportError(f"{browser} printed nothing (exit code {done.returncode}): {said:.300}")
        return target.read_bytes()


def by_weasyprint(page: str) -> bytes:
    """The page printed by WeasyPrint, which is allowed to load nothing."""
    import weasyprint

    try:
        nothing = weasyprint.urls.URLFetcher(allowed_protocols=())
    except AttributeError:
        raise ReportError("--pdf needs WeasyPrint 68 or later: pip install --upgrade weasyprint") from None
    content: bytes = weasyprint.HTML(string=without_files(page), url_fetcher=nothing).write_pdf()
    return content


def without_files(page: str) -> str:
    """The page without its links to the files beside it, which lead nowhere from a PDF that is sent on.

    In text of users a quotation mark is always written as an entity.
    """
    return re.sub(r' href="(?!#)[^"]*"', "", page)
