"""Which models of GPU jobs held, as their shards name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from .records import Job, Run, TableReader

JobKey = tuple[str, int, datetime | None]
GpuModels = Mapping[JobKey, frozenset[str]]


def job_key(job: Job) -> JobKey:
    """What tells a job from every other, also from a later one of its number."""
    return job.cluster, job.raw_job_id, job.started_at


def read_gpu_models(tables: TableReader, jobs: Sequence[Job]) -> GpuModels:
    """The names that NVML gave for the GPUs of each job; a job whose GPUs nobody named is not there."""
    runs: dict[tuple[str, str], list[tuple[Job, Run]]] = {}
    for job in jobs:
        for run in job.runs:
            runs.setdefault((job.cluster, run.run_id), []).append((job, run))
    if not runs:
        return {}
    rows = tables.read(
        "shards",
        raw_job_ids=sorted({job.raw_job_id for job in jobs}),
        run_ids=sorted({run_id for _, run_id in runs}),
        columns=("cluster", "run_id", "started_at", "gpus"),
    )
    models: dict[JobKey, frozenset[str]] = {}
    for row in rows.to_pylist():
        held = frozenset(gpu["name"] for gpu in row["gpus"] or () if gpu["name"])
        for job, run in runs.get((row["cluster"], row["run_id"]), ()):
            if held and run.owns(row["started_at"]):
                models[job_key(job)] = models.get(job_key(job), frozenset()) | held
    return models
