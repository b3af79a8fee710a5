"""report --pdf: the page printed by the browser that is there."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pypdf
import pytest

from sam_cluster.core.errors import ReportError
from sam_cluster.report.pdf import by_browser, without_files
from tests.browser.observe import CHROMIUM
from tests.browser.pages import CONFIG
from tests.unit.cli.stores import make_store, run
from tests.unit.report.month import ROWS

PATH = {"PATH": "/usr/bin:/bin"}
STEM = "vision-2026-10"


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """A command line that makes a report in `out`."""
    store = make_store(tmp_path / "store", ROWS)
    (tmp_path / "config.toml").write_text(CONFIG)
    return ("report", "--store", str(store), "--config", str(tmp_path / "config.toml"))


@pytest.mark.usefixtures("browser")
def test_a_pdf_lies_beside_the_page_says_the_same_and_is_in_the_manifest(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = ("--group", "vision", "--period", "2026-10", "-o", str(out), "--pdf")
    assert run(*words, *asked, environ=PATH) == 3
    reader = pypdf.PdfReader(out / f"{STEM}.pdf")
    text = unicodedata.normalize("NFKC", " ".join(sheet.extract_text() for sheet in reader.pages))
    assert "vision, October 2026" in text and "How these figures are made" in text
    assert _addresses(reader) == []
    manifest = out / f"{STEM}.manifest.json"
    listed = json.loads(manifest.read_text())["files"]
    assert {name: each["reproducible"] for name, each in listed.items()} == {
        f"{STEM}.csv": True, f"{STEM}.html": True, f"{STEM}.json": True, f"{STEM}.pdf": False,
    }  # fmt: skip
    assert run(*words, "--verify", str(manifest)) == 0
    with (out / f"{STEM}.pdf").open("ab") as file:
        file.write(b"\n")
    assert run(*words, "--verify", str(manifest)) == 1


def _addresses(reader: pypdf.PdfReader) -> list[str]:
    """What the links of a PDF lead to outside of it."""
    notes = [note.get_object() for sheet in reader.pages for note in sheet.get("/Annots", [])]
    return [note["/A"]["/URI"] for note in notes if "/URI" in note.get("/A", {})]


@pytest.mark.usefixtures("browser")
def test_a_page_that_is_printed_asks_for_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = '<title>t</title><p>printed<a href="beside.csv">CSV</a><a href="#x">x</a><p id="x">'
    assert by_browser(CHROMIUM, page).startswith(b"%PDF-")
    assert list(tmp_path.iterdir()) == []


def test_a_browser_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(ReportError, match=r"printed nothing \(exit code 3\): no display"):
        by_browser(str(broken), "<p>")


def test_without_a_browser_and_weasyprint_it_is_told_what_to_install_and_nothing_is_written(
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    out = tmp_path / "out"
    asked = ("--group", "vision", "--period", "2026-10", "-o", str(out), "--pdf")
    assert run(*words, *asked, environ={"PATH": str(tmp_path)}) == 1
    assert "install Debian's chromium, or pip install weasyprint" in capsys.readouterr().err
    assert not out.exists()


def test_only_links_to_files_are_left_out_of_what_is_printed() -> None:
    page = '<a href="#a">a</a> <a class="x" href="b.csv">b</a> href=&#34;c&#34;'
    assert without_files(page) == '<a href="#a">a</a> <a class="x">b</a> href=&#34;c&#34;'
