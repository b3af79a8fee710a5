"""sam-cluster run: meters one command on a machine without Slurm."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sam_cluster.cli import options
from sam_cluster.cli.show import Column, show, words
from sam_cluster.core.errors import StoreError, UsageError
from sam_cluster.core.units import MICROSECONDS_PER_SECOND, kwh_from_millijoules

if TYPE_CHECKING:
    from sam_cluster.core.model import Shard

HELP = "meter one command on a machine without Slurm: sam-cluster run -- COMMAND…"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
KEYS = ("job_id", "seconds", "gpus", "energy_millijoules", "energy_kwh", "quality", "flags", "reason")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    options.add_config(parser)
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="keep it in this store, too, for jobs, submit and report"
    )
    options.add_format(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND…", help="what to run")


def run(args: argparse.Namespace) -> int:
    """Runs the command and says on stderr what it drew, for stdout is the command's; so is the exit code.

    The GPUs are those that CUDA_VISIBLE_DEVICES names, else all of the machine.
    """
    from sam_cluster.agent.main import node_name
    from sam_cluster.agent.single import MeteredCommand

    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageError("what is to be run? sam-cluster run -- COMMAND…")
    config = options.config_of(args)
    if args.store and not (args.store / "inbox").is_dir():
        raise StoreError(f"there is no store at {args.store}: make it with sam-cluster aggregate --store")
    with tempfile.TemporaryDirectory(prefix="sam-cluster-run-") as directory:
        metered = MeteredCommand(config, node_name(args.environ), BOOT_ID.read_text().strip(), directory)
        code, shards = metered.run(command, args.environ)
    if args.store:
        _keep(shards, args.store)
    columns = [
        Column("JobID", "job_id"),
        Column("Seconds", "seconds", "{:.1f}".format, right=True),
        Column("GPUs", "gpus", right=True),
        Column("kWh", "energy_kwh", "{:.6g}".format, right=True),
        Column("Quality", "quality"),
        Column("Flags", "flags", words),
        Column("Reason", "reason"),
    ]
    show([_row(shards)], KEYS, columns, args.format, sys.stderr)
    return code


def _row(shards: list[Shard]) -> dict[str, object]:
    """The run in the keys of `jobs`. Unknown energy is null, with its reason."""
    from sam_cluster.energy.figure import run_energy
    from sam_cluster.energy.quality import quality, run_flags

    last = shards[-1]
    flags = sorted({flag for shard in shards for flag in run_flags(shard.flags, shard.boundaries)})
    energy = run_energy(boundary for shard in shards for boundary in shard.boundaries)
    duration = last.ended_at_microseconds - last.started_at_microseconds
    return {
        "job_id": str(last.key.job_id),
        "seconds": duration / MICROSECONDS_PER_SECOND,
        "gpus": len(last.gpus),
        "energy_millijoules": energy,
        "energy_kwh": None if energy is None else kwh_from_millijoules(energy),
        "quality": quality(flags, known=energy is not None),
        "flags": flags,
        "reason": last.reason,
    }


def _keep(shards: list[Shard], store: Path) -> None:
    from sam_cluster.agent.seal import write_file
    from sam_cluster.store.paths import shard_name

    for shard in shards:
        directory = store / "inbox" / shard.node
        directory.mkdir(exist_ok=True)
        name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
        write_file(shard, os.fspath(directory / name))
