"""sam-cluster doctor: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from sam_cluster.cli import options
from sam_cluster.cli.findings import Finding, Status
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import Column, show
from sam_cluster.cli.slurm_commands import Ask, asking
from sam_cluster.core.config import Config
from sam_cluster.core.errors import EXIT_DONE, EXIT_INCOMPLETE, ConfigError

HELP = "what is wrong with this installation, and how to mend it (exit code 3 where something is)"

KEYS = ("check", "status", "found", "mend")
COLUMNS = (Column("Status", "status"), Column("Check", "check"), Column("Found", "found", widest=100))


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    options.add_store(parser)
    options.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints what every check found, and below a table how to mend what is not right."""
    with shown_progress("looking"):
        findings = list(_examine(args, asking(args.environ)))
    rows = [{"check": f.check, "status": f.status.value, "found": f.found, "mend": f.mend} for f in findings]
    show(rows, KEYS, COLUMNS, args.format, sys.stdout)
    if args.format == "table":
        for finding in findings:
            if finding.mend and finding.status is not Status.SKIPPED:
                print(f"\n{finding.check} ({finding.status}): {finding.found}\n  {finding.mend}")
    return EXIT_INCOMPLETE if any(f.status is Status.WRONG for f in findings) else EXIT_DONE


def _examine(args: argparse.Namespace, ask: Ask) -> Iterator[Finding]:
    from sam_cluster.cli.doctor_node import check_node
    from sam_cluster.cli.doctor_slurm import check_slurm
    from sam_cluster.cli.doctor_store import check_store

    try:
        config = options.config_of(args)
    except ConfigError as error:
        yield Finding("configuration", Status.WRONG, str(error), "mend the file; nothing else was looked at")
        return
    yield _configuration(config)
    yield from check_store(config)
    yield from check_node(config, ask)
    yield from check_slurm(config, ask)


def _configuration(config: Config) -> Finding:
    if config.source is None:
        mend = "write /etc/sam-cluster/config.toml with at least store in [paths], on every host"
        return Finding("configuration", Status.ADVICE, "none; every setting is the default", mend)
    return Finding("configuration", Status.OK, str(config.source))
