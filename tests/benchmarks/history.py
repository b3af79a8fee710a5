"""What years of history cost: `python -m tests.benchmarks.history [--years N] [--keep DIR]`.

A day of `day.py` on top of a day, a month, a year and ten years of `years.py`, and the commands that people
ask with at the end of them. The years are written once, the latest first: each shorter history is a copy of
links that is made on the way, for a store's files never change.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths

from .day import CLUSTER, Day, Load, lay_in
from .generate import LABS
from .report import Took, measure
from .years import History

YEARS = 10.0
DAYS_IN_A_YEAR = 365.25
MONTH, MONTH_DAYS = "2026-09", 30  # the last one of each history but that of a day
TWO_MONTHS_DAYS = 62  # a page compares its month with the one before
REPEATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Stores by how many days they hold, what the new day brings, and what to ask for."""

    stores: Mapping[int, Path]
    inbox: Path
    accounting: Path
    config: Path
    job: str
    task: str  # of an array
    array: str
    jobs_a_day: int
    seconds_a_day: float  # of CPU, to write one

    @property
    def longest(self) -> int:
        """The days of the longest history."""
        return max(self.stores)


def lengths(years: float) -> list[int]:
    """A day, a month, two months, a year and so many years, in days."""
    longest = max(TWO_MONTHS_DAYS, round(years * DAYS_IN_A_YEAR))
    shorter = (1, MONTH_DAYS, TWO_MONTHS_DAYS, round(DAYS_IN_A_YEAR))
    return sorted({*(days for days in shorter if days < longest), longest})


def build(root: Path, load: Load, years: float) -> Built:
    """Stores of some lengths below a directory."""
    day = Day.make(root / "day", load)
    history = History(day)
    groups = [f'[groups.lab{lab:02}]\naccounts = ["lab{lab:02}"]\nmembers = 15' for lab in range(LABS)]
    config = root / "config.toml"
    config.write_text("\n".join([f'[cluster]\nname = "{CLUSTER}"', *groups, ""]))
    growing = StorePaths(root / "growing")
    growing.root.mkdir()
    prepare(growing)
    begin = time.process_time()
    stores: dict[int, Path] = {}
    known = 0
    for days in lengths(years):
        history.write(growing, range(known + 1, days + 1), partial(_tell, days))
        known, stores[days] = days, root / f"{days}-days"
        shutil.copytree(growing.root, stores[days], copy_function=os.link)
    spent = time.process_time() - begin
    # The jobs asked for are of the month before the new day.
    rows = history.table("jobs", min(known, 20))["job_id"].to_pylist()
    task = next(name for name in rows if "_" in name)
    return Built(
        stores=stores,
        inbox=day.inbox,
        accounting=day.accounting,
        config=config,
        job=next(name for name in rows if "_" not in name),
        task=task,
        array=task.partition("_")[0],
        jobs_a_day=day.work.jobs,
        seconds_a_day=spent / known,
    )


def _tell(of: int, day: int) -> None:
    print(f"\rday {day} of {of}", end="\n" if day == of else "", file=sys.stderr, flush=True)


def command(built: Built, store: Path, *words: str) -> list[str]:
    """A command line on a store."""
    return [
        sys.executable, "-c", "import sys; from sam_cluster.cli.program import program; sys.exit(program())",
        *words, "--store", str(store), "--config", str(built.config),
    ]  # fmt: skip


@contextmanager
def with_new_day(built: Built, store: Path) -> Iterator[Path]:
    """A copy of a store in links, with the new day in its inbox."""
    copy = store.with_name("copy")
    shutil.copytree(store, copy, copy_function=os.link)
    lay_in(built.inbox, StorePaths(copy))
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def a_new_day(built: Built, store: Path) -> Took:
    """What it takes to fold the new day, with its accounting."""
    with with_new_day(built, store) as copy:
        return measure(command(built, copy, "aggregate", "--accounting", str(built.accounting)))


