"""Benchmarks, their figures into the pages of docs/: `python -m tests.benchmarks [PAGE|SECTION]`.

A page is all of its sections; without a word it is docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

import sam_cluster

from . import accuracy, agent, fold, history, hooks, latency, report
from .month import Size

DOCS = Path(__file__).parents[2] / "docs"
#: What each page holds between its markers, in their order.
PAGES: dict[str, dict[str, Callable[[], list[str]]]] = {
    "performance": {
        "machine": lambda: [machine()],
        "hooks": lambda: hooks.measure(200),
        "agent": lambda: agent.table(60.0),
        "report": lambda: report.measured(Size()),
        "fold": fold.measured,
        "million": lambda: fold.measured(fold.MANY_SHARDS, alone=True),
        "latency": latency.measured,
        "history": history.measured,
    },
    "accuracy": {"machine": lambda: [machine()], "matrix": accuracy.table},
}


def machine() -> str:
    """What the figures were taken on."""
    processor = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return (
        f"Taken on {os.cpu_count()} cores ({processor[1] if processor else platform.machine()}), Linux "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, sam-cluster "
        f"{sam_cluster.__version__}; no GPU: NVML is the stand-in."
    )


def fill(text: str, name: str, lines: list[str]) -> str:
    """Put lines between the markers of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    return "\n".join([before + begin, *lines, end + rest.partition(end)[2]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sections = {name: page for page, measures in PAGES.items() for name in measures}
    parser.add_argument("what", nargs="?", choices=[*PAGES, *sections], default="performance")
    chosen = parser.parse_args().what
    named = chosen if chosen in PAGES else sections[chosen]
    page = DOCS / f"{named}.md"
    text = page.read_text("utf-8")
    for name, measure in PAGES[named].items():
        if chosen not in (named, name):
            continue
        lines = measure()
        sys.stderr.write("\n".join([f"== {name}", *lines, ""]))
        text = fill(text, name, lines)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
