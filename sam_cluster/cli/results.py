"""sam-cluster results: what was submitted, with its electricity and SAM."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sam_cluster.cli import not_there, options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import Column, show, words
from sam_cluster.core.errors import EXIT_DONE
from sam_cluster.report import numbers

if TYPE_CHECKING:
    from sam_cluster.report.records import Selection
    from sam_cluster.report.results import Result

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
    from sam_cluster.report.records import Names
    from sam_cluster.report.results import choose, read_results

    config = options.config_of(args)
    zone = options.zone_of(config)
    period = options.period_of(args, config, None)
    selection = options.selection_of(args, period)
    tables = options.snapshot_of(config)

    def chosen(selection: Selection) -> list[Result]:
        return choose(read_results(tables, config, selection), selection)

    with shown_progress("reading results"):
        results = chosen(selection)
        of_anyone = replace(selection, accounts=(), users=(), group=None)
        missing = not_there.lines(
            "result", period, selection, Names.in_all(results), lambda: Names.in_all(chosen(of_anyone))
        )
    rows = [result_object(result, zone) for result in results]
    shown = [_as_it_stands(row) for row in rows] if args.format == "table" else rows
    show(shown, RESULT_KEYS, COLUMNS, args.format, sys.stdout)
    for line in missing:
        print(line, file=sys.stderr)
    if not rows:
        options.say_none("result", period)
    return EXIT_DONE


def _as_it_stands(row: dict[str, Any]) -> dict[str, Any]:
    """What another has taken the place of is not shown as if it counted."""
    if row["superseded_by"] is None:
        return row
    return {**row, "verdict": "superseded", "reason": f"by {row['superseded_by']}"}
