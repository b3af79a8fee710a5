"""The selftest from its first hook to the last table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sam_cluster.aggregate.flow import aggregate
from sam_cluster.aggregate.spread.wiring import LocalExecutor
from sam_cluster.core.config import Config
from sam_cluster.core.model import Shard
from sam_cluster.energy.figure import run_energy
from sam_cluster.standin.library import build
from sam_cluster.standin.standin import Standin
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows
from sam_cluster.store.tables import Tables

from .cases import CASES, COUNTER_STEP_MICROSECONDS, IDLE, Case, Change
from .node import Hook, SelftestError, TestedNode
from .stages import Finding, Stage, examine, judged

#: How long the longest run is.
SECONDS = 20.0
AGENT = (sys.executable, "-m", "sam_cluster.agent.main")

Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """A run of a case: its job's number, and its hooks once they ran."""

    case: Case
    gpu: int
    job: int
    hooks: list[Hook] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """Something to do at an instant (seconds from the beginning)."""

    at: float
    order: int
    do: Callable[[], None] = field(compare=False)


def selftest(
    root: Path,
    site: Config,
    say: Say,
    *,
    seconds: float = SECONDS,
    agent: Sequence[str] = AGENT,
    cases: Sequence[Case] = CASES,
) -> list[Finding]:
    """Meter the cases on GPUs of the stand-in, all at once, in an empty directory, and compare.

    `site` gives the interval between readings and the service user; `agent` is the command that is tested.
    Raises SelftestError where something does not come, StandinError where the stand-in cannot be built.
    """
    say("compiling the stand-in for NVML")
    library = build(root / "library")
    standin = Standin.create(root / "state", gpus=len(cases), library=library, averages_power=0, idle_mw=IDLE)
    for gpu, case in enumerate(cases):
        standin.set_counter(gpu, step_us=COUNTER_STEP_MICROSECONDS)
        standin.configure(gpu, supports_energy=int(case.has_counter))
        case.load(standin, gpu)
    # Something befalls a GPU midway: by then it must have been read more than once.
    interval = min(site.interval_seconds, seconds / 4)
    node = TestedNode(root, standin, replace(site, interval_seconds=interval), agent)
    try:
        runs, restarts = _meter(node, standin, cases, seconds, say)
        node.wait(lambda: sum(shard.final for shard in node.shards()) >= len(runs), f"{len(runs)} shards")
        shards = {shard.key.job_id: shard for shard in node.shards()}
    finally:
        node.end()
    if any(shard.part for shard in shards.values()):
        raise SelftestError("midnight (UTC) fell into it, at which a run is sealed in parts: run it again")
    say("aggregating")
    jobs = _aggregated(node, standin)
    findings: list[Finding] = []
    for run in runs:
        truth = partial(standin.truth_millijoules, run.gpu)
        hooks = (run.hooks[0], run.hooks[1])
        findings += examine(run.case, shards[run.job], truth, restarts.get(run.gpu, []), hooks)
        if run.job == _last_job(runs, run.gpu):
            findings += _tables(run.case, [r.job for r in runs if r.gpu == run.gpu], shards, jobs)
    return findings


def _meter(
    node: TestedNode, standin: Standin, cases: Sequence[Case], seconds: float, say: Say
) -> tuple[list[Run], dict[int, list[int]]]:
    """The runs, and when which counter restarted."""
    runs: list[Run] = []
    restarts: dict[int, list[int]] = {}
    steps: list[Step] = []
    for gpu, case in enumerate(cases):
        for start, end in case.runs:
            run = Run(case, gpu, 1001 + len(runs))
            runs.append(run)
            steps.append(Step(start, len(steps), partial(_hook, node, standin, run, "prolog")))
            steps.append(Step(end, len(steps), partial(_hook, node, standin, run, "epilog")))
        for at, change in case.changes:
            steps.append(Step(at, len(steps), partial(_change, standin, gpu, change, restarts)))
    steps.sort()
    say(f"metering {len(runs)} runs on {len(cases)} GPUs for {seconds:g} s")
    first = [step for step in steps if not step.at]
    for step in first:
        step.do()
    # A restart before a run's first reading is before the run, as far as anybody can tell.
    node.wait(lambda: all(standin.calls("energy", gpu) for gpu in range(len(cases))), "a first reading")
    began = time.monotonic()
    for step in steps[len(first) :]:
        time.sleep(max(began + step.at * seconds - time.monotonic(), 0))
        step.do()
    return runs, restarts


def _hook(node: TestedNode, standin: Standin, run: Run, kind: str) -> None:
    run.hooks.append(node.hook(kind, run.job, standin.uuid(run.gpu)))


def _change(standin: Standin, gpu: int, change: Change, restarts: dict[int, list[int]]) -> None:
    if (restarted := change(standin, gpu)) is not None:
        restarts.setdefault(gpu, []).append(restarted)


def _aggregated(node: TestedNode, standin: Standin) -> Mapping[int, Mapping[str, Any]]:
    """The rows of the table of jobs, by the job's number."""
    paths = StorePaths(node.store)
    prepare(paths)
    outcome = aggregate(
        paths,
        node.config,
        accounting=None,
        now_microseconds=standin.epoch_us(),
        executor=LocalExecutor(),
    )
    if outcome.problems:
        raise SelftestError(f"the shards were not taken in: {outcome.problems[0]}")
    return {row["raw_job_id"]: row for row in to_rows(Tables(paths).snapshot().read("jobs"))}


def _last_job(runs: Sequence[Run], gpu: int) -> int:
    return max(run.job for run in runs if run.gpu == gpu)


def _tables(
    case: Case,
    numbers: Sequence[int],
    shards: Mapping[int, Shard],
    jobs: Mapping[int, Mapping[str, Any]],
) -> Iterator[Finding]:
    """What the tables have for the jobs of a GPU: together to the millijoule what its first shard has, for
    that run held it all the time."""
    rows = [jobs.get(number, {}) for number in numbers]
    energies = [row.get("energy_millijoules") for row in rows]
    got = None if None in energies else sum(energy for energy in energies if energy is not None)
    note = "of both jobs together" if len(numbers) > 1 else ""
    yield judged(case, Stage.TABLES, run_energy(shards[numbers[0]].boundaries) or 0, got, 0, note)
    qualities = sorted({str(row.get("quality")) for row in rows})
    yield Finding(
        case=case.name,
        stage=Stage.QUALITY,
        expected_millijoules=None,
        got_millijoules=None,
        bound_millijoules=None,
        passed=qualities == [case.quality.value],
        note=f"{', '.join(qualities)}; right: {case.quality.value}",
    )
