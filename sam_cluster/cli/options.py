"""Flags that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sam_cluster.cli.show import FORMATS
from sam_cluster.core import config as configuration
from sam_cluster.core.config import Config
from sam_cluster.core.errors import ConfigError, SubmissionError, UsageError
from sam_cluster.core.times import PERIODS, TIMES, Period, iso, parse_period, parse_time, span

if TYPE_CHECKING:
    from sam_cluster.report.records import Selection
    from sam_cluster.store.tables import Snapshot


def add_config(parser: argparse.ArgumentParser) -> None:
    """--config"""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration (TOML)")


def add_store(parser: argparse.ArgumentParser) -> None:
    """--config and --store"""
    add_config(parser)
    parser.add_argument("--store", type=Path, metavar="DIR", help="the store, in place of the configured one")


def add_format(parser: argparse._ActionsContainer) -> None:
    """--format"""
    parser.add_argument(
        "--format", choices=FORMATS, default="table", help="how to print (default: %(default)s)"
    )


def add_period(parser: argparse.ArgumentParser, default: str) -> None:
    """-S, -E and --period; `default` says what holds without them."""
    parser.add_argument(
        "-S", "--starttime", metavar="TIME", help=f"from then on (default: {default}): {TIMES}"
    )
    parser.add_argument("-E", "--endtime", metavar="TIME", help="up to then, not included (default: now)")
    parser.add_argument("--period", metavar="PERIOD", help=f"in place of -S and -E: {PERIODS}")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """-j, -A, -u and --group"""
    parser.add_argument(
        "-j", "--jobs", metavar="ID,…", help="only these jobs: 123, 123_4, 123+1; 123 is also a whole array"
    )
    parser.add_argument("-A", "--account", metavar="NAME,…", help="only jobs of these Slurm accounts")
    parser.add_argument("-u", "--user", metavar="NAME,…", help="only jobs of these users")
    parser.add_argument("--group", metavar="NAME", help="only jobs of this lab")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration in force. Raises ConfigError, also for a time zone that is none."""
    config = configuration.load(args.environ, args.config)
    if getattr(args, "store", None) is not None:
        config = config.with_store(args.store.absolute())
    zone_of(config)
    return config


def zone_of(config: Config) -> ZoneInfo:
    """The site's time zone. Raises ConfigError where there is none of that name."""
    try:
        return ZoneInfo(config.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        where = config.source or "the configuration"
        raise ConfigError(
            f"{where}: timezone in [report] must be a name such as Europe/London, not {config.timezone!r}"
        ) from None


def period_of(args: argparse.Namespace, config: Config, default: Period | None) -> Period | None:
    """What -S, -E and --period stand for; `default` without any of them.

    -S alone is up to now, -E alone has no beginning that could be meant. Raises UsageError.
    """
    zone = zone_of(config)
    if args.period is not None:
        if args.starttime is not None or args.endtime is not None:
            raise UsageError("--period stands in place of -S and -E; give the one or the others")
        return parse_period(args.period, zone, args.now)
    if args.starttime is None and args.endtime is None:
        return default
    if args.starttime is None:
        raise UsageError("-E needs -S with it, or --period in place of both")
    start = parse_time(args.starttime, zone, args.now)
    end = args.now if args.endtime is None else parse_time(args.endtime, zone, args.now)
    if end <= start:
        raise UsageError(f"the period ends ({iso(end, zone)}) before it begins ({iso(start, zone)})")
    return span(start, end, zone)


def selection_of(args: argparse.Namespace, period: Period | None) -> Selection:
    """What -j, -A, -u and --group select. Raises UsageError."""
    from sam_cluster.report.records import Selection
    from sam_cluster.submissions.model import parse_job_ids

    try:
        job_ids = () if args.jobs is None else parse_job_ids(args.jobs)
    except SubmissionError as error:
        raise UsageError(f"-j: {error}") from None
    return Selection(
        job_ids=job_ids,
        accounts=_list(args.account),
        users=_list(args.user),
        group=args.group,
        start=period.start if period else None,
        end=period.end if period else None,
    )


def say_none(what: str, period: Period | None) -> None:
    """Says on stderr that nothing was found, and in which period it was looked for."""
    when = f" ({period.name})" if period else ""
    other = "; -S or --period names another time" if period else ""
    print(f"there is no such {what}{when}{other}", file=sys.stderr)


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def snapshot_of(config: Config) -> Snapshot:
    """The tables as of their last commit. Raises StoreError where there are none to read."""
    from sam_cluster.store.paths import StorePaths
    from sam_cluster.store.tables import Tables

    return Tables(StorePaths.of(config)).snapshot()
