"""sam-cluster submit: from inside a job and outside, against a Slurm that answers, fails, or is not there."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from sam_cluster.submissions.model import Submission
from tests.unit.cli.stores import make_store, run
from tests.unit.report.tables import job_rows, together

ME = pwd.getpwuid(os.getuid()).pw_name
RESULT = ("submit", "--accuracy", "76.3%", "--task", "imagenet-1k")

#: Answers as sacct and squeue give them, and refuses flags that they do not have.
SACCT = """#!/bin/sh
for flag in "$@"; do case "$flag" in
    --version) echo 'slurm 22.05.8'; exit 0;;
    --noheader|--parsable2|--allocations|--format=JobID,User,Cluster|--jobs=*) ;;
    *) echo "sacct: unrecognized option '$flag'" >&2; exit 1;;
esac; done
cat "$0.answer" 2>/dev/null || { echo 'Slurm accounting storage is disabled' >&2; exit 1; }
"""
SQUEUE = """#!/bin/sh
for flag in "$@"; do case "$flag" in
    --noheader|--array|--states=all|--format=%i\\|%u|--jobs=*) ;;
    *) echo "squeue: unrecognized option '$flag'" >&2; exit 1;;
esac; done
cat "$0.answer" 2>/dev/null || { echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1; }
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rows = together(
        job_rows(101, "2026-10-05 10:00", 4, 1.5, user=ME),
        job_rows(103, "2026-10-05 10:00", 4, 1.5, user="somebody-else"),
        job_rows(112, "2026-10-05 10:00", 4, 1.5, user=ME, job_id="110_1"),
    )
    return make_store(tmp_path / "store", rows)


