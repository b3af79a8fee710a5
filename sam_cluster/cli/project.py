"""sam-cluster project: the electricity of a longer run, from shorter ones."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sam_cluster.cli import options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import Column, Format, Row, show, words
from sam_cluster.core.errors import EXIT_DONE, ProjectionError, SubmissionError, UsageError
from sam_cluster.report import numbers

if TYPE_CHECKING:
    from sam_cluster.metrics import Refused
    from sam_cluster.report.run_lengths import Amount, Asked, NamedRun

HELP = "electricity of a longer run, from shorter ones: a fitted line with its interval, or why there is none"

RUN_COLUMNS = (
    Column("JobIDs", "job_ids", words),
    Column("kWh", "energy_kwh", numbers.number, right=True),
    Column("Quality", "quality"),
    Column("Off the line", "residual_kwh", numbers.number, right=True),
    Column("Used", "used", lambda used: "yes" if used else "no"),
)
COLUMNS = (
    Column("kWh", "energy_kwh", numbers.number, right=True),
    Column("Low", "low_kwh", numbers.number, right=True),
    Column("High", "high_kwh", numbers.number, right=True),
    Column("Fixed kWh", "intercept_kwh", numbers.number, right=True),
    Column("kWh each", "slope_kwh", numbers.number, right=True),
    Column("Scatter", "scatter", numbers.percent, right=True),
    Column("Runs", "n", numbers.count, right=True),
    Column("Flags", "flags", words),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument(
        "--job",
        required=True,
        action="append",
        metavar="ID[=N],…",
        help="a metered job; its length is that of its result, or N epochs (or fraction) as stated here; "
        "may be given several times",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--epochs", metavar="N", help="project to so many epochs")
    target.add_argument(
        "--data-fraction", metavar="F", help="project to this part of the data: 0.5, 50%% or 1"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="also write a page with the picture")
    options.add_store(parser)
    options.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the runs and the projection. Raises ProjectionError where they do not support one."""
    from sam_cluster.metrics import Refused, project
    from sam_cluster.report.projection import projection_object
    from sam_cluster.report.run_lengths import named_runs

    amount: Amount = "epochs" if args.epochs is not None else "data_fraction"
    target = _length(getattr(args, amount), amount)
    asked = _asked(args.job, amount)
    config = options.config_of(args)
    tables = options.snapshot_of(config)
    with shown_progress("reading jobs"):
        runs = named_runs(tables, config, asked, amount)
    outcome = project([each.run for each in runs], target)
    row = projection_object(runs, outcome, amount, target)
    _print(row, amount, args.format)
    if isinstance(outcome, Refused):
        raise ProjectionError(f"no projection: {_reason(outcome, runs)}")
    if args.out is not None:
        from sam_cluster.cli.page_data import provenance_of
        from sam_cluster.cli.report_files import Access, write
        from sam_cluster.report.projection_page import ProjectionView, projection_page

        view = ProjectionView(
            provenance=provenance_of(tables), amount=amount, runs=runs, projection=outcome, figures=row
        )
        page = projection_page(view, options.zone_of(config))
        write({args.out.name: page.encode("utf-8")}, args.out.parent, Access())
    return EXIT_DONE


def _print(row: Row, amount: Amount, how: Format) -> None:
    from sam_cluster.report.projection import PROJECTION_KEYS

    if how == "table":
        length = Column("Epochs" if amount == "epochs" else "Data", amount, numbers.setting, right=True)
        show(row["runs"], (), (length, *RUN_COLUMNS), how, sys.stdout)
        if row["refusal"] is None:
            print()
            show([row], (), (length, *COLUMNS), how, sys.stdout)
    else:
        show([row], PROJECTION_KEYS, (), how, sys.stdout)
    _explain(row["flags"])


def _reason(refused: Refused, runs: Sequence[NamedRun]) -> str:
    from sam_cluster.report.projection import REFUSALS

    reason = REFUSALS[refused.reason]
    if refused.runs:
        reason += f" (of job {'; '.join(','.join(runs[index].job_ids) for index in refused.runs)})"
    if refused.conditions:
        reason += (
            f" (different: {', '.join(refused.conditions)}). Where only a name differs, state each length by "
            "--job ID=N, which takes the job without its result"
        )
    return reason


def _explain(flags: Sequence[str]) -> None:
    from sam_cluster.core.model import Flag
    from sam_cluster.report.projection import PROJECTION_FLAGS
    from sam_cluster.report.words import FLAGS

    texts: dict[str, str] = {
        **{flag.value: text for flag, text in PROJECTION_FLAGS.items()},
        Flag.SIMULATED.value: FLAGS[Flag.SIMULATED],
    }
    for flag in flags:
        print(f"{flag}: {texts[flag]}", file=sys.stderr)


def _asked(given: Sequence[str], amount: Amount) -> list[Asked]:
    """The jobs of --job. Raises UsageError for what is none, and for one with two lengths."""
    from sam_cluster.report.run_lengths import Asked
    from sam_cluster.submissions.model import parse_job_ids

    found: dict[str, Asked] = {}
    for part in ",".join(given).split(","):
        name, stated, length = part.partition("=")
        try:
            (job_id,) = parse_job_ids(name)
        except SubmissionError as error:
            raise UsageError(f"--job: {error}") from None
        asked = Asked(job_id=job_id, amount=_length(length, amount) if stated else None)
        if found.setdefault(job_id, asked) != asked:
            raise UsageError(f"--job: {job_id} is given with two lengths; a job is one run of one length")
    return list(found.values())


def _length(text: str, amount: Amount) -> float:
    """A number of epochs, or a fraction of the data, as people write it. Raises UsageError."""
    from sam_cluster.metrics import AMOUNTS

    is_fraction = amount == "data_fraction"
    number = text.strip()
    in_percent = is_fraction and number.endswith("%")
    try:
        value = float(number.removesuffix("%")) / 100 if in_percent else float(number)
    except ValueError:
        value = math.nan
    least, most = AMOUNTS
    if least <= value <= (1.0 if is_fraction else most):
        return value
    wanted = "a fraction of the data above 0 and up to 1, or up to 100%" if is_fraction else "epochs above 0"
    raise UsageError(f"{text[:40]!r} is no length of a run; write {wanted}")
