"""What the pages of a large month cost: `python -m tests.benchmarks.report [--keep DIR]`.

Forty labs, 600 people, 100,000 jobs and 5,000 results in one month (`month.py`), and the command line on
them: the cluster's page and some labs' in a process of their own, one after the other, and then all pages in
one process (`report --all`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from .month import PERIOD, Size, write_month

MEGABYTE = 1_000_000
ALONE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a command took."""

    wall_seconds: float
    cpu_seconds: float
    resident_megabytes: float


def measure(argv: Sequence[str]) -> Took:
    """One command in a process of its own. Raises RuntimeError where it fails."""
    begin = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}")
    return Took(
        wall_seconds=wall,
        cpu_seconds=used.ru_utime + used.ru_stime,
        resident_megabytes=used.ru_maxrss * 1024 / MEGABYTE,
    )


def report(root: Path, out: Path, *words: str) -> list[str]:
    """The command line of one page."""
    common = ["--period", PERIOD, "--config", str(root / "config.toml"), "-o", str(out)]
    return [sys.executable, "-m", "sam_cluster", "report", *words, *common]


def table(root: Path, size: Size) -> list[str]:
    """The table, as lines of Markdown; the month is made in `root`."""
    # A process of its own: what a child has resident is counted from what its parent had.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        _, labs = pool.submit(write_month, root, size).result()
    bare = measure([sys.executable, "-c", "import pyarrow.compute, pyarrow.parquet, jinja2"])
    what = f"{size.labs} labs, {size.people} people, {size.jobs:,} jobs, {size.results:,} results"
    lines = [
        f"| {what} | wall s | CPU s | MB resident | MB of the largest page | CPU ÷ loading Arrow and Jinja |",
        "|---|---:|---:|---:|---:|---:|",
        _line("loading Arrow and Jinja", [bare], "-", bare),
    ]
    for name, pages in {
        "the page of the cluster": [("--cluster",)],
        "the page of a lab": [("--group", lab) for lab in labs[:ALONE]],
        f"all {len(labs) + 1} pages": [("--all",)],
    }.items():
        out = root / name.replace(" ", "-")
        took = [measure(report(root, out, *words)) for words in pages]
        largest = max(path.stat().st_size for path in out.glob("*.html"))
        lines.append(_line(name, took, f"{largest / MEGABYTE:.2f}", bare))
    return lines


def _line(name: str, took: Sequence[Took], page: str, bare: Took) -> str:
    """The medians of what some commands took; memory is that of the one with the most."""
    cpu = statistics.median(each.cpu_seconds for each in took)
    wall = statistics.median(each.wall_seconds for each in took)
    memory = max(each.resident_megabytes for each in took)
    return f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {page} | {cpu / bare.cpu_seconds:.1f} |"


def measured(size: Size) -> list[str]:
    """The table of a month that is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        return table(Path(name), size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the month there, and leave it")
    keep = parser.parse_args().keep
    if keep is not None:
        keep.mkdir(parents=True)
    print("\n".join(table(keep, Size()) if keep is not None else measured(Size())))


if __name__ == "__main__":
    main()
