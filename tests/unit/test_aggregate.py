"""From the inbox to the tables: any order, any number, any death in between, the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.accounting.records import JobRecord
from sam_cluster.aggregate.flow import Outcome, aggregate
from sam_cluster.aggregate.wiring import LocalExecutor
from sam_cluster.core.config import Config
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import rows_digest, to_rows
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables
from tests.strategies import CLUSTER, DAY, EPOCH, HOUR, MINUTE, History, PlannedRun, Simulation, histories, put

NOW = EPOCH + 60 * DAY
SECOND = 1_000_000
SYNCHRONOUS = LocalExecutor("synchronous")


@dataclass
class Recorded:
    """Accounting as it was recorded."""

    records: list[JobRecord]
    lacks: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def jobs(self, start_microseconds: int, end_microseconds: int) -> Iterable[JobRecord]:
        return [each for each in self.records if each.overlaps(start_microseconds, end_microseconds)]


def record(job_id: int, start: int, end: int | None, **more) -> JobRecord:
    fields = {
        "cluster": CLUSTER, "job_id": str(job_id), "raw_job_id": job_id, "array_job_id": None,
        "array_task_id": None, "het_job_id": None, "het_offset": None, "job_name": f"train{job_id}",
        "user": f"user{job_id % 3}", "uid": 1000 + job_id % 3, "account": f"lab{job_id % 2}",
        "partition": "gpu", "qos": "normal", "state": "COMPLETED" if end else "RUNNING", "exit_code": "0:0",
        "restart_count": 0, "sluid": None, "submit": start - MINUTE, "eligible": start - MINUTE,
        "start": start, "end": end, "suspended_seconds": 0, "node_count": 1, "nodes": ("gpu00",), "gpus": 1,
        "gpu_shards": None, "alloc_tres": "gres/gpu=1",
    }  # fmt: skip
    return JobRecord(**{**fields, **more})


def accounting_of(history: History) -> Recorded:
    last = {run.job_id: run.restart for run in sorted(history.runs, key=lambda run: run.restart)}
    return Recorded([
        record(
            run.job_id,
            (EPOCH + run.start) // SECOND * SECOND,
            (EPOCH + run.end) // SECOND * SECOND,
            restart_count=run.restart,
            state="COMPLETED" if run.restart == last[run.job_id] else "REQUEUED",
            node_count=len({node for node, _ in run.gpus}),
            gpus=len(run.gpus),
        )
        for run in history.runs
    ])


def run_aggregate(paths: StorePaths, *, now: int = NOW, accounting=None, executor=SYNCHRONOUS, **more) -> Outcome:
    return aggregate(
        paths, Config(cluster_name=CLUSTER), accounting=accounting, now_microseconds=now, executor=executor, **more
    )


def digests(paths: StorePaths) -> dict[str, str]:
    snapshot = Tables(paths).snapshot()
    return {table: rows_digest(snapshot.read(table)) for table in TABLES}


def rows(paths: StorePaths, table: str, **where) -> list[dict]:
    return to_rows(Tables(paths).snapshot().read(table, **where))


def in_inbox(paths: StorePaths) -> list[str]:
    return sorted(path.name for path in paths.inbox.rglob("*.parquet"))


def in_quarantine(paths: StorePaths) -> dict[str, str]:
    return {
        path.name.removesuffix(".reason.txt"): path.read_text()
        for path in paths.quarantine.glob("*.reason.txt")
    }


@given(histories(clock_steps=True), st.data())
@settings(max_examples=60, deadline=None)
def test_any_order_number_and_partition_of_the_shards_give_the_same_rows(tmp_path_factory, history, data) -> None:
    every = Simulation(history).shards()
    shards = data.draw(st.lists(st.sampled_from(every), unique_by=id).map(lambda lost: [s for s in every if s not in lost[:2]]))
    accounting = accounting_of(history)
    once, often = (StorePaths(tmp_path_factory.mktemp("store")) for _ in range(2))
    for shard in shards:
        put(once, shard)
    assert run_aggregate(once, accounting=accounting).problems == []

    twice = data.draw(st.permutations([*shards, *data.draw(st.lists(st.sampled_from(shards), max_size=3))]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(twice)), min_size=1, max_size=4)))
    for begin, end in zip([0, *cuts], [*cuts, len(twice)], strict=True):
        for shard in twice[begin:end]:
            put(often, shard)
        run_aggregate(often, accounting=accounting)
    assert digests(often) == digests(once)
    assert in_inbox(once) == in_inbox(often) == []
