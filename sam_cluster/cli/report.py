"""sam-cluster report: pages of labs and of the cluster as HTML, with CSV and JSON beside each; and whether
one is still right."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sam_cluster.cli import options
from sam_cluster.cli.many_pages import all_pages
from sam_cluster.cli.not_there import those_there
from sam_cluster.cli.page_data import period_view, provenance_of, refuse_without_data
from sam_cluster.cli.progress import Progress, shown_progress
from sam_cluster.cli.report_files import Access, access_of_lab, remarks, write
from sam_cluster.cli.report_pages import Page, page_of_cluster, page_of_lab, view_of_cluster
from sam_cluster.core.config import Config
from sam_cluster.core.cycles import no_search_for_cycles
from sam_cluster.core.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from sam_cluster.core.times import Period, parse_period

if TYPE_CHECKING:
    from sam_cluster.report.bundle import Printer
    from sam_cluster.report.view import PeriodView, Provenance
    from sam_cluster.store.tables import Snapshot

HELP = "the page of a lab or of the cluster: HTML with CSV, JSON and a manifest beside it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--group", metavar="NAME", help="the lab: its name, or a Slurm account")
    what.add_argument("--cluster", action="store_true", help="the whole cluster, lab by lab")
    what.add_argument("--all", action="store_true", help="the whole cluster, and a page of each lab")
    what.add_argument(
        "--verify", type=Path, metavar="FILE.manifest.json",
        help="write nothing; say whether this report is intact, superseded by later data, or altered",
    )  # fmt: skip
    options.add_period(parser, "the last full month")
    parser.add_argument(
        "--pdf", action="store_true", help="also as PDF, by an installed Chromium or Chrome or by WeasyPrint"
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(), metavar="DIR", help="where to (default: here)"
    )
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Writes the files and prints their names; exit code 3 where figures are missing or may still grow."""
    if args.verify is not None:
        from sam_cluster.cli.verify import verify

        return verify(args)

    from sam_cluster.report.charts.engine import drawing_beside
    from sam_cluster.report.pdf import printer

    pdf = printer(args.environ) if args.pdf else None
    config = options.config_of(args)
    zone = options.zone_of(config)
    last_month = parse_period("last-month", zone, args.now)
    period = options.period_of(args, config, last_month) or last_month
    # Many pages are made by several processes, each with its own engine.
    with no_search_for_cycles(), nullcontext() if args.all else drawing_beside():
        return _report(args, config, period, pdf)


def _report(args: argparse.Namespace, config: Config, period: Period, pdf: Printer | None) -> int:
    tables = options.snapshot_of(config)
    data = provenance_of(tables)
    refuse_without_data(period, config, tables, args.now)
    shown = period_view(period, config, data, tables)
    is_partial = False
    accesses: dict[str, Access] = {}
    with shown_progress("making the page") as progress:
        for page in _pages(args, tables, config, period, shown, data, pdf, progress):
            access = Access() if page.lab is None else accesses.setdefault(page.lab, access_of_lab(page.lab))
            paths = write(page.files, args.out, access)
            with progress.aside():
                print(*paths, sep="\n", flush=True)
            is_partial |= page.is_partial
    for line in remarks(accesses):
        print(line, file=sys.stderr)
    if not shown.is_begun:
        print(
            "nothing was metered around the beginning of the period: what ran unmetered is in no figure",
            file=sys.stderr,
        )
    if shown.is_preliminary:
        print("preliminary: the tables do not yet reach to the end of the period", file=sys.stderr)
    if is_partial:
        print("incomplete: some energy is not known; the page says of which jobs", file=sys.stderr)
    return EXIT_INCOMPLETE if shown.is_preliminary or is_partial else EXIT_DONE


def _pages(
    args: argparse.Namespace,
    tables: Snapshot,
    config: Config,
    period: Period,
    shown: PeriodView,
    data: Provenance,
    pdf: Printer | None,
    progress: Progress,
) -> Iterable[Page]:
    if args.all:
        return all_pages(tables, config, shown, data, pdf, progress)
    if args.cluster:
        return [page_of_cluster(view_of_cluster(tables, config, shown, data), pdf)]
    from sam_cluster.report.group.build import group_view
    from sam_cluster.store.kept import KeptSnapshot

    view = group_view(KeptSnapshot(tables), config, args.group, shown, data)
    if not view.jobs and not view.results.tasks:
        _check_name(args.group, tables, config, period)
    return [page_of_lab(view, pdf)]


def _check_name(group: str, tables: Snapshot, config: Config, period: Period) -> None:
    """Raises UsageError for a lab that is neither configured nor has any job in the period."""
    from sam_cluster.report.reading import names_between
    from sam_cluster.report.records import Selection

    configured = {known.name for known in config.groups}
    if group in configured:
        return
    there = names_between(tables, config, Selection(start=period.start, end=period.end))
    raise UsageError(
        f"there is no lab {group!r}, configured or with a job in {period.name}; "
        f"{those_there(group, configured | there.groups)}"
    )
