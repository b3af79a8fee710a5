"""sam-cluster demo: a simulated month through the real agent, shards, aggregation and pages."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sam_cluster.cli import report
from sam_cluster.cli.progress import Progress, shown_progress
from sam_cluster.core import config as configuration
from sam_cluster.core.errors import EXIT_DONE, UsageError

if TYPE_CHECKING:
    from sam_cluster.aggregate.flow import Outcome
    from sam_cluster.store.paths import StorePaths

HELP = "a month of a simulated cluster, from events to pages; needs no Slurm and no GPU"
PERIOD = "2026-10"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument(
        "--out", type=Path, default=Path("sam-cluster-demo"), metavar="DIR",
        help="a new directory for all of it (default: %(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Makes the month and prints where its pages are."""
    from sam_cluster.simulation.cluster import CLUSTER, SimulatedMonth
    from sam_cluster.simulation.cluster import configuration as configuration_text
    from sam_cluster.store.commit import prepare
    from sam_cluster.store.paths import StorePaths

    out = args.out.absolute()
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty; name a new directory with --out, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    text = configuration_text(store=out / "store", spool=out / "spool")
    (out / "config.toml").write_text(text, encoding="utf-8")
    config = configuration.parse(text, out / "config.toml")
    paths = StorePaths(config.store)
    config.store.mkdir()
    prepare(paths)
    month = SimulatedMonth()
    _say(f"{CLUSTER}: {len(month.plans)} jobs of four labs on simulated GPUs; a minute, perhaps")
    with shown_progress() as progress:
        month.meter(config, progress)
        (out / "sacct.txt").write_text(month.sacct_text(), encoding="utf-8")
        month.hand_in_results(paths.submissions)
        outcome = _aggregate(paths, config, out / "sacct.txt", month.end, progress)
    _say(f"aggregated {outcome.shards} shards and {outcome.results} results")
    for problem in outcome.problems:
        _say(problem)
    args_of_report = argparse.Namespace(**{
        **vars(args), "config": config.source, "group": None, "cluster": False, "all": True,
        "period": PERIOD, "out": out / "pages", "starttime": None, "endtime": None,
        "verify": None, "pdf": False,
    })  # fmt: skip
    report.run(args_of_report)
    further = [*called_as(), "jobs", "--config", str(config.source), "--period", PERIOD]
    _say(f"look further with: {shlex.join(further)}")
    return EXIT_DONE


def _aggregate(
    paths: StorePaths, config: configuration.Config, sacct: Path, now_microseconds: int, progress: Progress
) -> Outcome:
    from sam_cluster.accounting.saved import SavedSource
    from sam_cluster.aggregate.flow import aggregate
    from sam_cluster.aggregate.spread.wiring import LocalExecutor
    from sam_cluster.simulation.people import NAMES, SimulatedMunge

    return aggregate(
        paths,
        config,
        accounting=SavedSource(sacct),
        now_microseconds=now_microseconds + 86_400_000_000,
        executor=LocalExecutor(),
        progress=progress,
        munge=SimulatedMunge(),
        names=NAMES.get,
        salt=lambda: "simulated people need no secret",
    )


def called_as() -> list[str]:
    """The words by which this program was called, and can be again: it may not be in PATH."""
    if Path(sys.argv[0]).name == "__main__.py":
        return [_shortest(sys.executable), "-m", "sam_cluster"]
    return [_shortest(sys.argv[0])]


def _shortest(program: str) -> str:
    path = Path(program)
    return path.name if shutil.which(path.name) == str(path.absolute()) else program


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
