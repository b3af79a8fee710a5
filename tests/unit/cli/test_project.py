"""sam-cluster project."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from sam_cluster.core.model import Quality
from sam_cluster.metrics import ProjectionFlag, Refusal
from sam_cluster.report.projection import PROJECTION_FLAGS, PROJECTION_KEYS, REFUSALS
from tests.unit.cli.stores import make_store, run
from tests.unit.report.tables import job_rows, result_row, together

START = "2026-10-05 10:00"
ROWS = together(
    *(job_rows(400 + epochs, START, epochs, 2.0 + epochs) for epochs in (1, 2, 4, 8)),
    job_rows(450, START, 4, None, quality=Quality.UNKNOWN),
    job_rows(451, START, 4, 9.0, quality=Quality.LOWER_BOUND),
    job_rows(452, START, 4, 40.0, flags=["simulated"]),
    {
        "results": [
            result_row(epochs, 0.7, [str(400 + epochs)], epochs=float(epochs), model=model)
            for epochs, model in ((1, "ViT"), (2, "ViT"), (4, "ViT"), (8, "<b>=ViT\n"))
        ]
    },
)
LINE = ("--job", "401=1,402=2", "--job", "404=4,408=8")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), ROWS)


def project(store: Path, *words: str) -> int:
    return run("project", "--store", str(store), *words)


def test_a_projection_is_the_line_through_the_jobs_with_its_interval(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(store, *LINE, "--epochs", "90", "--format", "json") == 0
    printed = capsys.readouterr()
    (found,) = json.loads(printed.out)
    assert set(found) == {*PROJECTION_KEYS, "runs"}
    assert (found["epochs"], found["data_fraction"], found["n"], found["refusal"]) == (90.0, None, 4, None)
    assert (found["energy_kwh"], found["intercept_kwh"], found["slope_kwh"]) == pytest.approx((92, 2, 1))
    assert found["low_kwh"] <= found["energy_kwh"] <= found["high_kwh"]
    assert [
        (each["job_ids"], each["epochs"], each["energy_kwh"], each["used"]) for each in found["runs"]
    ] == [
        (["401"], 1.0, 3.0, True),
        (["402"], 2.0, 4.0, True),
        (["404"], 4.0, 6.0, True),
        (["408"], 8.0, 10.0, True),
    ]
    assert printed.err == ""


def test_the_length_of_a_job_is_that_of_its_result(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert project(store, "--job", "401,402,404", "--epochs", "90", "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["energy_kwh"] == pytest.approx(92)
    assert [run["submission_id"] for run in found["runs"]] == [f"{n:032x}" for n in (1, 2, 4)]


def test_results_of_different_models_are_refused_until_their_lengths_are_stated(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(store, "--job", "401,402,404,408", "--epochs", "90") == 1
    assert "(different: model). Where only a name differs, state each length" in capsys.readouterr().err
    assert project(store, *LINE, "--epochs", "90") == 0


def test_a_flag_is_explained_beside_the_figures(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert project(store, *LINE, "--epochs", "161", "--format", "csv") == 0
    printed = capsys.readouterr()
    (found,) = csv.DictReader(io.StringIO(printed.out))
    assert (tuple(found), found["flags"]) == (PROJECTION_KEYS, "far")
    assert "far: What is asked for is more than 20 times the longest run." in printed.err


def test_a_fraction_of_the_data_is_projected_to_as_well(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--job", "401=10%", "--job", "402=20%,404=0.4")
    assert project(store, *given, "--data-fraction", "100%", "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["epochs"], found["data_fraction"]) == (None, 1.0)
    assert found["energy_kwh"] == pytest.approx(12)
    assert [each["data_fraction"] for each in found["runs"]] == [0.1, 0.2, 0.4]


def test_a_table_has_the_runs_and_below_them_the_projection(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(store, *LINE, "--epochs", "90") == 0
    runs, projection = capsys.readouterr().out.split("\n\n")
    assert [line.split()[:2] for line in runs.splitlines()[2:]] == [
        ["1", "401"],
        ["2", "402"],
        ["4", "404"],
        ["8", "408"],
    ]
    assert projection.splitlines()[2].split()[:2] == ["90", "92.0"]


@pytest.mark.parametrize(
    ("jobs", "refusal", "told"),
    [
        ("401=1,402=2", "too_few_amounts", "runs of three different lengths"),
        ("401=1,402=2,404=4,450=9", "energy_unknown", "(of job 450)"),
        ("401=1,402=2,404=4,451=9", "lower_bound", "(of job 451)"),
        ("401=8,402=4,404=2", "slope_not_positive", "took no more"),
        ("401=1,402=2,404=4,452=5", "not_linear", "not on a line"),
    ],
)
def test_a_refusal_is_printed_with_the_runs_and_fails_with_what_to_do(
    jobs: str, refusal: str, told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(store, "--job", jobs, "--epochs", "90", "--format", "json") == 1
    printed = capsys.readouterr()
    (found,) = json.loads(printed.out)
    assert (found["refusal"], found["energy_kwh"], found["high_kwh"]) == (refusal, None, None)
    assert [each["used"] for each in found["runs"]] == [False] * len(jobs.split(","))
    assert "sam-cluster: no projection: " in printed.err
    assert told in printed.err
    assert project(store, "--job", jobs, "--epochs", "90") == 1
    assert capsys.readouterr().out.count("\n\n") == 0


def test_what_is_made_from_a_simulation_says_so(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = "401=1,402=2,404=4,452=38"
    assert project(store, "--job", jobs, "--epochs", "90", "--format", "json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["flags"] == ["simulated"]
    assert "simulated: It comes from a simulated cluster." in printed.err


def test_a_job_that_stands_for_no_run_fails_with_its_number_and_prints_nothing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(store, "--job", "450,999=3", "--epochs", "90") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no accepted result names it; state it by --job 450=N" in printed.err
    assert "job 999 is not in the tables" in printed.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--job", "401=1"), "one of the arguments --epochs --data-fraction is required"),
        (("--epochs", "9"), "the following arguments are required: --job"),
        ((*LINE, "--epochs", "9", "--data-fraction", "1"), "not allowed with"),
        ((*LINE, "--epochs", "0"), "'0' is no length of a run; write epochs above 0"),
        ((*LINE, "--epochs", "nan"), "'nan' is no length of a run"),
        ((*LINE, "--epochs", "1e300"), "'1e300' is no length of a run"),
        ((*LINE, "--epochs", "50%"), "'50%' is no length of a run"),
        ((*LINE, "--data-fraction", "25"), "'25' is no length of a run; write a fraction of the data"),
        (("--job", "401=", "--epochs", "9"), "'' is no length of a run"),
        (("--job", "../x=1", "--epochs", "9"), "'../x' is not a job's id"),
        (("--job", "401=1,401=2", "--epochs", "9"), "401 is given with two lengths"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(
    given: tuple[str, ...], told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(store, *given) == 2
    printed = capsys.readouterr()
    assert (printed.out, told in printed.err) == ("", True)


def test_a_page_says_the_answer_the_runs_and_how_it_is_made(store: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.html", tmp_path / "new" / "second.html"
    assert project(store, *LINE, "--epochs", "200", "-o", str(first)) == 0
    assert project(store, *LINE, "--epochs", "200", "-o", str(second)) == 0
    page = first.read_text("utf-8")
    assert page == second.read_text("utf-8")
    assert "200 epochs: about 202 kWh" in page
    assert "between 202 and 202 kWh" in page  # on one line, and what a sensor is off by bends none
    assert "What is asked for is more than 20 times the longest run." in page
    assert '<th scope="row" class="names">408</th><td class="n">8</td><td class="n">10.0</td>' in page
    assert "default-src &#39;none&#39;" in page
    assert "Simulated data" not in page
    assert page.count('role="img"') == 2  # the picture, wide and narrow
    assert "4 runs were metered, from 1 to 8" in page


def test_a_page_of_simulated_runs_says_so_at_its_top(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert project(store, "--job", "401=1,402=2,404=4,452=38", "--epochs", "90", "-o", str(page)) == 0
    assert "Simulated data" in page.read_text("utf-8")


def test_a_refusal_writes_no_page(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert project(store, "--job", "401=1,402=2", "--epochs", "90", "-o", str(page)) == 1
    assert list(tmp_path.iterdir()) == []


def test_every_refusal_and_flag_has_its_words() -> None:
    assert set(REFUSALS) == set(Refusal)
    assert set(PROJECTION_FLAGS) == set(ProjectionFlag)
