"""Whose jobs these are, as far as it can be known here: from Slurm, else from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sam_cluster.cli import options
from sam_cluster.cli.slurm_commands import Ask
from sam_cluster.core.config import Config
from sam_cluster.core.errors import StoreError

SACCT = ("sacct", "--noheader", "--parsable2", "--allocations", "--format=JobID,User,Cluster")
SQUEUE = ("squeue", "--noheader", "--array", "--states=all", "--format=%i|%u")
NO_SUCH_JOB = "Invalid job id"  # squeue's words, with exit code 1, where it knows none of them


@dataclass(frozen=True, slots=True)
class Known:
    """The owner of each job that is known, by the id as it was asked for. `known_until` is None where a
    job that is not among them may still be one."""

    owners: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    known_until: datetime | None = None


def find(jobs: Sequence[str], config: Config, ask: Ask, now: datetime) -> Known:
    """The owners of jobs. Nothing known is no error: the aggregator judges what cannot be judged here."""
    by_slurm = from_slurm(jobs, ask, now)
    if by_slurm.known_until is not None or len(by_slurm.owners) == len(jobs):
        return by_slurm
    by_tables = from_tables(jobs, config, now)
    return Known(
        owners={**by_tables.owners, **by_slurm.owners},
        cluster=by_slurm.cluster or by_tables.cluster,
        # Where there is no Slurm the tables hold every job; beside a Slurm that does not answer they
        # hold those of the last aggregation.
        known_until=by_tables.known_until if ask(("sacct", "--version")).code is None else None,
    )


def from_slurm(jobs: Sequence[str], ask: Ask, now: datetime) -> Known:
    """What accounting knows, and of what it does not know yet, the controller."""
    named = ",".join(jobs)
    accounting = ask((*SACCT, f"--jobs={named}"))
    rows = [line.split("|") for line in accounting.out.splitlines()] if accounting.code == 0 else []
    found = [(row[0], row[1]) for row in rows if len(row) == 3]
    cluster = next((row[2] for row in rows if len(row) == 3), None)
    owners = _owners(jobs, found)
    if len(owners) == len(jobs):
        return Known(owners, cluster, now)
    queue = ask((*SQUEUE, f"--jobs={named}"))
    if queue.code == 0:
        pairs = (line.partition("|") for line in queue.out.splitlines())
        owners |= _owners(jobs, [(job_id, user) for job_id, _, user in pairs])
    answered = accounting.code == 0 and (queue.code == 0 or NO_SUCH_JOB in queue.err)
    return Known(owners, cluster, now if answered else None)


def from_tables(jobs: Sequence[str], config: Config, now: datetime) -> Known:
    """What the tables know, where this user may read them."""
    try:
        tables = options.snapshot_of(config)
        from sam_cluster.report.reading import read_jobs
        from sam_cluster.report.records import Selection

        found = read_jobs(tables, config, Selection(job_ids=tuple(jobs)))
    except (StoreError, OSError):
        return Known()
    clusters = {job.cluster for job in found}
    owners = _owners(jobs, [(job.job_id, job.user) for job in found if job.user is not None])
    return Known(owners, clusters.pop() if len(clusters) == 1 else None, now)


def _owners(jobs: Iterable[str], found: Sequence[tuple[str, str]]) -> dict[str, str]:
    """An array or het job is its parts' owner's: they cannot have several."""
    owners = {job_id: user for job_id, user in found if user}
    for job_id, user in list(owners.items()):
        for mark in "_+":
            if mark in job_id:
                owners.setdefault(job_id.partition(mark)[0], user)
    return {job: owners[job] for job in jobs if job in owners}
