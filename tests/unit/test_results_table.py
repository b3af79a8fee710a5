"""From the drop box to the table `results`: judged when it comes, and again while it waits."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.named_jobs import numbers_since
from sam_cluster.core.config import Config, Group, Task
from sam_cluster.simulation.people import SimulatedMunge
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.submissions.drop import compose, drop
from sam_cluster.submissions.model import Confirmation
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
from tests.strategies import CLUSTER, DAY, EPOCH, HOUR

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


USERS = {1: "user0", 2: "user1", 3: "user2", 4: "head", 5: "mallory"}
UIDS = {name: uid for uid, name in USERS.items()}


def handed(paths: StorePaths, user: str, jobs: list[str], *, at: int = 0, **more):
    """A result of a user's in the box, `at` minutes after the others."""
    chosen = {name: more.pop(name) for name in ("id",) if name in more}
    fields = {"cluster": "lab", "accuracy": 0.75, "task": "t", **more}
    submission = compose(now=HANDED_IN + timedelta(minutes=at), jobs=jobs, **fields)
    submission = replace(submission, **chosen)
    drop(submission, paths.submissions, SimulatedMunge(uid=UIDS[user]))
    return submission.id


def said(paths: StorePaths, user: str, submission_id: str, confirmed: bool, *, at: int = 0, reason=None):
    now = HANDED_IN + timedelta(minutes=at)
    word = Confirmation(submission_id=submission_id, submitted_at=now, confirmed=confirmed, reason=reason)
    drop(word, paths.submissions, SimulatedMunge(uid=UIDS[user]))


def fold(paths: StorePaths, **more):
    accounting = more.pop("accounting", None) or accounting_of(HISTORY)
    return run_aggregate(paths, accounting=accounting, names=USERS.get, munge=SimulatedMunge(), **more)


def verdicts(paths: StorePaths) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {
        (row["submission_id"], row["user"]): (row["verdict"], row["ground"]) for row in rows(paths, "results")
    }


def verdict(paths: StorePaths, submission_id: str, user: str = "user2") -> tuple[str, str | None]:
    return verdicts(paths)[submission_id, user]


ACCEPTED = ("accepted", None)
WAITS = ("pending", "owner_must_confirm")
DECLINED = ("rejected", "owner_declined")


def test_what_may_be_said_beside_the_accuracy_stands_in_the_table(paths) -> None:
    put_all(paths)
    texts = {"checkpoint_sha256": "ab" * 32}
    hand_in(paths, "101", epochs=90, data_fraction=0.25, texts=texts)
    run_aggregate(paths, accounting=accounting_of(HISTORY), names=ME)
    row = only(rows(paths, "results"))
    assert (row["epochs"], row["data_fraction"], row["checkpoint_sha256"]) == (90.0, 0.25, "ab" * 32)


def test_a_collaborators_job_counts_when_its_owner_and_nobody_else_has_confirmed(paths) -> None:
    put_all(paths)  # job 101 is user2's, 102 user0's
    together = handed(paths, "user2", ["101", "102"])
    fold(paths)
    assert verdict(paths, together) == WAITS
    reason = only(rows(paths, "results"))["reason"]
    assert reason == f"job 102: to be confirmed by user0 with sam-cluster confirm {together}"
    for somebody in ("user2", "mallory", "user1"):
        said(paths, somebody, together, True)
    fold(paths)
    assert verdict(paths, together) == WAITS
    said(paths, "user0", together, True)
    outcome = fold(paths)
    assert (verdict(paths, together), outcome.problems, in_box(paths)) == (ACCEPTED, [], [])
    said(paths, "mallory", together, False, at=9)
    fold(paths)
    assert verdict(paths, together) == ACCEPTED


def test_a_declined_result_is_rejected_with_the_owners_reason_and_the_latest_word_counts(paths) -> None:
    put_all(paths)
    together = handed(paths, "user2", ["101", "102"])
    said(paths, "user0", together, True, at=1)
    fold(paths)
    assert verdict(paths, together) == ACCEPTED
    said(paths, "user0", together, False, at=2, reason="the sweep was mine\x1b[2J")
    fold(paths)
    row = only(rows(paths, "results"))
    assert (row["verdict"], row["ground"]) == DECLINED
    assert row["reason"] == "job 102: declined by user0 (user0: “the sweep was mine\x1b[2J”)"
    said(paths, "user0", together, True, at=3)
    fold(paths)
    assert verdict(paths, together) == ACCEPTED