@pytest.fixture
def slurm(tmp_path: Path) -> Path:
    """A directory with a sacct and a squeue; what they answer is put beside them."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, script in (("sacct", SACCT), ("squeue", SQUEUE)):
        (directory / name).write_text(script)
        (directory / name).chmod(0o755)
    return directory


def handed_in(store: Path) -> list[dict[str, Any]]:
    files = sorted((store / "submissions").iterdir())
    return [json.loads(json.loads(file.read_text())["payload"]) for file in files]


def inside(**variables: str) -> dict[str, str]:
    return {"SLURM_CLUSTER_NAME": "lab", **variables}


def submit(store: Path, *words: str, environ: dict[str, str], slurm: Path | None = None) -> int:
    path = {"PATH": f"{slurm}:/usr/bin:/bin" if slurm else "/nonexistent"}
    return run(*RESULT, "--store", str(store), *words, environ={**path, **environ})


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({"SLURM_JOB_ID": "101"}, "101"),
        ({"SLURM_JOB_ID": "112", "SLURM_ARRAY_JOB_ID": "110", "SLURM_ARRAY_TASK_ID": "1"}, "110_1"),
        ({"SLURM_JOB_ID": "121", "SLURM_HET_JOB_ID": "120", "SLURM_HET_JOB_OFFSET": "1"}, "120+1"),
    ],
)
def test_inside_a_job_its_id_is_known(variables: dict[str, str], job: str, store: Path, slurm: Path) -> None:
    (slurm / "sacct.answer").write_text(f"{job}|{ME}|lab\n")
    assert submit(store, environ=inside(**variables), slurm=slurm) == 0
    assert [(row["jobs"], row["cluster"], row["accuracy"]) for row in handed_in(store)] == [
        ([job], "lab", 0.763)
    ]


def test_what_is_handed_in_is_a_submission_with_all_that_was_said(
    store: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm / "sacct.answer").write_text(f"101|{ME}|lab\n102_7|{ME}|lab\n")
    words = (
        "--jobs", "101,102_7", "--metric", "top-1", "--dataset", "ILSVRC2012", "--split", "val", "--model",
        "ResNet-50", "--note", "=cmd()", "--supersedes", "0" * 32,
    )  # fmt: skip
    assert submit(store, *words, environ={}, slurm=slurm) == 0
    files = list((store / "submissions").iterdir())
    submission = Submission.from_json(json.loads(files[0].read_text())["payload"])
    assert capsys.readouterr().out == f"{submission.id}\n"
    assert (submission.jobs, submission.cluster, submission.task) == (("101", "102_7"), "lab", "imagenet-1k")
    assert (submission.metric, submission.dataset, submission.split) == ("top-1", "ILSVRC2012", "val")
    assert (submission.model, submission.note, submission.supersedes) == ("ResNet-50", "=cmd()", "0" * 32)


def refused(
    told: str, code: int, store: Path, capsys: pytest.CaptureFixture[str], *words: str, **more: Any
) -> None:
    """Nothing is written, and the error says what."""
    assert submit(store, *words, **more) == code
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""
    assert handed_in(store) == []


def test_outside_a_job_the_jobs_must_be_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused("name every job that was spent on the result by --jobs", 2, store, capsys, environ={})


def test_a_job_that_slurm_does_not_know_is_refused(
    store: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm / "sacct.answer").write_text("")
    refused("there is no job 999", 1, store, capsys, "--jobs", "999", environ=inside(), slurm=slurm)


def test_a_job_of_somebody_else_is_refused(
    store: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm / "sacct.answer").write_text("103|somebody-else|lab\n")
    told = f"job 103: not {ME}'s but somebody-else's"
    refused(told, 1, store, capsys, "--jobs", "103", environ=inside(), slurm=slurm)


def test_a_job_that_accounting_has_not_yet_is_found_in_the_queue(store: Path, slurm: Path) -> None:
    (slurm / "sacct.answer").write_text("")
    (slurm / "squeue.answer").write_text(f"555_0|{ME}\n555_1|{ME}\n")
    assert submit(store, "--jobs", "555", environ=inside(), slurm=slurm) == 0


def test_where_slurm_keeps_no_accounts_the_tables_say_whose_job_it_is(
    store: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused("somebody-else's", 1, store, capsys, "--jobs", "103", environ=inside(), slurm=slurm)
    assert submit(store, "--jobs", "101", environ=inside(), slurm=slurm) == 0
    assert len(handed_in(store)) == 1


def test_where_it_cannot_be_known_the_aggregator_judges(
    store: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(store, "--jobs", "999", environ=inside(), slurm=slurm) == 0
    assert "job 999: not known from Slurm's accounting yet" in capsys.readouterr().err


def test_without_slurm_the_tables_hold_every_job(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused("there is no job 999 on cluster 'lab'", 1, store, capsys, "--jobs", "999", environ=inside())
    refused("somebody-else's", 1, store, capsys, "--jobs", "103", environ=inside())
    assert submit(store, "--jobs", "101,110", environ={}) == 0
    assert handed_in(store)[0]["cluster"] == "lab"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--accuracy", "76.3"), 2, "write 0.763 or 76.3%"),
        (("--accuracy", "nan"), 2, "is not a number"),
        (("--jobs", "12;rm"), 1, "is not a job's id"),
        (("--task", " "), 1, "task is "),
        (("--epochs", "many"), 2, "--epochs must be a number above 0, not 'many'"),
        (("--epochs", "0"), 1, "epochs is not a number above 0"),
        (("--epochs", "nan"), 1, "epochs is not a number above 0"),
        (("--data-fraction", "25"), 2, "write 0.25 or 25%"),
        (("--data-fraction", "0"), 1, "data_fraction is not a number above 0 and up to 1"),
        (("--checkpoint-sha256", "abc"), 1, "checkpoint_sha256 is not a SHA-256"),
        (("--checkpoint", "/nonexistent"), 2, "--checkpoint /nonexistent cannot be read: No such file"),
        (("--checkpoint", "/"), 2, "--checkpoint / is no file"),
        (("--checkpoint", "/dev/zero"), 2, "--checkpoint /dev/zero is no file"),
        (("--metric", "val loss"), 1, "SAM rewards a higher accuracy"),
        (("--model", "x" * 10_000), 1, "model is 10000 characters long"),
    ],
)
def test_what_cannot_be_a_result_is_refused(
    words: tuple[str, ...], code: int, told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(told, code, store, capsys, "--jobs", "101", *words, environ=inside())


def test_a_store_without_a_drop_box_is_told(
    tmp_path: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm / "sacct.answer").write_text(f"101|{ME}|lab\n")
    assert submit(tmp_path / "none", "--jobs", "101", environ=inside(), slurm=slurm) == 1
    assert "the result was not handed in" in capsys.readouterr().err


def configured(tmp_path: Path, text: str) -> tuple[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return "--config", str(path)


def test_epochs_the_fraction_of_the_data_and_the_checkpoint_are_handed_in(
    store: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(b"weights" * 500_000)
    words = ("--epochs", "90", "--data-fraction", "25%", "--checkpoint", str(checkpoint))
    assert submit(store, "--jobs", "101", *words, environ=inside()) == 0
    assert submit(store, "--jobs", "101", "--checkpoint-sha256", "AB" * 32, environ=inside()) == 0
    found = {row["checkpoint_sha256"]: (row["epochs"], row["data_fraction"]) for row in handed_in(store)}
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert found == {digest: (90.0, 0.25), "ab" * 32: (None, None)}


def test_a_name_near_a_configured_task_is_hinted_at_and_handed_in_all_the_same(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, '[tasks.imagenet-1k]\naliases = ["imagenet"]\n[tasks.mnist]\n')
    words = ("--jobs", "101", *config)
    assert submit(store, *words, "--task", "imagnet", environ=inside()) == 0
    printed = capsys.readouterr()
    assert "no task 'imagnet' is configured, so that this result stands apart" in printed.err
    assert f"imagenet-1k? Then hand it in anew with --supersedes {printed.out.strip()}" in printed.err
    assert [row["task"] for row in handed_in(store)] == ["imagnet"]
    for known in ("imagenet", "something else"):
        assert submit(store, *words, "--task", known, environ=inside()) == 0
        assert "is configured" not in capsys.readouterr().err


def test_a_coordinator_hands_in_for_others_and_the_aggregator_has_the_last_word(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused("somebody-else's", 1, store, capsys, "--jobs", "103", environ=inside())
    config = configured(tmp_path, f'[groups.vision]\ncoordinators = ["{ME}"]\n')
    assert submit(store, "--jobs", "103", *config, environ=inside()) == 0
    assert [row["jobs"] for row in handed_in(store)] == [["103"]]


def test_a_collaborators_job_is_handed_in_with_what_its_owner_has_to_do(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(store, "--jobs", "101,103", environ=inside()) == 0
    printed = capsys.readouterr()
    told = f"job 103: to be confirmed by somebody-else with sam-cluster confirm {printed.out.strip()}"
    assert told in printed.err
