"""sam-cluster jobs, on a store on disk."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from sam_cluster.cli.not_there import those_there
from sam_cluster.core.units import millijoules_from_kwh
from tests.unit.cli.stores import make_store, run
from tests.unit.report.month import ROWS

CONTRACT = {
    "cluster", "job_id", "user", "account", "group", "state", "start", "end", "nodes", "gpus", "gpu_seconds",
    "energy_millijoules", "energy_kwh", "quality", "flags", "runs",
}  # fmt: skip
RUN_CONTRACT = {"restart", "nodes_expected", "nodes_metered", "energy_millijoules", "quality"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), ROWS)


def objects(
    capsys: pytest.CaptureFixture[str], store: Path, *words: str, code: int = 0
) -> list[dict[str, Any]]:
    assert run("jobs", "--store", str(store), "--format", "json", *words) == code
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def ids(capsys: pytest.CaptureFixture[str], store: Path, *words: str, code: int = 0) -> list[str]:
    return [row["job_id"] for row in objects(capsys, store, *words, code=code)]


def test_a_job_has_the_keys_of_the_contract(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = objects(capsys, store, "-j", "207")[0]
    assert CONTRACT - set(job) == set()
    assert [RUN_CONTRACT - set(attempt) for attempt in job["runs"]] == [set(), set()]
    assert (job["start"], job["end"]) == ("2026-10-14T08:00:00+00:00", "2026-10-14T14:00:00+00:00")
    assert (job["energy_millijoules"], job["energy_kwh"], job["gpu_seconds"]) == (
        10_800_000_000,
        3.0,
        43_200.0,
    )


def test_the_energy_of_a_job_is_the_sum_of_its_runs(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = objects(capsys, store, "-j", "207")[0]
    assert [attempt["restart"] for attempt in job["runs"]] == [0, 1]
    assert sum(attempt["energy_millijoules"] for attempt in job["runs"]) == job["energy_millijoules"]


def test_a_job_without_a_figure_has_null_and_a_reason(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = objects(capsys, store, "-j", "212")[0]
    assert (job["energy_millijoules"], job["energy_kwh"], job["quality"]) == (None, None, "unknown")
    assert (job["flags"], job["reasons"], job["runs"]) == (["no_shard"], ["no_shard"], [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-j", "210"), ["210_0", "210_1"]),
        (("-j", "210_1,201"), ["201", "210_1"]),
        (("-S", "2026-10-16", "-E", "2026-10-17"), ["208"]),
        (("-S", "10/16/26", "-E", "10/18/26"), ["208", "209"]),
        (("--period", "2026-10-21"), ["213"]),
        (("--period", "2026-10", "-u", "zoe,nobody"), ["213"]),
        (("--period", "2026Q4", "-A", "cv-new"), ["204"]),
        (("--period", "2026-10", "-s", "f,TIMEOUT"), ["204", "206"]),
        (("--period", "last-month", "--group", "speech"), ["213"]),
        ((), []),
    ],
)
def test_jobs_are_chosen_by_the_flags_of_sacct(
    words: tuple[str, ...], expected: list[str], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ids(capsys, store, *words) == expected


def test_times_are_the_sites(tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[report]\ntimezone = "Europe/London"\n')
    job = objects(capsys, store, "--config", str(config), "-j", "202")[0]
    assert job["start"] == "2026-10-01T10:00:00+01:00"


def test_a_job_that_is_not_there_is_told_and_gives_exit_code_3(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), "-j", "201,999") == 3
    printed = capsys.readouterr()
    assert "201" in printed.out
    assert printed.err == "not in the tables (as selected): 999\n"


def test_that_there_is_none_is_said_with_the_time_that_was_looked_at(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), "-A", "nobody") == 0
    assert capsys.readouterr().err == "there is no such job (today); -S or --period names another time\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-A", "visoin"), "no job (2026-10) is of the account 'visoin'; there are cv-new, speech, vision"),
        (("-u", "zoe,bob"), "no job (2026-10) is of the user 'bob'; there are ada, bo, cy, zoe"),
        (("--group", "visoin"), "no job (2026-10) is of the lab 'visoin'; there are cv-new, speech, vision"),
        (("-u", "\x1b[2J"), "no job (2026-10) is of the user '\\x1b[2J'; there are ada, bo, cy, zoe"),
    ],
)
def test_a_name_that_no_job_has_is_told_with_those_that_there_are(
    words: tuple[str, ...], told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), "--period", "2026-10", *words) == 0
    assert capsys.readouterr().err.splitlines()[0] == told


def test_a_name_that_only_other_flags_leave_no_job_of_is_not_told(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), "--period", "2026-10", "-u", "zoe", "-s", "FAILED") == 0
    assert "zoe" not in capsys.readouterr().err


def test_of_many_names_only_those_are_told_that_are_like_the_one_that_was_meant() -> None:
    many = [f"lab-{number:03}" for number in range(300)]
    assert those_there("lab-01", many).startswith("of the 300 that there are the nearest are lab-")
    assert len(those_there("lab-01", many)) < 100
    assert those_there("vision", many) == "there are 300, and none is like it"


def test_the_table_shows_the_runs_of_a_requeued_job_below_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), "-j", "207,201") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [
        ["201", "ada"],
        ["207", "bo"],
        ["run", "0"],
        ["run", "1"],
    ]
    assert [line.split()[-4] for line in lines[4:]] == ["1.00", "2.00"]  # then ±, quality, flags


def test_csv_has_a_record_a_job_and_the_same_figures(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "--store", str(store), "-j", "201,212", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row["energy_millijoules"] for row in rows] == [str(millijoules_from_kwh(6.0)), ""]


def test_parsable2_has_the_fields_of_csv_and_is_no_format_beside_another(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), "-j", "201,212", "-nP") == 0
    bare = [line.split("|") for line in capsys.readouterr().out.splitlines()]
    assert run("jobs", "--store", str(store), "-j", "201,212", "--format", "csv") == 0
    assert list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:] == bare
    assert run("jobs", "--store", str(store), "-P", "--format", "csv") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-j", "12a"), "-j: '12a' is not a job's id"),
        (("-S", "yesterday"), "'yesterday' is no time; accepted are"),
        (("--period", "2026-13"), "'2026-13' is no period"),
        (("--period", "2026-10", "-S", "2026-10-01"), "--period stands in place of -S and -E"),
        (("-E", "2026-10-01"), "-E needs -S with it"),
        (("-S", "2026-10-02", "-E", "2026-10-01"), "before it begins"),
        (("-s", "DONE"), "COMPLETED (CD)"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    words: tuple[str, ...], told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", "--store", str(store), *words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err


def test_a_store_without_tables_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "--store", str(tmp_path)) == 1
    assert "run sam-cluster aggregate first" in capsys.readouterr().err


def test_a_time_zone_that_is_none_is_told_with_its_file(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[report]\ntimezone = "Mars/Olympus"\n')
    assert run("jobs", "--store", str(store), "--config", str(config)) == 2
    assert f"{config}: timezone in [report] must be a name such as Europe/London" in capsys.readouterr().err
