"""Jobs by cluster and Slurm's own number, as tables: a day has more of them than a Python object each is good
for."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from sam_cluster.store.numbers import count_of, numbers, one_of_each
from sam_cluster.store.schemas import CLUSTER, RAW_JOB_ID

Job = tuple[str, int]  # cluster and Slurm's own number

JOB_KEY = ("cluster", "raw_job_id")


def jobs_of(*tables: pa.Table) -> pa.Table:
    """The jobs that some rows are of, each once."""
    rows = pa.concat_tables([table.select(JOB_KEY) for table in tables])
    found = numbers([rows[name] for name in JOB_KEY])
    return rows.take(pa.array(one_of_each(np.arange(len(rows)), found, count_of(found))))


def jobs_table(jobs: Collection[Job]) -> pa.Table:
    """Jobs as a table, each once."""
    names, raw_job_ids = zip(*jobs, strict=True) if jobs else ((), ())
    return pa.Table.from_arrays([names, raw_job_ids], schema=pa.schema([CLUSTER, RAW_JOB_ID]))


def raw_job_ids(jobs: pa.Table) -> list[int]:
    """The numbers of jobs, in whichever cluster, ascending."""
    found: list[int] = jobs["raw_job_id"].unique().sort().to_pylist()
    return found
