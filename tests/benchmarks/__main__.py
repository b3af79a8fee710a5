"""All benchmarks, their figures into docs/performance.md: `python -m tests.benchmarks`."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

import sam_cluster

from . import agent, hooks, report
from .month import Size

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def machine() -> str:
    """What the figures were taken on."""
    processor = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return (
        f"Taken on {os.cpu_count()} cores ({processor[1] if processor else platform.machine()}), Linux "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, sam-cluster "
        f"{sam_cluster.__version__}; no GPU: NVML is the stand-in of the tests."
    )


def fill(text: str, name: str, lines: list[str]) -> str:
    """Put lines between the markers of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    return "\n".join([before + begin, *lines, end + rest.partition(end)[2]])


def main() -> None:
    text = PAGE.read_text("utf-8")
    for name, lines in (
        ("machine", [machine()]),
        ("hooks", hooks.measure(200)),
        ("agent", agent.table(60.0)),
        ("report", report.measured(Size())),
    ):
        sys.stderr.write("\n".join([f"== {name}", *lines, ""]))
        text = fill(text, name, lines)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
