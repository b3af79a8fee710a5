"""The demo, as its users run it: a simulated month through the real pipeline."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from sam_cluster.simulation.workload import LABS
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows
from sam_cluster.store.tables import Tables


def sam_cluster(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sam_cluster", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    made = sam_cluster("demo", "--out", out)
    assert made.returncode == 0, made.stderr
    assert len(made.stdout.splitlines()) == 4 * (1 + len(LABS))  # the cluster and each lab
    (out / "told.txt").write_text(made.stderr)
    return out


@pytest.mark.timeout(300)
def test_each_lab_has_a_page_that_says_it_is_simulated(demo: Path) -> None:
    for lab in LABS:
        page = (demo / "pages" / f"{lab.name}-2026-10.html").read_text("utf-8")
        assert "imulated" in page.split("</header>")[0]
        figures = json.loads((demo / "pages" / f"{lab.name}-2026-10.json").read_text("utf-8"))
        assert figures


def test_the_page_of_the_cluster_has_the_totals_of_each_labs_page(demo: Path) -> None:
    figures = json.loads((demo / "pages" / "cluster-2026-10.json").read_text("utf-8"))
    assert {row["group"] for row in figures["groups"]} == {lab.name for lab in LABS}
    for row in figures["groups"]:
        own = json.loads((demo / "pages" / f"{row['group']}-2026-10.json").read_text("utf-8"))["totals"]
        assert {key: row[key] for key in ("energy_millijoules", "jobs", "gpu_seconds", "quality")} == {
            key: own[key] for key in ("energy_millijoules", "jobs", "gpu_seconds", "quality")
        }
    balance = figures["balance"]
    runs = balance["runs_millijoules"] + balance["bridged_millijoules"]
    assert runs == sum(row["energy_millijoules"] for row in figures["groups"])
    assert balance["closes"] and balance["whole_millijoules"] == balance["counter_millijoules"]


def test_the_page_of_the_cluster_tells_that_a_small_lab_took_the_least(demo: Path) -> None:
    figures = json.loads((demo / "pages" / "cluster-2026-10.json").read_text("utf-8"))
    lines = [line for task in figures["tasks"] for line in task["reached"]]
    assert "robotics" in {line["group"] for line in lines}
    assert not any(task["withheld"] for task in figures["tasks"])


def test_every_joule_of_the_month_is_a_runs_or_idle_or_unattributed(demo: Path) -> None:
    """The law of the ledger, on each GPU: runs + idle + unattributed = the counter's increase."""
    tables = Tables(StorePaths(demo / "store")).snapshot()
    found: dict[str, int] = defaultdict(int)
    for row in [*to_rows(tables.read("usage")), *to_rows(tables.read("gaps"))]:
        if row["energy_millijoules"] is None:  # between two segments nobody can know
            assert row["cause"] == "counter_reset"
        else:
            found[row["gpu_uuid"]] += row["energy_millijoules"]
    values = defaultdict(set)
    for row in to_rows(tables.read("readings")):
        values[row["gpu_uuid"], row["segment"]].add(row["energy_millijoules"])
        if row["previous_segment"] is not None:  # the end of a run whose shard was lost
            values[row["gpu_uuid"], row["previous_segment"]].add(row["previous_energy_millijoules"])
    increase: dict[str, int] = defaultdict(int)
    for (gpu, _), counter in values.items():
        increase[gpu] += max(counter) - min(counter)
    assert len(found) == 12
    assert found == increase


def test_jobs_add_up_to_runs_and_runs_to_hours(demo: Path) -> None:
    tables = Tables(StorePaths(demo / "store")).snapshot()
    totals = {
        table: sum(row["energy_millijoules"] or 0 for row in to_rows(tables.read(table)))
        for table in ("jobs", "runs", "usage")
    }
    assert len(set(totals.values())) == 1 and totals["jobs"] > 10**12


def test_three_formats_say_the_same(demo: Path) -> None:
    common = ("jobs", "--config", demo / "config.toml", "--period", "2026-10")
    as_json = json.loads(sam_cluster(*common, "--format", "json").stdout)
    as_csv = list(csv.DictReader(sam_cluster(*common, "--format", "csv").stdout.splitlines()))
    hint = (demo / "told.txt").read_text().splitlines()[-1].removeprefix("look further with: ")
    as_table = subprocess.run(shlex.split(hint), capture_output=True, text=True).stdout.splitlines()
    assert [job["job_id"] for job in as_json] == [row["job_id"] for row in as_csv]
    assert [str(job["energy_millijoules"] or "") for job in as_json] == [
        row["energy_millijoules"] for row in as_csv
    ]
    assert sum(not line.startswith("  ") for line in as_table) == len(as_json) + 2


def test_the_mishaps_of_the_month_are_told(demo: Path) -> None:
    tables = Tables(StorePaths(demo / "store")).snapshot()
    flags = {flag for row in to_rows(tables.read("jobs")) for flag in row["flags"]}
    assert {"simulated", "no_end", "node_missing"} <= flags


def test_a_directory_that_is_not_empty_is_refused(demo: Path) -> None:
    refused = sam_cluster("demo", "--out", demo)
    assert refused.returncode == 2
    assert "not empty" in refused.stderr and "Traceback" not in refused.stderr
