"""sam-cluster jobs: energy per job, like sacct."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sam_cluster.cli import not_there, options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import PARSABLE2, Column, show, words
from sam_cluster.cli.states import parse_states
from sam_cluster.core.config import Config
from sam_cluster.core.errors import EXIT_DONE, EXIT_INCOMPLETE
from sam_cluster.core.times import Period, from_utc_microseconds
from sam_cluster.report import numbers

if TYPE_CHECKING:
    from sam_cluster.report.records import Job

HELP = "energy per job, like sacct: the jobs that overlap a period, or those named"


def _gpu_hours(seconds: float) -> str:
    return numbers.gpu_hours(round(seconds * 1_000_000))


def _to_the_second(instant: str) -> str:
    return instant[:19]


COLUMNS = (
    Column("JobID", "job_id"),
    Column("User", "user"),
    Column("Account", "account"),
    Column("Group", "group"),
    Column("State", "state"),
    Column("Start", "start", _to_the_second),
    Column("End", "end", _to_the_second),
    Column("Nodes", "nodes", right=True),
    Column("GPUs", "gpus", right=True),
    Column("GPU-hours", "gpu_seconds", _gpu_hours, right=True),
    Column("kWh", "energy_millijoules", numbers.kwh, right=True),
    Column("±", "uncertainty_millijoules", numbers.kwh, right=True),
    Column("Quality", "quality"),
    Column("Flags", "flags", words),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    options.add_selection(parser)
    parser.add_argument(
        "-s",
        "--state",
        metavar="STATE,…",
        help="only jobs in these states, named as by sacct: FAILED, F, TO …",
    )
    options.add_period(parser, "midnight today; with -j all times")
    options.add_store(parser)
    how = parser.add_mutually_exclusive_group()
    options.add_format(how)
    how.add_argument(
        "-P",
        "--parsable2",
        action="store_const",
        const=PARSABLE2,
        dest="format",
        help="as csv, with | between the fields and no quotes, as sacct's",
    )
    parser.add_argument("-n", "--noheader", action="store_true", help="without the headings, as sacct's")


def run(args: argparse.Namespace) -> int:
    """Prints the jobs; exit code 3 where one that was named is not in the tables."""
    from sam_cluster.report.documents import JOB_KEYS, job_object
    from sam_cluster.report.reading import names_between, read_jobs
    from sam_cluster.report.records import Names, names

    config = options.config_of(args)
    zone = options.zone_of(config)
    period = options.period_of(args, config, None if args.jobs else _today(args, config))
    selection = options.selection_of(args, period)
    if args.state is not None:
        selection = replace(selection, states=parse_states(args.state))
    tables = options.snapshot_of(config)
    with shown_progress("reading jobs"):
        jobs = read_jobs(tables, config, selection)
        rows = [job_object(job, zone) for job in jobs]
        missing = not_there.lines(
            "job", period, selection, Names.in_all(jobs), lambda: names_between(tables, config, selection)
        )
    shown = list(_with_runs(rows)) if args.format == "table" else rows
    show(shown, JOB_KEYS, COLUMNS, args.format, sys.stdout, has_header=not args.noheader)
    absent = [wanted for wanted in selection.job_ids if not any(names(wanted, job.job_id) for job in jobs)]
    if selection.job_ids:
        _tell_of_samples(jobs, tables.samples_kept_from_microseconds, zone)
    for line in missing:
        print(line, file=sys.stderr)
    if absent:
        print(f"not in the tables (as selected): {', '.join(absent)}", file=sys.stderr)
    elif not jobs:
        options.say_none("job", period)
    return EXIT_INCOMPLETE if absent else EXIT_DONE


def _tell_of_samples(jobs: Sequence[Job], kept_from_microseconds: int | None, zone: ZoneInfo) -> None:
    """Whoever looks a job up may want its time series: says where that is over."""
    if kept_from_microseconds is None:
        return
    kept_from = from_utc_microseconds(kept_from_microseconds)
    if any(job.started_at and job.started_at < kept_from for job in jobs):
        print(
            f"samples before {numbers.minute(kept_from, zone)} are no longer kept; "
            "energy is made from readings, which are",
            file=sys.stderr,
        )


def _today(args: argparse.Namespace, config: Config) -> Period:
    zone = options.zone_of(config)
    midnight = args.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(midnight, args.now, "today")


def _with_runs(rows: list[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Each job, and below it its runs where it has several: a requeued job is their sum."""
    for row in rows:
        yield row
        for run in row["runs"] if len(row["runs"]) > 1 else ():
            empty = dict.fromkeys(column.key for column in COLUMNS)
            yield {
                **empty,
                **{key: run[key] for key in empty if key in run},
                "job_id": f"  run {run['restart']}",
            }
