"""sam-cluster report --verify, on reports that were written, changed, and overtaken by later data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sam_cluster.core.times import utc_microseconds
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import by_day, from_rows
from sam_cluster.store.tables import Tables
from tests.unit.cli.stores import COMMITTED, make_store, run
from tests.unit.report.month import ROWS
from tests.unit.report.tables import Row, at, job_rows, together

CONFIG = """
[groups.vision]
accounts = ["vision", "cv-*"]
[report]
timezone = "Europe/London"
pue = 1.2
price_per_kwh = 0.28
"""
STEM = "vision-2026-10"


class Report:
    """A report of a store of its own, and the command that verifies it."""

    def __init__(
        self,
        root: Path,
        rows: dict[str, list[Row]],
        *words: str,
        page: tuple[str, ...] = ("--group", "vision"),
    ) -> None:
        self.store = make_store(root / "store", rows)
        self.config = root / "config.toml"
        self.config.write_text(CONFIG)
        self.out = root / "out"
        self._commits = 1
        period = words or ("--period", "2026-10")
        assert run(*self._common(), *page, "-o", str(self.out), *period) in (0, 3)

    def _common(self) -> tuple[str, ...]:
        return ("report", "--store", str(self.store), "--config", str(self.config))

    def file(self, ending: str) -> Path:
        (found,) = self.out.glob(f"*.{ending}")
        return found

    def verify(self, *words: str) -> int:
        return run(*self._common(), "--verify", str(self.file("manifest.json")), *words)

    def commit(self, rows: dict[str, list[Row]]) -> None:
        """A later commit with these rows beside the others."""
        paths = StorePaths(self.store)
        later = COMMITTED + timedelta(minutes=self._commits)
        self._commits += 1
        change = Transaction(Tables(paths).snapshot(), now_microseconds=utc_microseconds(later))
        for table, some in rows.items():
            for added in by_day(table, from_rows(table, some)).values():
                change.exchange(table, removed=from_rows(table, []), added=added)
        change.commit()

    def change_manifest(self, change: Callable[[Any], None]) -> None:
        content = json.loads(self.file("manifest.json").read_text())
        change(content)
        self.file("manifest.json").write_text(json.dumps(content))


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    found = Report(tmp_path, ROWS)
    capsys.readouterr()
    return found


def test_a_report_that_nobody_touched_is_intact(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.verify() == 0
    path = report.file("manifest.json")
    assert capsys.readouterr().out == f"intact: {path} of commit 1 (2026-11-02)\n"


@pytest.mark.parametrize(
    "rows",
    [
        job_rows(900, "2026-11-01 10:00", 3, 2.0),  # after the period
        job_rows(901, "2026-08-01 10:00", 3, 2.0),  # before the period that it is compared with
    ],
)
def test_a_later_commit_that_changes_nothing_of_the_period_leaves_it_intact(
    report: Report, rows: dict[str, list[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    report.commit(rows)
    assert report.verify() == 0
    assert capsys.readouterr().out.startswith("intact: ")


def test_a_job_that_came_later_supersedes_it_and_what_changed_is_said(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((report.out / f"{STEM}.json").read_text())["totals"]
    report.commit(job_rows(902, "2026-10-29 10:00", 3, 2.5))
    assert report.verify() == 3
    out = capsys.readouterr().out
    more = before["energy_millijoules"] + millijoules_from_kwh(2.5)
    assert out.startswith("superseded: ")
    assert "  tables: commit 1 then, 2 now\n" in out
    assert f"  energy_millijoules: {before['energy_millijoules']} then, {more} now\n" in out
    assert f"  jobs: {before['jobs']} then, {before['jobs'] + 1} now\n" in out


def test_another_lab_that_used_more_changes_the_share_alone(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.commit(job_rows(903, "2026-10-29 10:00", 3, 2.5, account="speech"))
    assert report.verify() == 3
    changed = [line.split(":")[0].strip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert changed == ["tables", "energy_share", "gpu_share"]


def test_a_changed_setting_supersedes_it_and_is_named(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.config.write_text(CONFIG.replace("pue = 1.2", "pue = 1.5"))
    assert report.verify() == 3
    assert "  setting pue: 1.2 then, 1.5 now\n" in capsys.readouterr().out


def test_a_report_of_an_open_period_is_superseded_when_the_data_reach_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(tmp_path, job_rows(1, "2026-11-01 09:00", 2, 1.0), "--period", "2026-11-01")
    assert report.verify() == 0
    rows = together(ROWS, job_rows(903, "2026-11-02 00:00", 1, 1.0))
    other = Report(tmp_path / "other", rows, "--period", "2026-11-02")
    assert other.verify() == 0
    other._commits = 24 * 60
    other.commit(job_rows(904, "2026-11-03 00:00", 1, 1.0))
    capsys.readouterr()
    assert other.verify() == 3
    assert "  preliminary of the period: True then, False now\n" in capsys.readouterr().out


def test_under_another_time_zone_it_is_superseded_and_the_zones_are_named(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.config.write_text(CONFIG.replace("Europe/London", "Asia/Tokyo"))
    assert report.verify() == 3
    lines = capsys.readouterr().out.splitlines()
    period = [line for line in lines if "period" in line]
    assert period == ["  timezone of the period: Europe/London then, Asia/Tokyo now"]


def test_the_page_of_the_cluster_is_verified_as_a_labs_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(tmp_path, ROWS, page=("--cluster",))
    assert report.verify() == 0
    report.commit(job_rows(906, "2026-10-29 10:00", 3, 2.5))
    capsys.readouterr()
    assert report.verify() == 3
    assert "  tables: commit 1 then, 2 now\n" in capsys.readouterr().out
    report.file("csv").unlink()
    assert report.verify() == 1


@pytest.mark.parametrize("ending", ["html", "json", "csv"])
def test_a_file_that_was_changed_by_a_byte_is_named(
    report: Report, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = report.file("html").with_suffix(f".{ending}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert report.verify() == 1
    assert f"  {path.name} has another digest than the manifest says\n" in capsys.readouterr().out


def test_a_file_that_is_missing_is_named(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.file("csv").unlink()
    assert report.verify() == 1
    assert f"  {STEM}.csv is missing\n" in capsys.readouterr().out


def test_an_altered_report_is_found_without_any_tables(report: Report, tmp_path: Path) -> None:
    report.file("csv").unlink()
    report.store = tmp_path / "nothing"
    assert report.verify() == 1


def _sign(report: Report, path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    report.change_manifest(lambda content: content["files"][path.name].update(sha256=digest))


def test_a_page_that_was_changed_together_with_its_manifest_is_found(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    page = report.file("html")
    page.write_text(page.read_text().replace("kWh", "MWh"))
    _sign(report, page)
    assert report.verify() == 1
    assert f"  {page.name} is not what its figures give" in capsys.readouterr().out


def test_figures_that_were_changed_together_with_their_digests_are_not_those_of_the_tables(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    path = report.out / f"{STEM}.json"
    data = json.loads(path.read_text())
    data["totals"]["energy_millijoules"] = 1
    path.write_text(json.dumps(data))
    _sign(report, path)
    assert report.verify() == 1
    assert f"  the figures of {path.name} have another digest" in capsys.readouterr().out


@pytest.mark.parametrize("which", ["jinja2", "build"])
def test_what_a_newer_version_would_write_otherwise_is_no_fault_of_the_report(
    which: str, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    page = report.file("html")
    page.write_text(page.read_text().replace("</footer>", "<p>as an older version had it</p></footer>"))
    _sign(report, page)
    report.change_manifest(lambda content: content["versions"].update({which: "2.0"}))
    assert report.verify() == 0
    assert "only figures were compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("files"),
        lambda content: content.update(files=["a"]),
        lambda content: content["files"].update({"../../etc/passwd": {"sha256": "0"}}),
        lambda content: content["period"].update(start="yesterday"),
        lambda content: content["period"].update(start="2026-10-01T00:00:00"),
        lambda content: content.update(report="vision"),
        lambda content: content.update(report={"planet": 1}),
        lambda content: content["tables"].update(commit="x"),
    ],
)
def test_what_is_no_manifest_is_told_in_a_line(
    report: Report, change: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    report.change_manifest(change)
    assert report.verify() == 1
    error = capsys.readouterr().err
    assert error.startswith("sam-cluster: ") and len(error.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00", b"1e999", b"[" * 100_000])
def test_a_file_of_anything_is_no_manifest(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.manifest.json"
    path.write_bytes(content)
    assert run("report", "--verify", str(path)) == 1


def test_a_renamed_manifest_does_not_fit_its_files(report: Report) -> None:
    report.file("manifest.json").rename(report.out / "speech-2026-10.manifest.json")
    assert report.verify() == 1


def test_a_manifest_that_names_another_lab_does_not_fit_its_files(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.change_manifest(lambda content: content.update(report={"group": "speech"}))
    assert report.verify() == 1
    assert "called otherwise" in capsys.readouterr().out


def test_what_a_manifest_says_reaches_no_terminal_as_it_is(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.commit(job_rows(905, "2026-10-29 10:00", 3, 2.5))
    report.change_manifest(lambda content: content["settings"].update(unit="\x1b[2J"))
    assert report.verify() == 3
    out = capsys.readouterr().out
    assert "\\x1b[2J" in out and "\x1b" not in out


def test_the_page_of_a_manifest_is_not_asked_for_a_second_period(report: Report) -> None:
    assert report.verify("--period", "2026-09") == 2
    assert report.verify("-S", "2026-10-01") == 2


def test_when_a_report_was_made_its_job_may_have_been_running(tmp_path: Path) -> None:
    rows = job_rows(1, "2026-10-31 22:00", 30, 1.0, flags=["open"], state="RUNNING")
    report = Report(tmp_path, rows)
    assert report.verify() == 0
    report.commit(job_rows(2, "2026-11-01 10:00", 1, 1.0, started_at=at("2026-11-01 10:00")))
    assert report.verify() == 0
