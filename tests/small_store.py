"""Rows of jobs in a small store, written by the real writer."""

from __future__ import annotations

import pyarrow as pa

from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables
from tests.strategies import DAY, EPOCH, HOUR

NOW = EPOCH + 40 * DAY


def job(number: int, start: int = EPOCH, end: int | None = None, **more) -> dict:
    return {
        **dict.fromkeys(TABLES["jobs"].names), "cluster": "lab", "job_id": str(number), "raw_job_id": number,
        "started_at": start, "ended_at": start + HOUR if end is None else end, "energy_millijoules": number,
        "quality": "measured", "flags": [], "reasons": [], "run_ids": [f"{number}.0"], **more,
    }  # fmt: skip


def begin(paths: StorePaths, now: int = NOW, **more) -> Transaction:
    return Transaction(Tables(paths).snapshot(), now_microseconds=now, **more)


def add(paths: StorePaths, *rows: dict, now: int = NOW, **more):
    transaction = begin(paths, now, **more)
    transaction.exchange("jobs", removed=from_rows("jobs", []), added=from_rows("jobs", rows))
    return transaction.commit()


def ids(table: pa.Table) -> list[int]:
    return table["raw_job_id"].to_pylist()
