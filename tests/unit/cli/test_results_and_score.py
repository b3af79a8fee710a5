"""sam-cluster results and score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.stores import make_store, run
from tests.unit.report.month import ROWS

RESULT_CONTRACT = {
    "job_ids", "user", "group", "task", "metric", "model", "accuracy", "energy_kwh", "sam", "sam_reason",
    "alpha", "beta", "unit",
}  # fmt: skip
SCORE_CONTRACT = {"sam", "sam_reason", "accuracy", "energy_kwh", "alpha", "beta", "unit"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), ROWS)


def objects(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert run(*words, "--format", "json") == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_a_result_has_the_keys_of_the_contract(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(capsys, "results", "--store", str(store), "-j", "203")
    assert RESULT_CONTRACT - set(found[0]) == set()
    assert (found[0]["job_ids"], found[0]["energy_kwh"]) == (["203", "204"], 26.0)
    assert found[0]["sam"] == pytest.approx(2.911, abs=0.001)


def test_a_result_without_a_score_has_null_and_the_reason(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = objects(capsys, "results", "--store", str(store), "-j", "209")
    assert [(row["sam"], row["sam_reason"]) for row in found] == [(None, "lower_bound")]


def test_superseded_and_rejected_results_are_listed_as_what_they_are(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = objects(capsys, "results", "--store", str(store), "-j", "202,206")
    assert {(row["accuracy"], row["verdict"], row["superseded_by"] is not None) for row in found} == {
        (0.941, "accepted", False),
        (0.5, "accepted", True),
        (0.9415, "accepted", False),
        (0.93, "rejected", False),
    }


def test_results_are_shown_as_a_table_too(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("results", "--store", str(store), "-u", "zoe") == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3
    assert "of another lab" in shown[2]


def test_a_table_shows_what_is_superseded_as_such(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(capsys, "results", "--store", str(store))
    (old,) = (row for row in found if row["superseded_by"] is not None)
    assert run("results", "--store", str(store)) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if f" {old['submission_id']} " in line)
    assert " superseded " in line and line.endswith(f"by {old['superseded_by']}")
    assert " accepted " not in line


def test_that_there_is_none_is_said(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert objects(capsys, "results", "--store", str(store), "-u", "nobody", "--period", "2026-10") == []
    assert run("results", "--store", str(store), "-u", "nobody", "--period", "2026-10") == 0
    assert capsys.readouterr().err.splitlines() == [
        "no result (2026-10) is of the user 'nobody'; there are ada, bo, zoe",
        "there is no such result (2026-10); -S or --period names another time",
    ]


def test_a_score_is_the_formula_of_what_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(capsys, "score", "--accuracy", "80%", "--kwh", "10")
    assert set(found[0]) == SCORE_CONTRACT
    assert found[0]["sam"] == pytest.approx(1.6384)
    assert (found[0]["accuracy"], found[0]["alpha"], found[0]["beta"], found[0]["unit"]) == (
        0.8,
        5.0,
        5.0,
        "kWh",
    )


def test_a_score_at_one_unit_is_undefined_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("score", "--accuracy", "0.8", "--kwh", "1", "--format", "json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0] == {
        "sam": None, "sam_reason": "energy_at_or_below_one_unit", "accuracy": 0.8, "energy_kwh": 1.0,
        "alpha": 5.0, "beta": 5.0, "unit": "kWh",
    }  # fmt: skip
    assert "too little electricity for SAM" in printed.err


def test_the_smooth_variant_stands_under_its_own_key_and_never_under_that_of_sam(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = objects(capsys, "score", "--accuracy", "0.8", "--kwh", "0.5", "--variant", "sam_log1p")
    assert set(found[0]) == SCORE_CONTRACT - {"sam", "sam_reason"} | {"sam_log1p", "sam_log1p_reason"}
    assert found[0]["sam_log1p"] == pytest.approx(5 * 0.8**5 / 0.1760913, rel=1e-6)
    assert run("score", "--accuracy", "0.8", "--kwh", "0", "--variant", "sam_log1p") == 0
    printed = capsys.readouterr()
    assert "energy_zero" in printed.out
    assert "no electricity" in printed.err


def test_parameters_come_from_the_flags_before_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[sam]\nalpha = 2\nbeta = 1\nunit = "Wh"\n')
    words = ("score", "--accuracy", "0.5", "--kwh", "0.1", "--config", str(config))
    assert objects(capsys, *words)[0]["sam"] == pytest.approx(0.25 / 2)
    assert objects(capsys, *words, "--unit", "J", "--beta", "3")[0]["sam"] == pytest.approx(
        0.75 / 5.5563, rel=1e-4
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--accuracy", "76.3", "--kwh", "2"), "write 0.763 or 76.3%"),
        (("--accuracy", "nan", "--kwh", "2"), "is not a number"),
        (("--accuracy", "0.5", "--kwh", "nan"), "--kwh must be a finite number of at least 0, not 'nan'"),
        (("--accuracy", "0.5", "--kwh=-1"), "--kwh must be a finite number of at least 0"),
        (("--accuracy", "0.5", "--kwh", "2", "--alpha", "0"), "--alpha must be a finite number above 0"),
        (("--accuracy", "0.5", "--kwh", "2", "--beta", "inf"), "--beta must be a finite number above 0"),
        (("--accuracy", "0.5", "--kwh", "2", "--unit", "BTU"), "invalid choice: 'BTU'"),
        (("--accuracy", "1", "--kwh", "1.0000000000000002", "--beta", "1e308"), "take a smaller"),
    ],
)
def test_what_has_no_score_at_all_is_a_usage_error(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("score", *words) == 2
    printed = capsys.readouterr()
    assert (printed.out, told in printed.err) == ("", True)
