"""Who may hand in a result for which jobs. Pure: the same rules serve `submit` and the aggregator."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ..core.tasks import Task, why_not_scored
from .model import Confirmation, Submission


class Status(StrEnum):
    """What becomes of a submission; pending is judged again whenever more is known."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    REJECTED = "rejected"


class Ground(StrEnum):
    """Why a submission is not accepted: a closed list."""

    JOB_NOT_KNOWN_YET = "job_not_known_yet"
    OWNER_MUST_CONFIRM = "owner_must_confirm"
    OWNER_DECLINED = "owner_declined"
    NO_SUCH_JOB = "no_such_job"
    JOB_OF_SOMEBODY_ELSE = "job_of_somebody_else"
    ID_ALREADY_USED = "id_already_used"
    NO_SUCH_RESULT = "no_such_result"
    RESULT_OF_SOMEBODY_ELSE = "result_of_somebody_else"
    LOWER_IS_BETTER = "lower_is_better"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status, and for all but the accepted the ground and a sentence for the author."""

    status: Status
    ground: Ground | None = None
    text: str | None = None


ACCEPTED = Verdict(Status.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the jobs that a submission names.

    `owners` gives the user of each job that is known. A job that is missing from it is no job at all where
    the submission was made by `until`, and the job's number is one of `numbers`: up to then every job that
    began is known, and of those numbers every one. None of `until` is that this cannot be said, None of
    `numbers` that it holds for all. An older number may be of a job that ended before anything was asked
    of accounting, a greater one of before Slurm's numbers began anew; neither is known to be absent.

    `coordinated` are jobs that the author may speak for as the coordinator of their lab, `words` the latest
    word of each user on this submission.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    until: datetime | None = None
    numbers: range | None = None
    coordinated: Container[str] = ()
    words: Mapping[str, Confirmation] = field(default_factory=dict)

    def is_absent(self, job: str, submission: Submission) -> bool:
        """Whether there is no such job."""
        if job in self.owners or self.until is None or submission.submitted_at > self.until:
            return False
        return self.numbers is None or int(re.split(r"[_+]", job, maxsplit=1)[0]) in self.numbers


def judge(
    submission: Submission,
    author: str,
    *,
    known: Known,
    task: Task,
    authors: Mapping[str, str],
    may_correct: bool = False,
) -> Verdict:
    """What becomes of an author's submission: by its id and what it supersedes, its metric, its jobs.

    `authors` says who handed in each other submission on record, by id, rejected ones too; `may_correct`
    is whether the author coordinates all jobs of the one that is superseded.
    """
    if submission.id in authors:
        text = f"another result has the id {submission.id}: submit it anew"
        return Verdict(Status.REJECTED, Ground.ID_ALREADY_USED, text)
    if submission.supersedes is not None:
        corrected = authors.get(submission.supersedes)
        if corrected is None:
            text = f"there is no result {submission.supersedes} to supersede"
            return Verdict(Status.REJECTED, Ground.NO_SUCH_RESULT, text)
        if corrected != author and not may_correct:
            text = f"result {submission.supersedes} was handed in by {corrected}, who alone can supersede it"
            return Verdict(Status.REJECTED, Ground.RESULT_OF_SOMEBODY_ELSE, text)
    return judge_metric(submission, task) or judge_jobs(submission, author, known)


def judge_metric(submission: Submission, task: Task) -> Verdict | None:
    """The rejection of a metric that cannot be scored; None where it can. `task` is the submission's."""
    why_not = why_not_scored(submission.metric, task)
    return Verdict(Status.REJECTED, Ground.LOWER_IS_BETTER, why_not) if why_not else None


def judge_jobs(submission: Submission, author: str, known: Known) -> Verdict:
    """Whether the author may speak for the jobs.

    Jobs of a collaborator beside the author's own wait for their owner; a result with no job of the
    author's is somebody else's.
    """
    owners = known.owners
    if absent := [job for job in submission.jobs if known.is_absent(job, submission)]:
        text = f"there is no {_jobs(absent)} on cluster {submission.cluster!a}"
        return Verdict(Status.REJECTED, Ground.NO_SUCH_JOB, text)
    foreign = [
        job
        for job in submission.jobs
        if job in owners and owners[job] != author and job not in known.coordinated
    ]
    if foreign and len(foreign) == len(submission.jobs):
        text = f"{_jobs(foreign)}: not {author}'s but {_users(owners[job] for job in foreign)}'s"
        return Verdict(Status.REJECTED, Ground.JOB_OF_SOMEBODY_ELSE, text)
    if declined := [job for job in foreign if _has_declined(known, owners[job])]:
        users = sorted({owners[job] for job in declined})
        why = "; ".join(f"{user}: “{known.words[user].reason}”" for user in users if known.words[user].reason)
        text = f"{_jobs(declined)}: declined by {', '.join(users)}" + (f" ({why})" if why else "")
        return Verdict(Status.REJECTED, Ground.OWNER_DECLINED, text)
    if unknown := [job for job in submission.jobs if job not in owners]:
        text = f"{_jobs(unknown)}: not known from Slurm's accounting yet"
        return Verdict(Status.PENDING, Ground.JOB_NOT_KNOWN_YET, text)
    if waiting := [job for job in foreign if owners[job] not in known.words]:
        users = sorted({owners[job] for job in waiting})
        how = f"sam-cluster confirm {submission.id}"
        text = f"{_jobs(waiting)}: to be confirmed by {', '.join(users)} with {how}"
        return Verdict(Status.PENDING, Ground.OWNER_MUST_CONFIRM, text)
    return ACCEPTED


def _has_declined(known: Known, user: str) -> bool:
    return user in known.words and not known.words[user].confirmed


def _jobs(jobs: list[str]) -> str:
    few = ", ".join(jobs[:5]) + (f" and {len(jobs) - 5} more" if len(jobs) > 5 else "")
    return f"job{'s' if len(jobs) > 1 else ''} {few}"


def _users(users: Iterable[str]) -> str:
    return ", ".join(sorted(set(users)))
