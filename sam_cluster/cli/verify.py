"""sam-cluster report --verify: whether a report is intact, superseded by later data, or altered."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sam_cluster.cli import options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.core.errors import EXIT_DONE, EXIT_FAILED, EXIT_INCOMPLETE, ReportError, UsageError
from sam_cluster.core.times import Period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam_cluster.report.view import Provenance


def verify(args: argparse.Namespace) -> int:
    """Prints the verdict and what it rests on; exit code 0 intact, 3 superseded, 1 altered.

    The tables are read only where the files are as the manifest says.
    """
    from sam_cluster.cli.page_data import period_view, provenance_of
    from sam_cluster.cli.report_pages import page_of_cluster, page_of_lab, view_of_cluster
    from sam_cluster.report.group.build import group_view
    from sam_cluster.report.manifest import read
    from sam_cluster.report.text import visible
    from sam_cluster.report.verification import Verdict, judge

    if (args.period, args.starttime, args.endtime) != (None, None, None) or args.pdf:
        raise UsageError("--verify takes the report and its period from the manifest; leave the others out")
    config = options.config_of(args)
    manifest = read(args.verify)
    group = manifest.report.get("group")
    if not isinstance(group, str) and "cluster" not in manifest.report:
        raise ReportError(f"{args.verify} is of a report that this version does not make")
    period = Period(manifest.period_start, manifest.period_end, manifest.period_label)

    def remake(made_from: Provenance | None) -> Mapping[str, bytes]:
        tables = options.snapshot_of(config)
        data = made_from or provenance_of(tables)
        shown = period_view(period, config, data, tables)
        if isinstance(group, str):
            return page_of_lab(group_view(tables, config, group, shown, data)).files
        return page_of_cluster(view_of_cluster(tables, config, shown, data)).files

    with shown_progress("making the page again"):
        found = judge(manifest, remake)
    made_from = manifest.made_from
    print(f"{found.verdict}: {args.verify} of commit {made_from.commit} ({made_from.committed_at:%Y-%m-%d})")
    for line in found.why:
        print(f"  {visible(line)}")
    return {
        Verdict.INTACT: EXIT_DONE, Verdict.SUPERSEDED: EXIT_INCOMPLETE, Verdict.ALTERED: EXIT_FAILED
    }[found.verdict]  # fmt: skip
