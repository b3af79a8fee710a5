"""sam-cluster selftest: known loads through the whole path, hook to table, and the error of each stage."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam_cluster.cli import options
from sam_cluster.cli.progress import shown_progress
from sam_cluster.cli.show import Column, show
from sam_cluster.core.errors import EXIT_DONE, EXIT_FAILED, EXIT_INCOMPLETE, SamClusterError, UsageError

if TYPE_CHECKING:
    from sam_cluster.selftest.stages import Finding

HELP = "known loads through hooks, agent, shards and tables, and the error of each stage; needs no GPU"

SHORTEST_SECONDS, LONGEST_SECONDS = 5.0, 3600.0
DEFAULT_SECONDS = 20.0
#: A driver that hangs is waited for so much longer.
MARGIN_SECONDS = 30.0

KEYS = ("case", "stage", "expected_millijoules", "got_millijoules", "error_millijoules", "bound_millijoules",
        "passed", "note")  # fmt: skip
GPU_KEYS = ("gpu_uuid", "gpu_model", "driver_version", "seconds", "counter_millijoules", "power_millijoules",
            "power_uncertainty_millijoules", "counter_over_power", "counter_step_microseconds", "readings",
            "reading_median_microseconds", "reading_longest_microseconds", "agree")  # fmt: skip

WHAT_IT_CANNOT_TELL = """\
What this cannot tell: how much the GPU truly drew. Counter and power may come from one sensor, and a sensor
that reads 5 % low lets both read 5 % low; only a meter outside the GPU would show that. A GPU at idle says
little: let something run on it meanwhile, and steps of load rather than a steady one. Latencies are of whole
readings as the agent makes them (counter, then power), in Python."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    options.add_config(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep all of it in this new directory")
    parser.add_argument(
        "--gpu",
        metavar="UUID",
        help="compare the two meters of a real GPU instead: its counter and its power",
    )
    parser.add_argument(
        "--seconds", type=float, default=DEFAULT_SECONDS, metavar="N",
        help="how long the runs last, or the comparison (default: %(default)g)",
    )  # fmt: skip
    options.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints what was found; exit code 1 where a stage is outside its bound, or two meters disagree."""
    if not SHORTEST_SECONDS <= args.seconds <= LONGEST_SECONDS:
        raise UsageError(
            f"--seconds must be from {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g}, not {args.seconds:g}"
        )
    if args.gpu is not None:
        return _compare(args)
    from sam_cluster.selftest.flow import selftest

    config = options.config_of(args)
    with _directory(args.out) as directory, shown_progress() as progress:
        findings = selftest(directory, config, progress, seconds=args.seconds)
    columns = [
        Column("Case", "case"),
        Column("Stage", "stage"),
        Column("True J", "expected_millijoules", _joules, right=True),
        Column("Got J", "got_millijoules", _joules, right=True),
        Column("Error J", "error_millijoules", _joules, right=True),
        Column("Error %", "percent", "{:+.2f}".format, right=True),
        Column("Bound J", "bound_millijoules", _joules, right=True),
        Column("", "result"),
        Column("Note", "note", widest=80),
    ]
    rows = [_row(finding, args.format == "table") for finding in findings]
    show(rows, KEYS, columns, args.format, sys.stdout)
    failed = [finding for finding in findings if not finding.passed]
    for finding in failed:
        _say(f"FAILED: {finding.case}: {finding.stage}")
    _say(f"{len(findings) - len(failed)} of {len(findings)} stages are within their bounds")
    return EXIT_FAILED if failed else EXIT_DONE


def _row(finding: Finding, for_people: bool) -> dict[str, Any]:
    row = {**asdict(finding), "stage": finding.stage.value, "error_millijoules": finding.error_millijoules}
    if not for_people:
        return {key: row[key] for key in KEYS}
    error, expected = finding.error_millijoules, finding.expected_millijoules
    percent = None if error is None or not expected else 100 * error / expected
    return {**row, "percent": percent, "result": "ok" if finding.passed else "FAILED"}


def _compare(args: argparse.Namespace) -> int:
    words = [sys.executable, "-m", "sam_cluster.selftest.gpu", args.gpu, str(args.seconds)]
    try:
        done = subprocess.run(
            words, env=dict(args.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=args.seconds + MARGIN_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SamClusterError(
            f"NVML hangs for {MARGIN_SECONDS:g} s; see what nvidia-smi says, and reset a GPU that hangs"
        ) from None
    if done.returncode:
        raise SamClusterError((done.stderr.strip().splitlines() or ["NVML said nothing"])[-1])
    found = json.loads(done.stdout)
    if args.format == "table":
        show([{"what": key, "found": found[key]} for key in GPU_KEYS], (), _GPU_COLUMNS, "table", sys.stdout)
        print(f"\n{WHAT_IT_CANNOT_TELL}")
    else:
        show([found], GPU_KEYS, (), args.format, sys.stdout)
    if found["agree"] is None:
        _say("one of the two meters is not there, or power was not sampled all the time: nothing to compare")
        return EXIT_INCOMPLETE
    return EXIT_DONE if found["agree"] else EXIT_FAILED


_GPU_COLUMNS = (Column("What", "what"), Column("Found", "found", widest=60))


@contextmanager
def _directory(out: Path | None) -> Iterator[Path]:
    """An empty directory that the service user may go through; removed unless it was named."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="sam-cluster-selftest-") as name:
            Path(name).chmod(0o755)
            yield Path(name)
        return
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty; name a new directory with --out, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    yield out.absolute()


def _joules(millijoules: int) -> str:
    return f"{millijoules / 1000:.3f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
