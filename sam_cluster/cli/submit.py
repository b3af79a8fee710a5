"""sam-cluster submit: hands in a result, from inside a job or afterwards."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sam_cluster.cli import job_owners, options
from sam_cluster.cli.author import author
from sam_cluster.cli.checkpoint import sha256_of
from sam_cluster.cli.slurm_commands import asking
from sam_cluster.core.accuracy import parse_accuracy, parse_fraction
from sam_cluster.core.config import Config
from sam_cluster.core.errors import EXIT_DONE, SubmissionError, UsageError
from sam_cluster.core.tasks import near_names
from sam_cluster.store.paths import StorePaths
from sam_cluster.submissions.drop import compose, drop
from sam_cluster.submissions.judge import Ground, Known, Status, judge_jobs, judge_metric
from sam_cluster.submissions.model import parse_job_ids
from sam_cluster.submissions.munge import Munge

HELP = "hand in a result: an accuracy, the task, and every job that was spent on it"

HINTS: dict[Ground | None, str] = {
    Ground.NO_SUCH_JOB: "; Slurm may also hide a job of somebody else, and without Slurm a job is known "
    "from the next sam-cluster aggregate on"
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument(
        "--accuracy",
        required=True,
        metavar="V",
        help="a fraction (0.763) or a percentage with its sign (76.3%%)",
    )
    parser.add_argument(
        "--task", required=True, help="what it was measured on; results are compared within it"
    )
    parser.add_argument("--metric", help="such as top-1 (default: the configured task's)")
    parser.add_argument("--dataset", help="(default: the configured task's)")
    parser.add_argument("--split", help="such as val (default: the configured task's)")
    parser.add_argument("--model", metavar="NAME", help="the model, as it shall stand on the page")
    parser.add_argument("--note", metavar="TEXT", help="anything that a reader should know")
    parser.add_argument("--epochs", metavar="N", help="passes over the data that it was trained for")
    parser.add_argument(
        "--data-fraction", metavar="F", help="of the dataset, as a fraction (0.25) or a percentage (25%%)"
    )
    checkpoint = parser.add_mutually_exclusive_group()
    checkpoint.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="the trained model, of which the digest is handed in"
    )
    checkpoint.add_argument("--checkpoint-sha256", metavar="HEX", type=str.lower, help="the digest itself")
    parser.add_argument(
        "--jobs",
        metavar="ID,…",
        help="every job that was spent on it, also the failed ones (default: this job)",
    )
    parser.add_argument("--supersedes", metavar="ID", help="the result that this one corrects")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Puts the result into the drop box; the aggregator takes it from there.

    Raises UsageError where no job can be told, SubmissionError for a job that is none or another's.
    """
    config = options.config_of(args)
    accuracy = parse_accuracy(args.accuracy)
    epochs = None if args.epochs is None else _epochs(args.epochs)
    data_fraction = None
    if args.data_fraction is not None:
        data_fraction = parse_fraction(args.data_fraction, "fraction of the data", example="0.25")
    jobs = parse_job_ids(args.jobs) if args.jobs else this_job(args.environ)
    user = author()
    found = job_owners.find(jobs, config, asking(args.environ), args.now)
    cluster = args.environ.get("SLURM_CLUSTER_NAME") or config.cluster_name or found.cluster
    names = ("metric", "dataset", "split", "model", "note", "supersedes")
    texts = {name: getattr(args, name) for name in names}
    submission = compose(
        now=args.now,
        cluster=cluster or "unknown",
        jobs=jobs,
        accuracy=accuracy,
        task=args.task,
        texts={**texts, "checkpoint_sha256": args.checkpoint_sha256},
        epochs=epochs,
        data_fraction=data_fraction,
    )
    known = Known(owners=found.owners, until=found.known_until, coordinated=_coordinated(user, jobs, config))
    task = config.task_named(submission.task)
    verdict = judge_metric(submission, task) or judge_jobs(submission, user, known)
    if verdict.status is Status.REJECTED:
        raise SubmissionError(f"not handed in: {verdict.text}{HINTS.get(verdict.ground, '')}")
    if cluster is None:
        raise UsageError(
            "it cannot be told which cluster the jobs are of; set name in [cluster] of the configuration"
        )
    if args.checkpoint is not None:  # last, for it may take minutes
        submission = replace(submission, checkpoint_sha256=sha256_of(args.checkpoint))
    drop(submission, StorePaths(config.store).submissions, Munge.installed())
    print(submission.id)
    named = f"job{'s' if len(jobs) > 1 else ''} {', '.join(jobs)}"
    told = f"handed in for {named}; it counts when sam-cluster aggregate has run"
    if verdict.status is Status.PENDING:
        told += f" and nothing stands against it any more ({verdict.text})"
    print(told, file=sys.stderr)
    if near := near_names(submission.task, config.tasks):
        print(
            f"no task {submission.task[:60]!a} is configured, so that this result stands apart. "
            f"Is one of these meant: {', '.join(near)}? "
            f"Then hand it in anew with --supersedes {submission.id}",
            file=sys.stderr,
        )
    return EXIT_DONE


def this_job(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The job that the command runs inside of, as users name it. Raises UsageError outside one."""
    parts = (
        ("SLURM_ARRAY_JOB_ID", "_", "SLURM_ARRAY_TASK_ID"),
        ("SLURM_HET_JOB_ID", "+", "SLURM_HET_JOB_OFFSET"),
    )
    for whole, mark, part in parts:
        if whole in environ and part in environ:
            return parse_job_ids(f"{environ[whole]}{mark}{environ[part]}")
    if "SLURM_JOB_ID" in environ:
        return parse_job_ids(environ["SLURM_JOB_ID"])
    raise UsageError("this is not inside a Slurm job; name every job that was spent on the result by --jobs")


def _epochs(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--epochs must be a number above 0, not {text[:40]!r}") from None


def _coordinated(user: str, jobs: tuple[str, ...], config: Config) -> tuple[str, ...]:
    """The jobs that this user may be the coordinator of: all, where some lab names them. Which lab each was
    on its day is known to the aggregator."""
    return jobs if any(user in group.coordinators for group in config.groups) else ()
