"""sam-cluster aggregate: what came into the store, into its tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sam_cluster.cli import options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.core.errors import EXIT_DONE, EXIT_INCOMPLETE, StoreError
from sam_cluster.core.times import utc_microseconds

if TYPE_CHECKING:
    from sam_cluster.accounting.source import AccountingSource
    from sam_cluster.accounting.sshare import ShareSource
    from sam_cluster.aggregate.flow import Outcome

HELP = "fold what the nodes sent into the tables, with what accounting and the drop box say"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help="compute on a Dask cluster (default: threads)")
    where.add_argument("--slurm", action="store_true", help="compute in Slurm jobs that Dask starts")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--no-accounting", action="store_true", help="leave Slurm's accounting alone")
    source.add_argument(
        "--accounting",
        default="sacct",
        metavar="SOURCE",
        help="sacct (the default), pyslurm, or a file with what sacct printed elsewhere",
    )
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Aggregates; exit code 3 where something could not be taken in, with the reasons on stderr."""
    from sam_cluster.aggregate.flow import aggregate
    from sam_cluster.aggregate.spread.workers import open_executor
    from sam_cluster.report.text import visible
    from sam_cluster.store.paths import StorePaths
    from sam_cluster.submissions.munge import Munge

    config = options.config_of(args)
    if not config.store.is_dir():
        raise StoreError(
            f"there is no directory {config.store}; make it, or name the store by --store or in [paths] of "
            "the configuration"
        )
    with (
        shown_progress() as progress,
        open_executor(
            store=config.store, scheduler=args.scheduler, slurm=args.slurm, progress=progress
        ) as executor,
    ):
        outcome = aggregate(
            StorePaths.of(config),
            config,
            accounting=_source(args),
            now_microseconds=utc_microseconds(args.now),
            executor=executor,
            progress=progress,
            munge=Munge.installed(),
            shares=_shares(args),
        )
    for problem in outcome.problems:
        print(f"sam-cluster: {visible(problem)}", file=sys.stderr)
    print(_summary(outcome), file=sys.stderr)
    return EXIT_DONE if outcome.complete else EXIT_INCOMPLETE


def _source(args: argparse.Namespace) -> AccountingSource | None:
    if args.no_accounting:
        return None
    if args.accounting == "sacct":
        from sam_cluster.accounting.sacct import SacctSource

        return SacctSource(args.environ)
    if args.accounting == "pyslurm":
        from sam_cluster.accounting.pyslurm_source import PyslurmSource

        return PyslurmSource()
    from sam_cluster.accounting.saved import SavedSource

    return SavedSource(Path(args.accounting))


def _shares(args: argparse.Namespace) -> ShareSource | None:
    """Slurm's own, where its commands are there to be asked."""
    if args.no_accounting or args.accounting != "sacct":
        return None
    from sam_cluster.accounting.sshare import SshareSource

    return SshareSource(args.environ)


def _summary(outcome: Outcome) -> str:
    parts = [
        f"{outcome.shards} shards folded",
        f"{outcome.duplicates} known before",
        f"{outcome.quarantined} to quarantine",
        f"{outcome.runs} runs and {outcome.jobs} jobs brought up to date",
        f"{outcome.results} results taken",
    ]
    return ", ".join(parts)
