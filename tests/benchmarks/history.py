"""What years of history cost: `python -m tests.benchmarks history [--years N] [--keep DIR]`.

A day of `day.py` on top of a day, a month, a year and ten years of `years.py`, and the commands that people
ask with at the end of them. The years are written once, the latest first: each shorter history is a copy of
links, made on the way, for a store's files never change.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths

from .day import CLUSTER, Day, Load, lay_in
from .generate import LABS
from .report import MEGABYTE, Took, measure
from .years import History

YEARS = 10
DAYS_IN_A_YEAR = 365.25
#: The last month of all histories but that of a day.
MONTH, MONTH_DAYS = "2026-09", 30
REPEATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Stores by how many days they hold, the new day, and what to ask for."""

    root: Path
    stores: dict[int, Path]
    day: Day
    seconds_a_day: float  # of CPU, to write one


def stages(years: float) -> list[int]:
    """A day, a month, a year and so many years, in days."""
    longest = max(MONTH_DAYS, round(years * DAYS_IN_A_YEAR))
    return sorted({days for days in (1, MONTH_DAYS, round(DAYS_IN_A_YEAR)) if days < longest} | {longest})


def build(root: Path, load: Load, lengths: Sequence[int]) -> Built:
    """Stores of so many days each below a directory."""
    # A process of its own: what a child has resident is counted from what its parent had.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_build, root, load, lengths).result()


def _build(root: Path, load: Load, lengths: Sequence[int]) -> Built:
    day = Day.make(root / "day", load)
    history = History(day)
    groups = [
        f'[groups.lab{lab:02}]\naccounts = ["lab{lab:02}"]\nmembers = 15' for lab in range(LABS)
    ]
    (root / "config.toml").write_text("\n".join([f'[cluster]\nname = "{CLUSTER}"', *groups, ""]))
    store = root / "growing"
    store.mkdir()
    prepare(StorePaths(store))
    begin = time.process_time()
    stores: dict[int, Path] = {}
    known = 0
    for days in lengths:
        history.write(StorePaths(store), range(known + 1, days + 1), _tell(days))
        known = days
        stores[days] = root / f"{days}-days"
        shutil.copytree(store, stores[days], copy_function=_link)
    spent = time.process_time() - begin
    return Built(root=root, stores=stores, day=day, seconds_a_day=spent / known)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _tell(days: int):
    begin = time.perf_counter()

    def tell(day: int) -> None:
        print(f"\r{day} of {days} days, {time.perf_counter() - begin:.0f} s", end="", file=sys.stderr, flush=True)

    return tell
