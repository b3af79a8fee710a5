"""Aggregating in a test: recorded accounting, simulated histories, and what the tables hold then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sam_cluster.accounting.records import JobRecord
from sam_cluster.aggregate.flow import Outcome, aggregate
from sam_cluster.aggregate.spread.wiring import LocalExecutor
from sam_cluster.core.config import Config
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Tables
from tests.digests import rows_digest
from tests.simulated import Simulation, put
from tests.strategies import CLUSTER, DAY, EPOCH, HOUR, MINUTE, History, PlannedRun

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


def record(number: int, start: int, end: int | None, **more) -> JobRecord:
    fields = {
        "cluster": CLUSTER, "job_id": str(number), "raw_job_id": number, "array_job_id": None,
        "array_task_id": None, "het_job_id": None, "het_offset": None, "job_name": f"train{number}",
        "user": f"user{number % 3}", "uid": 1000 + number % 3, "account": f"lab{number % 2}",
        "partition": "gpu", "qos": "normal", "state": "COMPLETED" if end else "RUNNING", "exit_code": "0:0",
        "restart_count": 0, "sluid": None, "submit": start - MINUTE, "eligible": start - MINUTE,
        "start": start, "end": end, "suspended_seconds": 0, "node_count": 1, "nodes": ("gpu00",), "gpus": 1,
        "gpu_shards": None, "gpu_mps": None, "alloc_tres": "gres/gpu=1",
    }  # fmt: skip
    return JobRecord(**{**fields, **more})


def accounting_of(history: History) -> Recorded:
    last = {run.job_id: run.restart for run in sorted(history.runs, key=lambda run: run.restart)}
    return Recorded(
        [
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
        ]
    )


def run_aggregate(
    paths: StorePaths, *, now: int = NOW, accounting=None, executor=SYNCHRONOUS, config=None, **more
) -> Outcome:
    return aggregate(
        paths,
        config or Config(cluster_name=CLUSTER),
        accounting=accounting,
        now_microseconds=now,
        executor=executor,
        **more,
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


ONE_GPU = ((0, 0),)
DAY_LONG = PlannedRun(101, 0, 20 * HOUR, 30 * HOUR, ONE_GPU)  # over one midnight
AFTER = PlannedRun(102, 0, 40 * HOUR, 41 * HOUR, ONE_GPU)
HISTORY = History((DAY_LONG, AFTER))


def put_all(paths: StorePaths, history: History = HISTORY) -> None:
    for shard in Simulation(history).shards():
        put(paths, shard)


def only(found: list[dict]) -> dict:
    (row,) = found
    return row