Step = Callable[[StorePaths], object]


@pytest.fixture(scope="module")
def with_jobs(tmp_path_factory) -> Path:
    """A store that knows the jobs and has no results yet, to be copied."""
    paths = StorePaths(tmp_path_factory.mktemp("jobs") / "store")
    prepare(paths)
    put_all(paths)
    fold(paths)
    return paths.root


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_verdict_does_not_depend_on_the_order_in_which_words_results_and_corrections_come(
    order, with_jobs, tmp_path
) -> None:
    mine, corrected = "a" * 32, "b" * 32
    steps: list[Step] = [
        lambda paths: handed(paths, "user2", ["101", "102"], id=mine),
        lambda paths: said(paths, "user0", mine, True, at=1),
        lambda paths: said(paths, "user0", mine, False, at=2, reason="no"),
        lambda paths: handed(paths, "user2", ["101"], id=corrected, at=3, texts={"supersedes": mine}),
    ]
    found = []
    for name, groups in (("one by one", [[n] for n in order]), ("two at once", [order[:2], order[2:]])):
        paths = StorePaths(shutil.copytree(with_jobs, tmp_path / name))
        for group in groups:
            for number in group:
                steps[number](paths)
            fold(paths)
        found.append((verdict(paths, mine), verdict(paths, corrected), len(rows(paths, "confirmations"))))
        assert in_box(paths) == []
    assert set(found) == {(DECLINED, ACCEPTED, 2)}


def test_a_word_that_comes_again_is_kept_once(paths) -> None:
    put_all(paths)
    for _ in range(2):
        said(paths, "user0", "c" * 32, True)
        fold(paths)
    assert len(rows(paths, "confirmations")) == 1


def test_nobody_takes_anothers_id_by_an_earlier_time_and_then_supersedes_the_result(paths) -> None:
    put_all(paths)
    mine = handed(paths, "user2", ["101", "102"])
    fold(paths)
    for minutes in range(6):  # whatever order their digests give them in the table
        handed(paths, "user0", ["102"], id=mine, at=-60 + minutes)
    fold(paths)
    said(paths, "user0", mine, True)
    fold(paths)
    assert verdict(paths, mine) == ACCEPTED
    assert verdict(paths, mine, "user0") == ("rejected", "id_already_used")
    stolen = handed(paths, "user0", ["102"], texts={"supersedes": mine})
    fold(paths)
    assert verdict(paths, stolen, "user0") == ("rejected", "result_of_somebody_else")


def lab(**more) -> Config:
    """Job 101 is of account lab1, 102 of lab0: the one of vision, the other of nlp."""
    vision = Group(name="vision", accounts=("lab1",), coordinators=("head",), **more)
    return Config(cluster_name=CLUSTER, groups=(vision, Group(name="nlp", accounts=("lab0",))))


def test_a_coordinator_hands_in_for_the_jobs_of_the_lab_and_no_others(paths) -> None:
    put_all(paths)
    ours = handed(paths, "head", ["101"])
    theirs = handed(paths, "head", ["102"])
    both = handed(paths, "head", ["101", "102"])
    somebodys = handed(paths, "mallory", ["101"])
    fold(paths, config=lab())
    assert verdict(paths, ours, "head") == ACCEPTED
    assert verdict(paths, theirs, "head") == ("rejected", "job_of_somebody_else")
    assert verdict(paths, both, "head") == WAITS
    assert verdict(paths, somebodys, "mallory") == ("rejected", "job_of_somebody_else")


@pytest.mark.parametrize(("day", "is_accepted"), [(0, True), (1, True), (2, False)])
def test_a_coordinator_is_who_the_lab_had_on_the_day_the_job_ended(day, is_accepted, paths) -> None:
    put_all(paths)
    # Job 101 ends thirty hours after the start of the history.
    ended = datetime.fromtimestamp((EPOCH + 30 * HOUR) / 1e6, UTC).date()
    since = ended + timedelta(days=day - 1)
    by_head = handed(paths, "head", ["101"])
    fold(paths, config=lab(since=since))
    assert (verdict(paths, by_head, "head") == ACCEPTED) == is_accepted


