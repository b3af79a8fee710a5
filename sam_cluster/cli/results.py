"""sam-cluster results: what was submitted, with its electricity and SAM."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sam_cluster.cli import options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import Column, show, words
from sam_cluster.core.errors import EXIT_DONE
from sam_cluster.report import numbers

HELP = "submitted results with their electricity and SAM, superseded and rejected ones too"

WIDEST_REASON = 200  # who must confirm, and by which command, is read to its end

COLUMNS = (
    Column("Task", "task"),
    Column("Model", "model"),
    Column("User", "user"),
    Column("Group", "group"),
    Column("Accuracy", "accuracy", numbers.accuracy, right=True),
    Column("kWh", "energy_millijoules", numbers.kwh, right=True),
    Column("±", "uncertainty_millijoules", numbers.kwh, right=True),
    Column("Quality", "quality"),
    Column("SAM", "sam", numbers.number, right=True),
    Column("SAM undefined", "sam_reason"),
    Column("Verdict", "verdict"),
    Column("JobIDs", "job_ids", words),
    Column("ID", "submission_id"),
    Column("Why", "reason", widest=WIDEST_REASON),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    options.add_selection(parser)
    options.add_period(parser, "all times; a result counts when the last of its jobs ended")
    options.add_store(parser)
    options.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the results."""
    from sam_cluster.report.documents import RESULT_KEYS, result_object
    from sam_cluster.report.results import choose, read_results

    config = options.config_of(args)
    zone = options.zone_of(config)
    period = options.period_of(args, config, None)
    selection = options.selection_of(args, period)
    with shown_progress("reading results"):
        results = choose(read_results(options.snapshot_of(config), config, selection), selection)
    rows = [result_object(result, zone) for result in results]
    shown = [_as_it_stands(row) for row in rows] if args.format == "table" else rows
    show(shown, RESULT_KEYS, COLUMNS, args.format, sys.stdout)
    if not rows:
        options.say_none("result", period)
    return EXIT_DONE


def _as_it_stands(row: dict[str, Any]) -> dict[str, Any]:
    """What another has taken the place of is not shown as if it counted."""
    if row["superseded_by"] is None:
        return row
    return {**row, "verdict": "superseded", "reason": f"by {row['superseded_by']}"}
