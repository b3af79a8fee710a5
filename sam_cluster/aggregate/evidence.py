"""What is known of some jobs, for their rows of `runs` and `jobs`: tables, with their rows by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import Mask, Numbers, count_of, numbers_across, one_of_each

from .accounting import Asked, latest
from .job_keys import JOB_KEY, raw_job_ids

#: A run on one of its nodes, as `usage` has it.
RUN_KEY = (*JOB_KEY, "run_id", "node", "started_at")
SHARD_COLUMNS = (
    *RUN_KEY, "restart", "sluid", "part", "final", "ended_at", "user", "account", "nodes_expected", "gpus",
    "flags", "reason", "cpus", "is_exclusive", "node_cpus", "host_domains",
)  # fmt: skip
USAGE_COLUMNS = (
    *RUN_KEY, "gpu_uuid", "held_microseconds", "device_energy_millijoules",
    "energy_millijoules", "uncertainty_millijoules", "bridged_millijoules", "power_energy_millijoules",
    "covered_microseconds", "idle_microseconds", "idle_energy_millijoules", "gpu_model", "flags",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Some jobs, their shards, the hours of these, and what accounting says."""

    jobs: pa.Table  # by JOB_KEY, each once
    shards: pa.Table
    hours: pa.Table  # of `usage`
    records: pa.Table  # of `accounting`, each as it was said last
    job_of_shard: Numbers  # its row of `jobs`
    shard_of_hour: Numbers  # one with its RUN_KEY
    job_of_record: Numbers

    @classmethod
    def read(cls, transaction: Transaction, jobs: pa.Table, asked: Asked) -> Evidence:
        """What the tables hold, with accounting that is not stored yet."""
        numbers = raw_job_ids(jobs)
        shards, hours, stored = (
            transaction.read(table, raw_job_ids=numbers, columns=columns, in_any_order=True)
            for table, columns in (("shards", SHARD_COLUMNS), ("usage", USAGE_COLUMNS), ("accounting", None))
        )
        return cls.of(jobs, shards, hours, latest(stored, asked.rows))

    @classmethod
    def of(cls, jobs: pa.Table, shards: pa.Table, hours: pa.Table, records: pa.Table) -> Evidence:
        """Of rows that may be of other jobs, too."""
        shards, job_of_shard = _as_one_of(shards, jobs, JOB_KEY)
        hours, shard_of_hour = _as_one_of(hours, shards, RUN_KEY)
        records, job_of_record = _as_one_of(records, jobs, JOB_KEY)
        return cls(
            jobs=jobs, shards=shards, hours=hours, records=records,
            job_of_shard=job_of_shard, shard_of_hour=shard_of_hour, job_of_record=job_of_record,
        )  # fmt: skip

    def only(self, wanted: Mask) -> Evidence:
        """What is known of some of the jobs."""
        shards, hours = wanted[self.job_of_shard], wanted[self.job_of_shard][self.shard_of_hour]
        records = wanted[self.job_of_record]
        job, shard = np.cumsum(wanted) - 1, np.cumsum(shards) - 1
        return Evidence(
            jobs=self.jobs.filter(pa.array(wanted)),
            shards=self.shards.filter(pa.array(shards)),
            hours=self.hours.filter(pa.array(hours)),
            records=self.records.filter(pa.array(records)),
            job_of_shard=job[self.job_of_shard[shards]],
            shard_of_hour=shard[self.shard_of_hour[hours]],
            job_of_record=job[self.job_of_record[records]],
        )


def of_jobs(
    transaction: Transaction, table: str, jobs: pa.Table, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of some jobs, in any order."""
    rows = transaction.read(table, raw_job_ids=raw_job_ids(jobs), columns=columns, in_any_order=True)
    return _as_one_of(rows, jobs, JOB_KEY)[0]


def records_of(transaction: Transaction, jobs: pa.Table, asked: Asked) -> pa.Table:
    """What accounting says of some jobs, also what is not stored yet."""
    return latest(of_jobs(transaction, "accounting", jobs), _as_one_of(asked.rows, jobs, JOB_KEY)[0])


def _as_one_of(rows: pa.Table, known: pa.Table, names: Sequence[str]) -> tuple[pa.Table, Numbers]:
    """The rows that are in some columns as one of `known`, and which one."""
    of_known, of_rows = numbers_across(names, known, rows)
    found = one_of_each(np.arange(len(known)), of_known, count_of(of_known, of_rows))[of_rows]
    kept = found >= 0
    return (rows, found) if kept.all() else (rows.filter(pa.array(kept)), found[kept])
