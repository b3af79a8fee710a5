"""Who may hand in a result for which jobs. Pure: the same rules serve `submit` and the aggregator."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .model import Submission


class Status(StrEnum):
    """What becomes of a submission; pending is judged again whenever more is known."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    REJECTED = "rejected"


class Ground(StrEnum):
    """Why a submission is not accepted: a closed list."""

    JOB_NOT_KNOWN_YET = "job_not_known_yet"
    OWNER_MUST_CONFIRM = "owner_must_confirm"
    NO_SUCH_JOB = "no_such_job"
    JOB_OF_SOMEBODY_ELSE = "job_of_somebody_else"
    ID_ALREADY_USED = "id_already_used"
    NO_SUCH_RESULT = "no_such_result"
    RESULT_OF_SOMEBODY_ELSE = "result_of_somebody_else"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status, and for all but the accepted the ground and a sentence for the author."""

    status: Status
    ground: Ground | None = None
    text: str | None = None


ACCEPTED = Verdict(Status.ACCEPTED)


def judge(
    submission: Submission,
    author: str,
    *,
    owners: Mapping[str, str],
    known_until: datetime | None,
    authors: Mapping[str, str],
    coordinators: Container[str] = (),
) -> Verdict:
    """What becomes of an author's submission: first by what it supersedes, then by its jobs.

    `authors` says who handed in each other submission on record, by id, rejected ones too; the rest is
    as in `judge_jobs`.
    """
    if submission.id in authors:
        text = f"another result has the id {submission.id}: submit it anew"
        return Verdict(Status.REJECTED, Ground.ID_ALREADY_USED, text)
    if submission.supersedes is not None:
        corrected = authors.get(submission.supersedes)
        if corrected is None:
            text = f"there is no result {submission.supersedes} to supersede"
            return Verdict(Status.REJECTED, Ground.NO_SUCH_RESULT, text)
        if corrected != author and author not in coordinators:
            text = f"result {submission.supersedes} was handed in by {corrected}, who alone can supersede it"
            return Verdict(Status.REJECTED, Ground.RESULT_OF_SOMEBODY_ELSE, text)
    return judge_jobs(submission, author, owners=owners, known_until=known_until, coordinators=coordinators)


def judge_jobs(
    submission: Submission,
    author: str,
    *,
    owners: Mapping[str, str],
    known_until: datetime | None,
    coordinators: Container[str] = (),
) -> Verdict:
    """Whether the author may speak for the jobs.

    `owners` gives the user of each job that is known. `known_until` is up to when `owners` is complete,
    so that a job missing from it, of a submission made by then, is no job at all; None where that
    cannot be said. `coordinators` are users who may speak for all of these jobs.

    Jobs of a collaborator beside the author's own wait for their owner; a result with no job of the
    author's is somebody else's.
    """
    unknown = [job for job in submission.jobs if job not in owners]
    if unknown and known_until is not None and submission.submitted_at <= known_until:
        text = f"there is no {_jobs(unknown)} on cluster {submission.cluster!a}"
        return Verdict(Status.REJECTED, Ground.NO_SUCH_JOB, text)
    foreign = [job for job in submission.jobs if job in owners and owners[job] != author]
    if author in coordinators:
        foreign = []
    if foreign and len(foreign) == len(submission.jobs):
        text = f"{_jobs(foreign)}: not {author}'s but {_users(owners[job] for job in foreign)}'s"
        return Verdict(Status.REJECTED, Ground.JOB_OF_SOMEBODY_ELSE, text)
    if unknown:
        text = f"{_jobs(unknown)}: not yet in Slurm's accounting"
        return Verdict(Status.PENDING, Ground.JOB_NOT_KNOWN_YET, text)
    if foreign:
        text = f"{_jobs(foreign)}: to be confirmed by {_users(owners[job] for job in foreign)}"
        return Verdict(Status.PENDING, Ground.OWNER_MUST_CONFIRM, text)
    return ACCEPTED


def _jobs(jobs: list[str]) -> str:
    few = ", ".join(jobs[:5]) + (f" and {len(jobs) - 5} more" if len(jobs) > 5 else "")
    return f"job{'s' if len(jobs) > 1 else ''} {few}"


def _users(users: Iterable[str]) -> str:
    return ", ".join(sorted(set(users)))