def test_a_coordinator_corrects_results_of_the_labs_jobs_and_no_others(paths) -> None:
    put_all(paths)
    ours, theirs = handed(paths, "user2", ["101"]), handed(paths, "user0", ["102"])
    fold(paths, config=lab())
    corrected = handed(paths, "head", ["101"], at=1, texts={"supersedes": ours})
    hidden = handed(paths, "head", ["101"], at=2, texts={"supersedes": theirs})
    fold(paths, config=lab())
    assert verdict(paths, corrected, "head") == ACCEPTED
    assert verdict(paths, hidden, "head") == ("rejected", "result_of_somebody_else")


def test_a_metric_where_lower_is_better_is_rejected_by_the_aggregator_too(paths) -> None:
    put_all(paths)
    config = Config(cluster_name=CLUSTER, tasks=(Task(name="depth", metric="d1", lower_is_better=True),))
    by_name = handed(paths, "user2", ["101"], texts={"metric": "val loss"})
    by_task = handed(paths, "user2", ["101"], task="depth")
    fold(paths, config=config)
    assert {verdict(paths, each) for each in (by_name, by_task)} == {("rejected", "lower_is_better")}


def test_a_job_from_before_accounting_was_first_asked_is_not_known_to_be_absent(paths) -> None:
    put_all(paths)  # accounting is asked from job 101's begin on; 101 was submitted a minute before
    before, among, after = (handed(paths, "user2", ["101", job]) for job in ("7", "150", "250"))
    others = [
        record(90, EPOCH - DAY, EPOCH + 41 * HOUR),  # a long one, in the answer, from before it
        record(140, EPOCH + 31 * HOUR, EPOCH + 32 * HOUR),
        record(200, EPOCH + 33 * HOUR, EPOCH + 41 * HOUR),
    ]
    later = record(300, EPOCH + 43 * DAY, EPOCH + 44 * DAY)
    accounting = Recorded([*accounting_of(HISTORY).records, *others, replace(later, job_id="299_1")])
    fold(paths, accounting=accounting)
    assert verdict(paths, before) == ("pending", "job_not_known_yet")
    assert verdict(paths, among) == ("rejected", "no_such_job")
    assert verdict(paths, after) == ("rejected", "no_such_job")
    between = handed(paths, "user2", ["101", "95"])  # after the long one, which is older than the answer
    fold(paths, accounting=accounting)
    assert verdict(paths, between) == ("pending", "job_not_known_yet")


def numbers_of(given: list[tuple[int, int]], since: int, at_a_time: int = 2) -> range:
    """The numbers since an instant of one cluster, of which some are known at a time."""
    parts = [given[at : at + at_a_time] for at in range(0, len(given), at_a_time)]
    columns = [
        ("lab", *(pa.chunked_array([[pair[n] for pair in part]], pa.int64()) for n in (0, 1)))
        for part in parts
    ]
    return numbers_since(lambda: columns, since).get("lab", range(0))


@settings(deadline=None)
@given(
    gaps=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    unseen=st.sets(st.integers(0, 39)),
    since=st.integers(0, 60),
    at_a_time=st.integers(1, 50),
)
def test_no_number_that_was_given_out_before_is_among_the_numbers_since(
    gaps, unseen, since, at_a_time
) -> None:
    given_out = dict(enumerate(itertools.accumulate(gaps), 1))
    seen = [(number, at) for number, at in given_out.items() if number not in unseen]
    found = numbers_of(seen, since, at_a_time)
    assert all(given_out[number] >= since for number in found)
    assert {number for number, at in seen if at >= since} <= set(found)


def test_a_requeued_job_does_not_make_its_number_a_late_one() -> None:
    assert numbers_of([(50, 130), (110, 100), (120, 105), (121, 140)], 100) == range(110, 122)
    assert numbers_of([(67_000_000, 100), (1, 110), (2, 120)], 90) == range(67_000_000, 67_000_001)
    assert numbers_of([], 0) == range(0)
