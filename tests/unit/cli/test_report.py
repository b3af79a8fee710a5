"""sam-cluster report, on a store on disk."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.cli.report_files import Access, write
from sam_cluster.report.before import is_anything_known
from tests.unit.cli.stores import make_store, run
from tests.unit.report.month import ROWS
from tests.unit.report.tables import MemoryTables, at, gap_row, job_rows, result_row, together

CONFIG = """
[groups.vision]
accounts = ["vision", "cv-*"]
[report]
timezone = "Europe/London"
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    since = {"gaps": [gap_row("GPU-1", at("2026-11-01 12:00"), 60, 60)]}
    root = make_store(tmp_path_factory.mktemp("store"), together(ROWS, since))
    (root / "config.toml").write_text(CONFIG)
    return root


def report(store: Path, out: Path, *words: str) -> int:
    return run(
        "report", "--store", str(store), "--config", str(store / "config.toml"), "-o", str(out), *words
    )


def test_a_report_writes_its_files_and_prints_their_names(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path / "out", "--group", "vision") == 3
    names = [f"vision-2026-10.{ending}" for ending in ("html", "json", "csv", "manifest.json")]
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    assert printed.err.splitlines()[1:] == [
        "incomplete: some energy is not known; the page says of which jobs"
    ]


def test_a_report_of_what_was_all_measured_is_done(store: Path, tmp_path: Path) -> None:
    assert report(store, tmp_path, "--group", "speech", "--period", "2026-10") == 0


def test_a_report_of_a_period_that_the_data_do_not_reach_the_end_of_is_preliminary(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path, "--group", "vision", "--period", "this-month") == 3
    assert "preliminary" in capsys.readouterr().err
    assert json.loads((tmp_path / "vision-2026-11.json").read_text())["period"]["preliminary"] is True


@pytest.mark.parametrize(
    ("period", "is_begun"), [("2026-10-05", True), ("2026", False), ("2026Q3", False), ("2026-11", True)]
)
def test_what_ran_unmetered_is_told_to_be_in_no_figure(
    store: Path, tmp_path: Path, period: str, is_begun: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    for what in (("--group", "vision"), ("--cluster",)):
        report(store, tmp_path, *what, "--period", period)
        assert ("ran unmetered" in capsys.readouterr().err) is not is_begun
    for name in ("vision", "cluster"):
        found = json.loads((tmp_path / f"{name}-{period}.json").read_text())
        assert found["period"]["metered_from_start"] is is_begun
        shown = (tmp_path / f"{name}-{period}.html").read_text()
        assert ("ran unmetered is in no figure" in shown) is not is_begun
    assert run("report", "--verify", str(tmp_path / f"cluster-{period}.manifest.json"),
               "--store", str(store), "--config", str(store / "config.toml")) == 0  # fmt: skip


def test_the_same_data_give_the_same_files(store: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert report(store, tmp_path / name, "--group", "vision", "--period", "2026-10") == 3
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert first == second


def test_the_order_in_which_rows_came_changes_no_figure(store: Path, tmp_path: Path) -> None:
    other = make_store(
        tmp_path / "store", {table: list(reversed(list(rows))) for table, rows in ROWS.items()}
    )
    (other / "config.toml").write_text(CONFIG)
    for root, name in ((store, "a"), (other, "b")):
        report(root, tmp_path / name, "--group", "vision", "--period", "2026-10")
    first, second = ((tmp_path / name / "vision-2026-10.csv").read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_period_may_be_given_by_its_ends(store: Path, tmp_path: Path) -> None:
    assert report(store, tmp_path, "--group", "vision", "-S", "2026-10-05", "-E", "2026-10-07T12:00") == 0
    data = json.loads((tmp_path / "vision-2026-10-05--2026-10-07T120000.json").read_text())
    assert [job["job_id"] for job in data["jobs"]] == ["203"]


def test_a_lab_that_nobody_knows_is_told_with_those_that_are(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path / "out", "--group", "visoin", "--period", "2026-10") == 2
    assert "there is no lab 'visoin', configured or with a job in 2026-10; there are speech, vision" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_configured_lab_without_jobs_has_a_page(store: Path, tmp_path: Path) -> None:
    assert report(store, tmp_path, "--group", "vision", "--period", "2026-11-01") == 0


@pytest.mark.parametrize("what", [("--group", "vision"), ("--cluster",), ("--all",)])
def test_a_period_that_nothing_is_known_of_has_no_page_of_zeros(
    store: Path, tmp_path: Path, what: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path / "out", *what, "--period", "2026-11-02") == 1
    told = capsys.readouterr().err
    assert f"nothing was metered in 2026-11-02, and no job of it is known; {store} knows of" in told
    assert "2026-08-31 to 2026-11-01" in told
    assert not (tmp_path / "out").exists()


def test_a_store_into_which_nothing_was_folded_sends_to_the_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path / "store", {"results": [result_row(1, 0.7, ["9"])]})
    assert run("report", "--store", str(store), "--cluster", "-o", str(tmp_path / "out")) == 1
    assert "nothing was metered yet" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("period", [("--period", "2026-12"), ("-S", "2026-11-04", "-E", "2026-11-05")])
def test_a_period_that_has_not_begun_is_refused(
    store: Path, tmp_path: Path, period: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path / "out", "--group", "vision", *period) == 2
    assert "has not begun: it does on 2026-1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@given(
    first=st.integers(-50, 50),
    length=st.integers(1, 200),
    begun=st.integers(-50, 150),
    held=st.integers(1, 90),
)
@settings(deadline=None, max_examples=40)
def test_of_a_period_something_is_known_where_something_was_metered_within_it(
    first: int, length: int, begun: int, held: int
) -> None:
    start, hour = at("2026-10-05 00:00"), timedelta(hours=1)
    tables = MemoryTables({"gaps": [gap_row("GPU-1", start + begun * hour, 60 * held, 60)]})
    found = is_anything_known(tables, start + first * hour, start + (first + length) * hour)
    assert found is (begun < first + length and begun + held > first)


def test_before_the_first_aggregation_there_is_nothing_to_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path / "store", {})
    assert run("report", "--store", str(store), "--group", "vision", "-o", str(tmp_path / "out")) == 1
    assert "run sam-cluster aggregate first" in capsys.readouterr().err


def test_a_link_that_lies_where_a_file_goes_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "page.html").symlink_to(victim)
    write({"page.html": b"new"}, tmp_path, Access())
    assert (victim.read_text(), (tmp_path / "page.html").read_bytes()) == ("untouched", b"new")


def test_a_directory_that_cannot_be_written_to_is_told(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert report(store, tmp_path / "file", "--group", "vision", "--period", "2026-10") == 1
    assert f"{tmp_path / 'file'}: File exists" in capsys.readouterr().err


def test_a_report_that_fails_half_way_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(OSError):
        write({"a.html": b"1", "b.csv": b"2"}, tmp_path, Access())
    assert sorted(os.listdir(tmp_path)) == ["a.html", "b.csv"]


def test_the_page_of_a_job_still_running_says_that_its_figure_will_grow(store: Path, tmp_path: Path) -> None:
    rows = job_rows(1, "2026-10-05 09:00", 2, 1.0, flags=["open"], state="RUNNING")
    root = make_store(tmp_path / "store", rows, committed_at=at("2026-10-05 11:30"))
    assert (
        run("report", "--store", str(root), "--group", "vision", "--period", "2026-10", "-o", str(tmp_path))
        == 3
    )
    data = json.loads((tmp_path / "vision-2026-10.json").read_text())
    assert ([line["ending"] for line in data["endings"]], data["missing"]) == (["running"], {"open": 1})
