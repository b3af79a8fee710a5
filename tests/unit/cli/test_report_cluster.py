"""sam-cluster report --cluster and --all, on a store on disk."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from sam_cluster.cli import many_pages
from sam_cluster.core.config import parse
from sam_cluster.report.reading import read_jobs
from sam_cluster.report.records import Selection
from sam_cluster.store.kept import KeptSnapshot
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.unit.cli.stores import make_store, run
from tests.unit.report.cluster import ROWS, of, share_row
from tests.unit.report.tables import job_rows, together

CONFIG = """
[groups.vision]
members = 12
[groups.away]
[report]
timezone = "Europe/London"
"""

SHARES = {"shares": [share_row("vision", "2026-10-20", 0.6), share_row("speech", "2026-10-20", 0.4)]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_store(tmp_path_factory.mktemp("store"), together(ROWS, SHARES))
    (root / "config.toml").write_text(CONFIG)
    return root


def report(store: Path, out: Path, *words: str) -> int:
    flags = ("--store", str(store), "--config", str(store / "config.toml"), "-o", str(out))
    return run("report", *flags, "--period", "2026-10", *words)


def test_the_page_of_the_cluster_has_a_row_a_lab_in_its_csv(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path, "--cluster") == 0
    names = [f"cluster-2026-10.{ending}" for ending in ("html", "json", "csv", "manifest.json")]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in names]
    rows = list(csv.DictReader((tmp_path / "cluster-2026-10.csv").read_text().splitlines()))
    assert [row["group"] for row in rows] == ["vision", "speech", "tiny", "away"]
    figures = json.loads((tmp_path / "cluster-2026-10.json").read_text())
    assert figures["shares_as_of"] == "2026-10-20"


def test_all_writes_the_cluster_and_every_lab_just_as_each_alone(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(store, tmp_path / "all", "--all") == 0
    written = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    pages = [name.partition("-2026-10.")[0] for name in written if name.endswith(".html")]
    assert pages == ["cluster", "vision", "speech", "tiny", "away"]
    report(store, tmp_path / "each", "--cluster")
    for lab in ("vision", "speech", "tiny", "away"):
        report(store, tmp_path / "each", "--group", lab)
    together, alone = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("all", "each")
    )
    assert len(together) == 20 and together == alone


def test_pages_made_by_several_processes_are_those_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = [f"lab{number}" for number in range(many_pages.LABS_A_PROCESS * 2)]
    jobs = (job_rows(n, "2026-10-05 09:00", 2, 1.0, account=lab) for n, lab in enumerate(labs, 1))
    root = make_store(tmp_path / "store", together(*jobs))
    (root / "config.toml").write_text("")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    assert report(root, tmp_path / "two", "--all") == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    assert report(root, tmp_path / "one", "--all") == 0
    two, one = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("two", "one")
    )
    assert len(one) == 4 * (1 + len(labs))
    assert two == one


def test_one_page_with_a_part_missing_makes_all_incomplete(tmp_path: Path) -> None:
    rows = together(of(1, "vision", "ada", 3.0), of(2, "speech", "zoe", 1.0, flags=["node_missing"]))
    rows["jobs"][1]["quality"] = rows["runs"][1]["quality"] = "lower_bound"
    root = make_store(tmp_path / "store", rows)
    (root / "config.toml").write_text(CONFIG)
    assert report(root, tmp_path, "--all") == 3
    assert report(root, tmp_path, "--group", "vision") == 0


@pytest.mark.parametrize("words", [(), ("--cluster", "--all"), ("--group", "vision", "--cluster")])
def test_exactly_one_of_group_cluster_and_all_is_asked_for(
    store: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert report(store, tmp_path / "out", *words) == 2
    assert not (tmp_path / "out").exists()


def test_the_page_of_the_cluster_can_be_verified(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(store, tmp_path, "--cluster")
    verify = ("report", "--store", str(store), "--config", str(store / "config.toml"), "--verify")
    manifest = str(tmp_path / "cluster-2026-10.manifest.json")
    capsys.readouterr()
    assert run(*verify, manifest) == 0
    assert capsys.readouterr().out.startswith("intact: ")
    (tmp_path / "cluster-2026-10.csv").write_text("altered")
    assert run(*verify, manifest) == 1


def test_what_is_read_twice_is_read_once_and_is_the_same(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = Tables(StorePaths(store)).snapshot()
    kept = KeptSnapshot(snapshot)
    config = parse(CONFIG)
    wanted = [Selection(group=lab) for lab in ("vision", "speech", "vision")]
    first = [read_jobs(kept, config, each) for each in wanted]
    assert first == [read_jobs(snapshot, config, each) for each in wanted]
    some = ["job_id", "started_at"]
    expected = snapshot.read("jobs", columns=some, start_microseconds=0)
    monkeypatch.setattr("pyarrow.parquet.ParquetFile", None)
    assert read_jobs(kept, config, wanted[0]) == first[0]
    assert kept.read("jobs", columns=some, start_microseconds=0).equals(expected, check_metadata=True)
