"""From the drop box to the table `results`: judged when it comes, and again while it waits."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.submissions.drop import compose, drop
from tests.aggregating import (
    HISTORY,
    NOW,
    Recorded,
    accounting_of,
    only,
    put_all,
    record,
    rows,
    run_aggregate,
)
from tests.strategies import EPOCH, HOUR

HANDED_IN = datetime(2026, 3, 4, 12, tzinfo=UTC)
ME = {os.getuid(): "user2"}.get  # whose job 101 of the history is


@pytest.fixture
def paths(tmp_path) -> StorePaths:
    paths = StorePaths(tmp_path / "store")
    prepare(paths)
    return paths


def hand_in(paths: StorePaths, *jobs: str, **more) -> str:
    fields = {"now": HANDED_IN, "cluster": "lab", "accuracy": 0.75, "task": "imagenet-1k", **more}
    submission = compose(jobs=jobs, **fields)
    drop(submission, paths.submissions, None)
    return submission.id


def in_box(paths: StorePaths) -> list[str]:
    return os.listdir(paths.submissions)


def test_a_result_of_ones_own_job_is_accepted_and_leaves_the_box(paths) -> None:
    put_all(paths)
    handed_in = hand_in(paths, "101", texts={"model": "resnet"})
    outcome = run_aggregate(paths, accounting=accounting_of(HISTORY), names=ME)
    result = only(rows(paths, "results"))
    assert (outcome.results, outcome.problems, in_box(paths)) == (1, [], [])
    assert (result["submission_id"], result["verdict"], result["reason"]) == (handed_in, "accepted", None)
    assert (result["user"], result["model"], result["job_ids"]) == ("user2", "resnet", ["101"])
    assert (result["author_by"], result["accuracy"]) == ("owner", 0.75)


def test_a_result_of_somebody_elses_job_is_rejected_with_the_reason(paths) -> None:
    put_all(paths)
    hand_in(paths, "102")
    run_aggregate(paths, accounting=accounting_of(HISTORY), names=ME)
    result = only(rows(paths, "results"))
    assert result["verdict"] == "rejected"
    assert "not user2's but user0's" in result["reason"]


def test_a_result_waits_for_its_jobs_and_is_judged_again_when_they_are_known(paths) -> None:
    task = record(108, EPOCH + 2 * HOUR, EPOCH + 3 * HOUR, job_id="90_7", user="user2")
    hand_in(paths, "101", "90_7")
    run_aggregate(paths, names=ME)
    assert only(rows(paths, "results"))["verdict"] == "pending"
    run_aggregate(paths, names=ME)
    assert only(rows(paths, "results"))["verdict"] == "pending"
    put_all(paths)
    earlier = record(99, EPOCH, EPOCH + HOUR)
    accounting = Recorded([*accounting_of(HISTORY).records, earlier, task])
    run_aggregate(paths, accounting=accounting, now=EPOCH + 42 * HOUR, names=ME)
    assert only(rows(paths, "results"))["verdict"] == "pending"  # task 7 began before any shard
    put_all(paths, replace(HISTORY, runs=(replace(HISTORY.runs[0], job_id=98, start=0, end=HOUR),)))
    run_aggregate(paths, accounting=accounting, now=EPOCH + 42 * HOUR, names=ME)
    assert only(rows(paths, "results"))["verdict"] == "accepted"


def test_a_result_that_comes_again_is_there_once(paths) -> None:
    put_all(paths)
    submission = compose(now=HANDED_IN, cluster="lab", jobs=["101"], accuracy=0.5, task="t")
    for _ in range(2):
        drop(submission, paths.submissions, None)
        run_aggregate(paths, accounting=accounting_of(HISTORY), names=ME)
    assert only(rows(paths, "results"))["verdict"] == "accepted"
    assert in_box(paths) == []


def test_what_is_no_submission_is_rejected_under_its_owners_name_and_costs_nothing_else(paths) -> None:
    path = paths.submissions / "junk.json"
    path.write_text('{"payload": 7}')
    path.chmod(0o644)
    hand_in(paths, "101")
    put_all(paths)
    run_aggregate(paths, accounting=accounting_of(HISTORY), names=ME)
    verdicts = {row["submission_id"] is None: (row["verdict"], row["user"]) for row in rows(paths, "results")}
    assert verdicts == {True: ("rejected", "user2"), False: ("accepted", "user2")}
    assert in_box(paths) == []


def test_an_author_without_a_name_here_waits_in_the_box_and_is_a_problem(paths) -> None:
    hand_in(paths, "101")
    outcome = run_aggregate(paths, names={}.get)
    assert not outcome.complete
    assert len(in_box(paths)) == 1
    assert rows(paths, "results") == []
    later = int((HANDED_IN + timedelta(days=60)).timestamp() * 1_000_000)
    assert run_aggregate(paths, names=ME, now=max(later, NOW)).complete
    assert in_box(paths) == []


def test_a_directory_that_cannot_be_removed_from_the_box_is_rejected_once(paths) -> None:
    (paths.submissions / "mine").mkdir()
    (paths.submissions / "mine" / "more").touch()
    taken = [run_aggregate(paths, names=ME).results for _ in range(3)]
    assert taken == [1, 0, 0]
    assert only(rows(paths, "results"))["verdict"] == "rejected"
    assert in_box(paths) == ["mine"]
