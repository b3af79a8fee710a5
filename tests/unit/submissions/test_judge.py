"""Who may hand in a result for which jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.submissions.drop import compose
from sam_cluster.submissions.judge import Ground, Status, judge, judge_jobs

NOW = datetime(2026, 10, 3, 12, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
OWNERS = {"101": "alice", "102_7": "alice", "201": "bob", "301": "carol"}
EARLIER = "e" * 32


def result(jobs=("101",), supersedes=None):
    return compose(
        now=NOW, cluster="lab", jobs=jobs, accuracy=0.7, task="t", texts={"supersedes": supersedes}
    )


@pytest.mark.parametrize(
    ("jobs", "known_until", "status", "ground"),
    [
        (["101"], None, Status.ACCEPTED, None),
        (["101", "102_7"], LATER, Status.ACCEPTED, None),
        (["201"], LATER, Status.REJECTED, Ground.JOB_OF_SOMEBODY_ELSE),
        (["201", "301"], None, Status.REJECTED, Ground.JOB_OF_SOMEBODY_ELSE),
        (["101", "201"], None, Status.PENDING, Ground.OWNER_MUST_CONFIRM),
        (["999"], None, Status.PENDING, Ground.JOB_NOT_KNOWN_YET),
        (["999"], BEFORE, Status.PENDING, Ground.JOB_NOT_KNOWN_YET),
        (["999"], NOW, Status.REJECTED, Ground.NO_SUCH_JOB),
        (["101", "999"], LATER, Status.REJECTED, Ground.NO_SUCH_JOB),
        (["201", "999"], BEFORE, Status.PENDING, Ground.JOB_NOT_KNOWN_YET),
    ],
)
def test_alices_result_is_judged_by_whose_its_jobs_are(jobs, known_until, status, ground):
    verdict = judge_jobs(result(jobs), "alice", owners=OWNERS, known_until=known_until)
    assert (verdict.status, verdict.ground) == (status, ground)


def test_a_rejection_names_the_jobs_and_whose_they_are():
    verdict = judge_jobs(result(["201", "301"]), "alice", owners=OWNERS, known_until=None)
    assert verdict.text == "jobs 201, 301: not alice's but bob, carol's"
    verdict = judge_jobs(result(["999"]), "alice", owners=OWNERS, known_until=LATER)
    assert verdict.text == "there is no job 999 on cluster 'lab'"


def test_a_coordinator_may_hand_in_for_others_but_not_for_jobs_that_are_none():
    coordinators = {"head"}
    for jobs in (["101"], ["101", "201"]):
        assert judge_jobs(
            result(jobs), "head", owners=OWNERS, known_until=LATER, coordinators=coordinators
        ).status is Status.ACCEPTED  # fmt: skip
    verdict = judge_jobs(
        result(["101", "999"]), "head", owners=OWNERS, known_until=LATER, coordinators=coordinators
    )
    assert verdict.ground is Ground.NO_SUCH_JOB


@pytest.mark.parametrize(
    ("authors", "status", "ground"),
    [
        ({EARLIER: "alice"}, Status.ACCEPTED, None),
        ({EARLIER: "bob"}, Status.REJECTED, Ground.RESULT_OF_SOMEBODY_ELSE),
        ({}, Status.REJECTED, Ground.NO_SUCH_RESULT),
    ],
)
def test_only_an_own_result_can_be_superseded(authors, status, ground):
    verdict = judge(result(supersedes=EARLIER), "alice", owners=OWNERS, known_until=None, authors=authors)
    assert (verdict.status, verdict.ground) == (status, ground)


def test_an_id_that_is_taken_cannot_be_used_for_another_result():
    submission = result()
    verdict = judge(submission, "alice", owners=OWNERS, known_until=None, authors={submission.id: "bob"})
    assert (verdict.status, verdict.ground) == (Status.REJECTED, Ground.ID_ALREADY_USED)


jobs = st.sampled_from(["1", "2", "3", "4", "5"])
users = st.sampled_from(["alice", "bob"])


@given(
    named=st.lists(jobs, min_size=1, unique=True),
    owners=st.dictionaries(jobs, users),
    more=st.dictionaries(jobs, users),
    known_until=st.sampled_from([None, BEFORE]),
)
def test_nothing_is_accepted_but_for_own_jobs_and_no_acceptance_is_revoked_by_knowing_more(
    named, owners, more, known_until
):
    verdict = judge_jobs(result(named), "alice", owners=owners, known_until=known_until)
    accepted = verdict.status is Status.ACCEPTED
    assert accepted == all(owners.get(job) == "alice" for job in named)
    assert (verdict.text is None) == accepted
    if verdict.status is not Status.PENDING:  # what was decided before all was known stays decided
        known_better = judge_jobs(result(named), "alice", owners=more | owners, known_until=LATER)
        assert known_better == verdict
