"""Who may hand in a result for which jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.core.tasks import Task
from sam_cluster.submissions.drop import compose
from sam_cluster.submissions.judge import Ground, Known, Status, judge, judge_jobs
from sam_cluster.submissions.model import Confirmation

NOW = datetime(2026, 10, 3, 12, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
OWNERS = {"101": "alice", "102_7": "alice", "201": "bob", "301": "carol"}
EARLIER = "e" * 32
TASK = Task(name="t")


def result(jobs=("101",), supersedes=None, metric=None):
    texts = {"supersedes": supersedes, "metric": metric}
    return compose(now=NOW, cluster="lab", jobs=jobs, accuracy=0.7, task="t", texts=texts)


def word(confirmed, reason=None):
    return Confirmation(submission_id="a" * 32, submitted_at=NOW, confirmed=confirmed, reason=reason)


YES, NO = word(True), word(False, "not without me")


@pytest.mark.parametrize(
    ("jobs", "until", "status", "ground"),
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
def test_alices_result_is_judged_by_whose_its_jobs_are(jobs, until, status, ground):
    verdict = judge_jobs(result(jobs), "alice", Known(owners=OWNERS, until=until))
    assert (verdict.status, verdict.ground) == (status, ground)


def test_a_rejection_names_the_jobs_and_whose_they_are():
    verdict = judge_jobs(result(["201", "301"]), "alice", Known(owners=OWNERS))
    assert verdict.text == "jobs 201, 301: not alice's but bob, carol's"
    verdict = judge_jobs(result(["999"]), "alice", Known(owners=OWNERS, until=LATER))
    assert verdict.text == "there is no job 999 on cluster 'lab'"


@pytest.mark.parametrize(
    ("job", "ground"),
    [
        ("149", Ground.JOB_NOT_KNOWN_YET),  # may have ended before accounting was first asked
        ("150", Ground.NO_SUCH_JOB),
        ("499_3", Ground.NO_SUCH_JOB),
        ("500", Ground.JOB_NOT_KNOWN_YET),  # may be of before the numbers began anew
        ("149_200", Ground.JOB_NOT_KNOWN_YET),  # by its array's number, not its task's
    ],
)
def test_a_job_is_absent_only_among_the_numbers_of_which_every_job_is_known(job, ground):
    known = Known(owners=OWNERS, until=LATER, numbers=range(150, 500))
    assert judge_jobs(result([job]), "alice", known).ground is ground


def test_a_coordinator_may_hand_in_for_the_jobs_of_the_lab_and_no_others():
    def verdict(jobs, coordinated, **more):
        known = Known(owners=OWNERS, until=LATER, coordinated=coordinated, **more)
        return judge_jobs(result(jobs), "head", known)

    assert verdict(["101"], {"101"}).status is Status.ACCEPTED
    assert verdict(["101", "201"], {"101", "201"}).status is Status.ACCEPTED
    assert verdict(["101", "201"], {"101"}).ground is Ground.OWNER_MUST_CONFIRM
    assert verdict(["101", "201"], {"101"}, words={"bob": YES}).status is Status.ACCEPTED
    assert verdict(["201"], {"101"}).ground is Ground.JOB_OF_SOMEBODY_ELSE
    assert verdict(["101", "999"], {"101"}).ground is Ground.NO_SUCH_JOB
    assert verdict(["101"], {"101"}, words={"alice": NO}).status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("words", "status", "ground"),
    [
        ({"bob": YES, "carol": YES}, Status.ACCEPTED, None),
        ({"bob": YES}, Status.PENDING, Ground.OWNER_MUST_CONFIRM),
        ({"bob": YES, "alice": YES, "dave": YES}, Status.PENDING, Ground.OWNER_MUST_CONFIRM),
        ({"bob": YES, "carol": NO}, Status.REJECTED, Ground.OWNER_DECLINED),
        ({"bob": NO}, Status.REJECTED, Ground.OWNER_DECLINED),
        ({"alice": NO, "dave": NO}, Status.PENDING, Ground.OWNER_MUST_CONFIRM),
    ],
)
def test_each_owner_of_a_collaborators_jobs_has_to_confirm_and_nobody_else_has_a_say(words, status, ground):
    known = Known(owners=OWNERS, words=words)
    verdict = judge_jobs(result(["101", "201", "301"]), "alice", known)
    assert (verdict.status, verdict.ground) == (status, ground)


def test_a_confirmation_makes_nobody_an_author_of_others_jobs_alone():
    known = Known(owners=OWNERS, words={"bob": YES})
    assert judge_jobs(result(["201"]), "alice", known).ground is Ground.JOB_OF_SOMEBODY_ELSE


def test_a_pending_result_says_who_must_confirm_and_how_and_a_declined_one_why():
    submission = result(["101", "201", "301"])
    known = Known(owners=OWNERS, words={"bob": YES})
    assert judge_jobs(submission, "alice", known).text == (
        f"job 301: to be confirmed by carol with sam-cluster confirm {submission.id}"
    )
    known = Known(owners=OWNERS, words={"bob": NO, "carol": word(False)})
    assert judge_jobs(submission, "alice", known).text == (
        "jobs 201, 301: declined by bob, carol (bob: “not without me”)"
    )


@pytest.mark.parametrize(
    ("authors", "may_correct", "status", "ground"),
    [
        ({EARLIER: "alice"}, False, Status.ACCEPTED, None),
        ({EARLIER: "bob"}, False, Status.REJECTED, Ground.RESULT_OF_SOMEBODY_ELSE),
        ({EARLIER: "bob"}, True, Status.ACCEPTED, None),
        ({}, True, Status.REJECTED, Ground.NO_SUCH_RESULT),
    ],
)
def test_only_an_own_result_or_a_coordinated_one_can_be_superseded(authors, may_correct, status, ground):
    known = Known(owners=OWNERS)
    correction = result(supersedes=EARLIER)
    verdict = judge(correction, "alice", known=known, task=TASK, authors=authors, may_correct=may_correct)
    assert (verdict.status, verdict.ground) == (status, ground)


def test_an_id_that_is_taken_cannot_be_used_for_another_result():
    submission = result()
    authors = {submission.id: "bob"}
    verdict = judge(submission, "alice", known=Known(owners=OWNERS), task=TASK, authors=authors)
    assert (verdict.status, verdict.ground) == (Status.REJECTED, Ground.ID_ALREADY_USED)


@pytest.mark.parametrize(
    ("metric", "task", "is_rejected"),
    [
        ("val_loss", TASK, True),
        (None, Task(name="t", metric="WER"), True),
        (None, Task(name="t", metric="distance", lower_is_better=True), True),
        ("top-1", Task(name="t", metric="distance", lower_is_better=True), False),
        ("top-1", TASK, False),
    ],
)
def test_a_metric_where_lower_is_better_is_rejected_with_the_reason(metric, task, is_rejected):
    verdict = judge(result(metric=metric), "alice", known=Known(owners=OWNERS), task=task, authors={})
    assert (verdict.ground is Ground.LOWER_IS_BETTER) == is_rejected
    assert not is_rejected or "SAM rewards a higher accuracy" in verdict.text


jobs = st.sampled_from(["1", "2", "3", "4", "5"])
users = st.sampled_from(["alice", "bob", "carol"])


@given(
    named=st.lists(jobs, min_size=1, unique=True),
    owners=st.dictionaries(jobs, users),
    more=st.dictionaries(jobs, users),
    words=st.dictionaries(users, st.sampled_from([YES, NO])),
    until=st.sampled_from([None, BEFORE]),
)
def test_nothing_is_accepted_but_for_own_or_confirmed_jobs_and_no_acceptance_is_revoked_by_knowing_more(
    named, owners, more, words, until
):
    verdict = judge_jobs(result(named), "alice", Known(owners=owners, until=until, words=words))
    accepted = verdict.status is Status.ACCEPTED
    own = [owners.get(job) == "alice" for job in named]
    confirmed = [job in owners and words.get(owners[job]) is YES for job in named]
    assert accepted == (any(own) and all(a or b for a, b in zip(own, confirmed, strict=True)))
    assert (verdict.text is None) == accepted
    if verdict.status is not Status.PENDING:  # what was decided before all was known stays decided
        known_better = judge_jobs(
            result(named), "alice", Known(owners=more | owners, until=LATER, words=words)
        )
        assert known_better.status is verdict.status
