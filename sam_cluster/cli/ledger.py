"""sam-cluster ledger: where the energy of each GPU went, as a sum that closes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sam_cluster.cli import options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import Column, show
from sam_cluster.core.errors import EXIT_DONE, EXIT_INCOMPLETE
from sam_cluster.core.model import Cause
from sam_cluster.core.times import iso, parse_period
from sam_cluster.report import numbers

if TYPE_CHECKING:
    from sam_cluster.report.gpu_ledger import Ledger

HELP = "where the energy of each GPU went: runs + idle + unattributed = the increase of its counter"
TOTAL = "total"
#: Of the table alone: the known part with what is unknown beside it.
UNATTRIBUTED = "unattributed"

LEDGER_KEYS = (
    "cluster", "node", "gpu_uuid", "runs_millijoules", "idle_millijoules", "unattributed_millijoules",
    *(f"{cause}_millijoules" for cause in Cause), *(f"{cause}_unknown" for cause in Cause),
    "counter_millijoules", "closes", "bridged_millijoules", "cut", "first_reading", "last_reading",
)  # fmt: skip


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


def _to_the_second(instant: str) -> str:
    return instant[:19]


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with what is unattributed, in all and by cause, as text."""
    unknown = {cause: row[f"{cause}_unknown"] for cause in Cause}
    by_cause = {cause.value: _unattributed(row[f"{cause}_millijoules"], unknown[cause]) for cause in Cause}
    together = _unattributed(row["unattributed_millijoules"], sum(unknown.values()))
    return {**row, UNATTRIBUTED: together, **by_cause}


def _unattributed(known_millijoules: int, unknown_gaps: int) -> str:
    """At least so much, or unknown, where there are gaps of unknown energy: those are not zero."""
    if not unknown_gaps:
        return numbers.kwh(known_millijoules)
    return f"≥ {numbers.kwh(known_millijoules)}" if known_millijoules else numbers.UNKNOWN


def _columns(causes: Sequence[Cause]) -> list[Column]:
    """What is unattributed stands by cause too, where some is."""
    of_causes = [Column(f"{cause.replace('_', ' ')} kWh", cause, right=True) for cause in causes]
    return [*COLUMNS[:AFTER], *of_causes, *COLUMNS[AFTER:]]


COLUMNS = (
    Column("Node", "node"),
    Column("GPU", "gpu_uuid"),
    Column("Runs kWh", "runs_millijoules", numbers.kwh, right=True),
    Column("Idle kWh", "idle_millijoules", numbers.kwh, right=True),
    Column("Unattributed kWh", UNATTRIBUTED, right=True),
    Column("Counter kWh", "counter_millijoules", numbers.kwh, right=True),
    Column("Closes", "closes", _yes),
    Column("Bridged kWh", "bridged_millijoules", numbers.kwh, right=True),
    Column("First reading", "first_reading", _to_the_second),
    Column("Last reading", "last_reading", _to_the_second),
)
#: The causes stand after what they add up to.
AFTER = 1 + [column.key for column in COLUMNS].index(UNATTRIBUTED)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("--node", metavar="NAME", help="only the GPUs of this node")
    parser.add_argument("--gpu", metavar="UUID", help="only this GPU")
    options.add_period(parser, "the beginning of this month")
    options.add_store(parser)
    options.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints a row a GPU and one of all; exit code 3 where energy is unattributed, a gap's is unknown, or a
    sum does not close."""
    from sam_cluster.report.gpu_ledger import ledgers_of, total_of
    from sam_cluster.report.ledger import usage_of
    from sam_cluster.report.words import CAUSES

    config = options.config_of(args)
    zone = options.zone_of(config)
    period = options.period_of(args, config, parse_period("this-month", zone, args.now))
    assert period is not None
    tables = options.snapshot_of(config)
    with shown_progress("reading the ledger"):
        usage = usage_of(tables, period.start, period.end)
    ledgers = ledgers_of(tables, usage, period.start, period.end, node=args.node, gpu=args.gpu)
    rows = [_object(*gpu, ledger, zone) for gpu, ledger in ledgers.items()]
    total = total_of(ledgers.values())
    rows.append(_object(None, TOTAL, None, total, zone))
    shown = [_shown(row) for row in rows] if args.format == "table" else rows
    show(shown, LEDGER_KEYS, _columns(total.causes), args.format, sys.stdout)
    if not ledgers:
        options.say_none("GPU", period)
    for cause, count in sorted(total.unknown.items()):
        print(f"gaps of unknown energy: {count}. {CAUSES[cause]}", file=sys.stderr)
    is_whole = all(ledger.is_whole for ledger in ledgers.values())
    return EXIT_DONE if is_whole else EXIT_INCOMPLETE


def _object(
    cluster: str | None, node: str, gpu: str | None, ledger: Ledger, zone: ZoneInfo
) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "node": node,
        "gpu_uuid": gpu,
        "runs_millijoules": ledger.runs_millijoules,
        "idle_millijoules": ledger.idle_millijoules,
        "unattributed_millijoules": ledger.unattributed_millijoules,
        **{f"{cause}_millijoules": ledger.unattributed[cause] for cause in Cause},
        **{f"{cause}_unknown": ledger.unknown[cause] for cause in Cause},
        "counter_millijoules": ledger.counter_millijoules,
        "closes": ledger.closes,
        "bridged_millijoules": ledger.bridged_millijoules,
        "cut": ledger.cut,
        "first_reading": None if ledger.first_at is None else iso(ledger.first_at, zone),
        "last_reading": None if ledger.last_at is None else iso(ledger.last_at, zone),
    }
