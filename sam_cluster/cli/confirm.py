"""sam-cluster confirm: the word of a job's owner on a result that names it."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC
from typing import Any

from sam_cluster.cli import job_owners, options
from sam_cluster.cli.author import author
from sam_cluster.cli.show import words
from sam_cluster.cli.slurm_commands import asking
from sam_cluster.core.config import Config
from sam_cluster.core.errors import EXIT_DONE, StoreError, SubmissionError, UsageError
from sam_cluster.store.paths import StorePaths
from sam_cluster.submissions.drop import drop
from sam_cluster.submissions.model import Confirmation, stripped
from sam_cluster.submissions.munge import Munge

HELP = "confirm, or decline, a collaborator's result that names jobs of yours"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("submission_id", metavar="SUBMISSION_ID", help="as sam-cluster results shows it")
    parser.add_argument("--decline", action="store_true", help="the result must not count your jobs")
    parser.add_argument("--reason", metavar="TEXT", help="why it is declined; its author can read it")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Puts the word into the drop box; the aggregator judges the result by it.

    Raises SubmissionError for an id that is none, and where it can be seen that the result names no job of
    this user's.
    """
    if args.reason is not None and not args.decline:
        raise UsageError("--reason is why a result is declined; give --decline with it")
    config = options.config_of(args)
    confirmation = Confirmation(
        submission_id=args.submission_id.strip().lower(),
        submitted_at=args.now.astimezone(UTC),
        confirmed=not args.decline,
        **stripped({"reason": args.reason}),
    )
    result = _result(config, confirmation.submission_id)
    if result is not None:
        print(_what(result, _own_jobs(args, config, result)), file=sys.stderr)
    drop(confirmation, StorePaths(config.store).submissions, Munge.installed())
    done = "declined" if args.decline else "confirmed"
    told = f"{done} for your own jobs, from the next sam-cluster aggregate on; your latest word counts"
    if result is None:
        told += ". The tables here do not show the result: it may still be in the drop box"
    print(told, file=sys.stderr)
    return EXIT_DONE


def _result(config: Config, submission_id: str) -> dict[str, Any] | None:
    """The result as the tables have it; None where they do not, or are not for this user to read."""
    try:
        rows = options.snapshot_of(config).read("results").to_pylist()
    except (StoreError, OSError):
        return None
    return next((row for row in rows if row["submission_id"] == submission_id), None)


def _own_jobs(args: argparse.Namespace, config: Config, result: dict[str, Any]) -> list[str]:
    """The jobs of the result that are this user's. Raises SubmissionError where none is."""
    owners = job_owners.find(result["job_ids"], config, asking(args.environ), args.now).owners
    user = author()
    own = [job_id for job_id in result["job_ids"] if owners.get(job_id, user) == user]
    if not own:
        raise SubmissionError(
            f"result {result['submission_id']} names no job of {user}'s: nothing to confirm"
        )
    return [job_id for job_id in own if job_id in owners]


def _what(result: dict[str, Any], own: list[str]) -> str:
    from sam_cluster.report import numbers
    from sam_cluster.report.text import shortened

    told = f"{result['user']}'s result: {numbers.accuracy(result['accuracy'])} on {result['task']}"
    return shortened(told + (f", with your jobs {words(own)}" if own else ""), 200)
