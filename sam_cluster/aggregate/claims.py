"""What accounting says of runs that share a GPU, and which days of which GPUs hang on it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.energy.claims import Accounted
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import day_of, to_rows

from .accounting import Asked
from .evidence import of_jobs, records_of
from .job_keys import Job, jobs_table, raw_job_ids
from .jobs import by_job, matched
from .join import RESIZING
from .touched import GPU_COLUMNS, Gpu

Run = tuple[Job, str, int]  # with run id, and start on the node


def accounted_runs(transaction: Transaction, jobs: Collection[Job], asked: Asked) -> dict[Run, Accounted]:
    """What accounting says of the runs of some jobs, by job, run id and start on a node: as `runs` has
    it, a run is the row of accounting that its shards make it."""
    if not jobs:
        return {}
    wanted = jobs_table(jobs)
    shards = by_job(of_jobs(transaction, "shards", wanted))
    records = by_job(records_of(transaction, wanted, asked))
    found = {}
    for job in sorted(jobs):
        attempts, shards_of = matched(shards.get(job, ()), records.get(job, []))
        for attempt in attempts:
            record = attempt.record
            if record is None:
                continue
            told = Accounted(
                gpu_shards=record["gpu_shards"],
                gpu_mps=record["gpu_mps"],
                nodes=record["node_count"],
                # A run goes on over a resize, of which accounting makes the end of a row.
                ended_at_microseconds=None if record["state"] == RESIZING else record["ended_at"],
            )
            for run in attempt.runs:
                for shard in shards_of[id(run)]:
                    found[job, shard["run_id"], shard["started_at"]] = told
    return found


def shared_days(transaction: Transaction, jobs: pa.Table) -> dict[Gpu, set[date]]:
    """The GPUs, and the days, on which runs of these jobs held one together with others."""
    numbers = raw_job_ids(jobs)
    holders = transaction.read("usage", raw_job_ids=numbers, columns=("holders",), in_any_order=True)
    if not pc.any(pc.greater(holders["holders"], 1)).as_py():
        return {}
    rows = of_jobs(transaction, "usage", jobs, (*GPU_COLUMNS, "raw_job_id", "hour", "holders"))
    rows = rows.filter(pc.greater(rows["holders"], 1))
    days: dict[Gpu, set[date]] = {}
    for row in to_rows(rows):
        days.setdefault((row["cluster"], row["node"], row["gpu_uuid"]), set()).add(day_of(row["hour"]))
    return days
