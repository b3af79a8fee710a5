"""Runs of known length with what they took, from results and jobs: what a projection is made from.

A result that states its epochs, or its fraction of the data, is one run, of the electricity of all the
jobs that it names. A job whose length is stated by who asks is one run by itself, of its own electricity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.config import Config
from ..core.errors import ProjectionError
from ..core.model import Flag, Quality
from ..core.units import kwh_from_millijoules
from ..metrics import AMOUNTS, ShorterRun
from .gpu_models import GpuModels, JobKey, job_key, read_gpu_models
from .named_jobs import NamedJob, NamedJobs, electricity_of, rows_named
from .reading import read_jobs
from .records import Job, Selection, TableReader, names
from .results import Result, choose, read_results

Amount = Literal["epochs", "data_fraction"]
WORDS: dict[Amount, str] = {"epochs": "epochs", "data_fraction": "fraction of the data"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job that somebody named, with its length where they stated it."""

    job_id: str
    amount: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRun:
    """A run, and what it was made from: the jobs of a result, or the job that was named with its length."""

    job_ids: tuple[str, ...]
    submission_id: str | None
    run: ShorterRun
    is_simulated: bool


def named_runs(tables: TableReader, config: Config, asked: Sequence[Asked], amount: Amount) -> list[NamedRun]:
    """The runs that the jobs stand for, each once, from the shortest.

    Raises ProjectionError with every job that stands for none, and what to do about it.
    """
    complaints: list[str] = []
    found = _results(read_results(tables, config), asked, amount, complaints)
    stated = {one.job_id: one.amount for one in asked if one.amount is not None}
    wanted = {*stated, *(job_id for result, _ in found for job_id in result.job_ids)}
    jobs = read_jobs(tables, config, Selection(job_ids=tuple(sorted(wanted)))) if wanted else []
    gpu_models = read_gpu_models(tables, jobs)
    named = NamedJobs(rows_named(tables, config, stated), config.calibration).by_key if stated else {}
    runs = [_run_of_result(result, length, jobs, gpu_models, amount) for result, length in found]
    for job_id, length in stated.items():
        if spent := _latest(jobs, job_id):
            runs.append(_run_of_jobs(job_id, length, spent, named, gpu_models))
        else:
            complaints.append(f"job {job_id} is not in the tables; sam-cluster aggregate takes it in")
    if complaints:
        raise ProjectionError("; ".join(complaints))
    return sorted(runs, key=lambda run: (run.run.amount, run.job_ids, run.submission_id or ""))


def _results(
    results: Sequence[Result], asked: Iterable[Asked], amount: Amount, complaints: list[str]
) -> list[tuple[Result, float]]:
    """The results of the jobs whose length was not stated, with theirs; one for the same jobs."""
    found: dict[tuple[str | None, frozenset[str]], tuple[Result, float]] = {}
    for job_id in dict.fromkeys(one.job_id for one in asked if one.amount is None):
        of_job = [each for each in choose(results, Selection(job_ids=(job_id,))) if each.counts]
        known = [(each, length) for each in of_job if (length := _length(each, amount)) is not None]
        if not known:
            lacking = "says it" if of_job else "names it"
            complaints.append(
                f"the {WORDS[amount]} of job {job_id}: no accepted result {lacking}; {_state_it(job_id)}"
            )
        for result, length in known:
            _, first = found.setdefault((result.cluster, frozenset(result.job_ids)), (result, length))
            if first != length:
                complaints.append(
                    f"the {WORDS[amount]} of job {job_id}: results of the same jobs say {first:g} and "
                    f"{length:g}, and it cannot be told which the electricity is of; {_state_it(job_id)}"
                )
    return list(found.values())


def _state_it(job_id: str) -> str:
    return f"state it by --job {job_id}=N"


def _length(result: Result, amount: Amount) -> float | None:
    length = result.epochs if amount == "epochs" else result.data_fraction
    least, most = AMOUNTS
    return length if length is not None and least <= length <= most else None  # anybody can write 1e300


def _run_of_result(
    result: Result, length: float, jobs: Iterable[Job], gpu_models: GpuModels, amount: Amount
) -> NamedRun:
    keys = {job.key for job in result.jobs}
    other: Amount = "data_fraction" if amount == "epochs" else "epochs"
    stated = {
        "task": result.task,
        "dataset": result.dataset,
        "model": result.model,
        WORDS[other]: _length(result, other),
    }
    return _run(
        result.job_ids,
        result.submission_id,
        length,
        result.jobs,
        len(result.jobs_unknown),
        [job for job in jobs if job_key(job) in keys],
        gpu_models,
        stated,
    )


def _run_of_jobs(
    job_id: str,
    length: float,
    spent: Sequence[Job],
    named: Mapping[JobKey, NamedJob],
    gpu_models: GpuModels,
) -> NamedRun:
    return _run((job_id,), None, length, [named[job_key(job)] for job in spent], 0, spent, gpu_models, {})


def _run(
    job_ids: tuple[str, ...],
    submission_id: str | None,
    length: float,
    metered: Collection[NamedJob],
    unknown: int,
    spent: Sequence[Job],
    gpu_models: GpuModels,
    stated: Mapping[str, object],
) -> NamedRun:
    models = {model for job in spent for model in gpu_models.get(job_key(job), ())}
    conditions = {**stated, "GPU model": " + ".join(sorted(models)) or None}
    electricity = electricity_of(metered, unknown)
    energy = electricity.energy_millijoules
    # The gain of the sensors is that of the GPU model, which all runs have in common: it scales the whole
    # line, and what is foretold, as NVML says it, does not depend on it.
    apart = sum(job.uncertainty.boundary_millijoules for job in metered)
    run = ShorterRun(
        amount=length,
        energy_kwh=None if energy is None else kwh_from_millijoules(energy),
        uncertainty_kwh=kwh_from_millijoules(apart),
        # Of jobs without any figure, one of which still runs, the sum is called a lower bound: of nothing.
        quality=Quality.UNKNOWN if energy is None else electricity.quality,
        gpus=max((job.gpus for job in spent if job.gpus), default=None),
        conditions={name: value for name, value in conditions.items() if value is not None},
    )
    is_simulated = any(Flag.SIMULATED in job.flags for job in spent)
    return NamedRun(job_ids=job_ids, submission_id=submission_id, run=run, is_simulated=is_simulated)


def _latest(jobs: Iterable[Job], job_id: str) -> list[Job]:
    """The jobs of an id; of a number that was used again the one that began last."""
    latest = {(job.cluster, job.job_id): job for job in jobs if names(job_id, job.job_id)}  # by start
    return list(latest.values())
