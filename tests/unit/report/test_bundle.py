"""The files of a report."""

from __future__ import annotations

import csv
import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.report.bundle import file_name
from sam_cluster.report.group.files import group_files
from sam_cluster.store.paths import is_safe_name
from tests.unit.report.month import view
from tests.unit.report.tables import job_rows

FILES = group_files(view())
DATA = json.loads(FILES["vision-2026-10.json"])
ROWS = list(csv.DictReader(io.StringIO(FILES["vision-2026-10.csv"].decode(), newline="")))


def test_a_report_is_a_page_its_figures_and_a_manifest() -> None:
    assert set(FILES) == {
        "vision-2026-10.html", "vision-2026-10.json", "vision-2026-10.csv", "vision-2026-10.manifest.json",
    }  # fmt: skip


def test_the_manifest_names_the_digest_of_each_file_and_what_it_was_made_from() -> None:
    manifest = json.loads(FILES["vision-2026-10.manifest.json"])
    assert manifest["files"] == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "reproducible": True}
        for name, content in FILES.items()
        if not name.endswith(".manifest.json")
    }
    assert manifest["tables"] == {
        "commit": 42, "committed_at": "2026-11-02T03:15:00+00:00", "digest": "5e1f" * 16,
    }  # fmt: skip
    assert manifest["period"]["start"] == "2026-10-01T00:00:00+01:00"
    assert manifest["settings"]["pue"] == 1.2


def test_the_whole_list_of_jobs_is_in_csv_and_adds_up_to_the_total() -> None:
    energies = [
        int(row["energy_millijoules_in_period"]) for row in ROWS if row["energy_millijoules_in_period"]
    ]
    assert len(ROWS) == 12
    assert sum(energies) == DATA["totals"]["energy_millijoules"]


def test_json_holds_the_figures_of_the_page_in_base_units() -> None:
    assert [job["job_id"] for job in DATA["jobs"]] == [row["job_id"] for row in ROWS]
    assert (
        sum(day["energy_millijoules"] or 0 for day in DATA["energy_over_time"])
        == DATA["totals"]["energy_millijoules"]
    )
    assert DATA["totals"]["quality"] == "lower_bound"
    assert DATA["missing"] == {"interpolated": 1, "shared": 1, "node_missing": 1, "no_shard": 2}
    assert [result["sam"] for result in DATA["results"]].count(None) == 2
    unknown = next(job for job in DATA["jobs"] if job["job_id"] == "212")
    assert (unknown["energy_millijoules"], unknown["energy_millijoules_in_period"]) == (None, None)
    requeued = next(job for job in DATA["jobs"] if job["job_id"] == "207")
    assert [run["energy_millijoules"] for run in requeued["runs"]] == [3_600_000_000, 7_200_000_000]


def test_json_holds_what_the_page_says_of_the_period_before_of_idle_hours_and_of_ranks() -> None:
    assert DATA["before"]["period"]["label"] == "2026-09"
    assert DATA["before"]["jobs"] == {
        "before": 1, "before_is_lower_bound": False, "difference": 11, "part": 11.0, "not_compared": None,
    }  # fmt: skip
    assert DATA["before"]["energy_millijoules"]["not_compared"] == "lower_bound"
    idle = next(line for line in DATA["endings"] if line["ending"] == "held_idle")
    assert 0 < idle["energy_millijoules"] < DATA["totals"]["energy_millijoules"]
    assert sum(line["energy_millijoules"] for line in DATA["endings"]) == DATA["totals"]["energy_millijoules"]
    assert 0 < DATA["judged_share"] < 1
    ranks = {
        result["model"]: (result["rank_by_accuracy"], result["rank_by_sam"]) for result in DATA["results"]
    }
    assert ranks["ViT-B/16"] == (1, 3)
    (over_unit,) = [task["over_unit"] for task in DATA["tasks"] if task["task"] == "cifar-10"]
    assert [order["unit"] for order in over_unit] == ["J", "Wh", "MJ", "kWh"]
    assert DATA["results_union"]["jobs"] == 7


def test_a_formula_in_a_name_is_text_in_csv_and_as_it_was_in_json() -> None:
    files = group_files(view(job_rows(1, "2026-10-05 09:00", 1, 1.0, job_name="=cmd()")))
    row = next(csv.DictReader(io.StringIO(files["vision-2026-10.csv"].decode(), newline="")))
    assert row["name"] == "'=cmd()"
    assert json.loads(files["vision-2026-10.json"])["jobs"][0]["name"] == "=cmd()"


@given(st.text(st.characters(codec=None), min_size=1, max_size=80))
def test_whatever_a_lab_is_called_its_files_stay_where_they_belong(group: str) -> None:
    assert is_safe_name(file_name(group))


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_labs_never_share_a_file(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


@pytest.mark.parametrize("group", ["../../etc/passwd", "a/b", ".hidden", "-rf", "", "x" * 500])
def test_a_name_that_is_no_file_name_gets_one(group: str) -> None:
    assert is_safe_name(file_name(group))