def asked(built: Built, store: Path) -> dict[str, Callable[[], Took]]:
    """What people ask for, by what it is called in the table."""
    out = store.with_name("pages")
    words = {
        f"`jobs -j {built.job}`": ("jobs", "-j", built.job),
        f"`jobs -j {built.task}`": ("jobs", "-j", built.task),
        f"`jobs -j {built.array}`, a whole array": ("jobs", "-j", built.array),
        f"`jobs -A lab01 --period {MONTH}`": ("jobs", "-A", "lab01", "--period", MONTH),
        f"`report --cluster --period {MONTH}`": ("report", "--cluster", "--period", MONTH, "-o", str(out)),
        f"`report --group lab01 --period {MONTH}`": (
            "report", "--group", "lab01", "--period", MONTH, "-o", str(out),
        ),
    }  # fmt: skip
    return {name: partial(measure, command(built, store, *each)) for name, each in words.items()}


def table(root: Path, years: float) -> list[str]:
    """The tables, as lines of Markdown; the histories are made in `root`."""
    # A process of its own: what a child has resident is counted from what its parent had.
    with ProcessPoolExecutor(1, get_context("spawn"), _leave_the_disk_its_time) as pool:
        built = pool.submit(build, root, Load(), years).result()
    return measured_in(built)


def _leave_the_disk_its_time() -> None:
    """Histories that are lost with the power are made again: nothing of them has to be on the disk."""
    os.fsync = lambda descriptor: None


def measured_in(built: Built) -> list[str]:
    """The tables of histories that are there."""
    store = built.stores[built.longest]
    entries = sum(len(files) for _, _, files in os.walk(store))
    size = sum(path.stat().st_size for path in store.rglob("*.parquet"))
    millions = built.longest * built.jobs_a_day / 1e6
    lines = [
        (
            f"The longest history: {millions:.1f} million jobs in {built.longest:,} days, {entries:,} files, "
            f"{size / 1e9:.1f} GB; a day of it is written in {built.seconds_a_day:.2f} s of CPU."
        ),
        "",
        f"| a new day of {built.jobs_a_day:,} jobs | CPU s | wall s | MB resident | CPU ÷ on top of a day |",
        "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    # One after the other, and again: a machine's pace is not the same for long.
    new_day = _alternating(
        {str(days): partial(a_new_day, built, each) for days, each in built.stores.items()}
    )
    lines += [
        f"| on top of {int(days):,} days | {_figures(took)} | {_ratio(took, new_day['1'])} |"
        for days, took in new_day.items()
    ]
    bare = "import pyarrow.compute, pyarrow.parquet"
    months = built.stores[TWO_MONTHS_DAYS]
    lines += [
        "",
        f"| at {built.longest:,} days | CPU s | wall s | MB resident | CPU ÷ with two months alone |",
        "|---|---:|---:|---:|---:|",
    ]
    (loading,) = _alternating({"": lambda: measure([sys.executable, "-c", bare])}).values()
    lines.append(f"| loading Arrow | {_figures(loading)} | - |")
    alone = asked(built, months)
    for name, ask in asked(built, store).items():
        both = _alternating({"alone": alone[name], "long": ask})
        lines.append(f"| {name} | {_figures(both['long'])} | {_ratio(both['long'], both['alone'])} |")
    return lines


def _alternating(each: Mapping[str, Callable[[], Took]]) -> dict[str, list[Took]]:
    """Each several times, in turn."""
    found: dict[str, list[Took]] = {name: [] for name in each}
    for _ in range(REPEATED):
        for name, ask in each.items():
            found[name].append(ask())
    return found


def _figures(took: Sequence[Took]) -> str:
    cpu, wall = _cpu(took), statistics.median(each.wall_seconds for each in took)
    return f"{cpu:.2f} | {wall:.2f} | {max(each.resident_megabytes for each in took):.0f}"


def _ratio(took: Sequence[Took], base: Sequence[Took]) -> str:
    return f"{_cpu(took) / _cpu(base):.2f}"


def _cpu(took: Sequence[Took]) -> float:
    """The least: what others do on a machine only ever adds."""
    return min(each.cpu_seconds for each in took)


def measured(years: float = YEARS) -> list[str]:
    """The tables of histories that are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="history") as name:
        return table(Path(name), years)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=float, default=YEARS, metavar="N", help="of the longest (10)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the histories there, and leave them")
    args = parser.parse_args()
    if args.keep is None:
        print("\n".join(measured(args.years)))
    else:
        args.keep.mkdir(parents=True)
        print("\n".join(table(args.keep, args.years)))


if __name__ == "__main__":
    main()
