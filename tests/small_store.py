"""Rows of jobs in a small store, written by the real writer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


#: Forks a writer for each number of steps, before a library makes threads, and has it killed after so many.
WRITERS = """
import os, signal, sys
from pathlib import Path
from sam_cluster.store.paths import StorePaths
from tests.small_store import DAY, EPOCH, add, job

def killed_after(steps):
    def step(name):
        nonlocal steps
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
    return step

for steps, store in enumerate(sys.argv[1:]):
    root, _, bucket = store.partition("|")
    child = os.fork()
    if not child:
        paths = StorePaths(Path(root), bucket or None)
        add(paths, job(7), job(8, EPOCH + DAY), step=killed_after(steps))
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""


def killed_after_each_step(stores: Sequence[StorePaths]) -> list[int]:
    """How writers of jobs 7 and 8 ended, of whom the first was killed before its first step, the next before
    its second, and so on."""
    command = [sys.executable, "-c", WRITERS, *(f"{paths.root}|{paths.bucket or ''}" for paths in stores)]
    root = Path(__file__).resolve().parents[1]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return [int(line) for line in ran.stdout.split()]
