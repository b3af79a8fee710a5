"""sam-cluster confirm: what an owner says of a collaborator's result, before and after it is on record."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.stores import make_store, run
from tests.unit.report.tables import job_rows, result_row, together

ME = pwd.getpwuid(os.getuid()).pw_name
TOGETHER, THEIRS, NOWHERE = f"{1:032x}", f"{2:032x}", "c" * 32


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rows = together(
        job_rows(101, "2026-10-05 10:00", 4, 1.5, user=ME),
        job_rows(103, "2026-10-05 10:00", 4, 1.5, user="ada"),
        {
            "results": [
                result_row(
                    1, 0.8, ["101", "103"], verdict="pending", ground="owner_must_confirm", task="a\x1b[2Jb",
                    reason=f"job 101: to be confirmed by {ME} with sam-cluster confirm {TOGETHER}",
                ),
                result_row(2, 0.8, ["103"]),
            ]
        },
    )  # fmt: skip
    return make_store(tmp_path / "store", rows)


def said(store: Path) -> list[dict[str, Any]]:
    return [json.loads(json.loads(file.read_text())["payload"]) for file in (store / "submissions").iterdir()]


def confirm(store: Path, *words: str) -> int:
    return run("confirm", *words, "--store", str(store), environ={"PATH": "/nonexistent"})


def test_a_confirmation_is_dropped_with_what_it_is_of(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert confirm(store, TOGETHER) == 0
    assert [(row["kind"], row["submission_id"], row["confirmed"], row["reason"]) for row in said(store)] == [
        ("confirmation", TOGETHER, True, None)
    ]
    printed = capsys.readouterr()
    assert "ada's result: 80.00 % on a\\x1b[2Jb, with your jobs 101" in printed.err
    assert printed.out == ""


def test_it_is_declined_with_a_reason(store: Path) -> None:
    assert confirm(store, TOGETHER, "--decline", "--reason", " the sweep was mine ") == 0
    assert [(row["confirmed"], row["reason"]) for row in said(store)] == [(False, "the sweep was mine")]


def test_what_has_not_come_yet_may_be_confirmed_before(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert confirm(store, NOWHERE) == 0
    assert [row["submission_id"] for row in said(store)] == [NOWHERE]
    assert "The tables here do not show the result" in capsys.readouterr().err


def test_without_tables_to_read_the_aggregator_judges(tmp_path: Path) -> None:
    store = make_store(tmp_path / "bare", {})
    for path in (store / "tables" / "commits").iterdir():
        path.unlink()
    (store / "tables" / "commits").rmdir()
    assert confirm(store, TOGETHER) == 0
    assert len(said(store)) == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((THEIRS,), 1, "names no job of"),
        (("latest",), 1, "submission_id is not the id of a submission"),
        ((TOGETHER, "--reason", "x"), 2, "give --decline with it"),
        ((TOGETHER, "--decline", "--reason", "x" * 201), 1, "reason is 201 characters long"),
    ],
)
def test_what_cannot_be_said_is_refused(
    words: tuple[str, ...], code: int, told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert confirm(store, *words) == code
    assert told in capsys.readouterr().err
    assert said(store) == []


def test_results_show_who_must_confirm_and_the_command(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("results", "--store", str(store), "-j", "101") == 0
    told = f"job 101: to be confirmed by {ME} with sam-cluster confirm {TOGETHER}"
    shown = capsys.readouterr().out
    assert shown.splitlines()[2].endswith(told)
    assert "\x1b" not in shown
