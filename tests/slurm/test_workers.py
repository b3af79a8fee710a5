"""Workers as jobs of a real Slurm: tables of the bytes that threads give, and a lost job costs nothing."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sam_cluster.aggregate.spread.wiring import SHARDS_IN_A_TASK
from sam_cluster.store.paths import StorePaths
from tests.bench.metered.node import EXECUTABLES
from tests.bench.slurm import SlurmCluster
from tests.bench.slurm.processes import wait_until
from tests.simulated import Simulation, put
from tests.strategies import HOUR, History, PlannedRun

HISTORY = History(tuple(PlannedRun(300 + n, 0, n * HOUR, (n + 1) * HOUR, ((0, 0),)) for n in range(6)))

#: The job of the worker that is given the first batch is cancelled by it, once.
CANCELLED = """
import json, os, subprocess, sys, time
from pathlib import Path
from sam_cluster.aggregate.spread.workers import open_executor

root = Path(sys.argv[1])

def work(items):
    job = os.environ["SLURM_JOB_ID"]
    if 0 in items and not (root / "was here").exists():
        (root / "was here").write_text(job)
        subprocess.run(["scancel", job], check=True)
        time.sleep(60)
    return [int(job), sum(items)]

with open_executor(store=root, slurm=True) as executor:
    print(json.dumps(executor.map(work, range(int(sys.argv[2])), lambda done: None)))
"""


@pytest.fixture
def place(slurm_cluster: SlurmCluster) -> Iterator[Path]:
    """A directory of alice's, whose jobs Slurm takes."""
    root = Path(tempfile.mkdtemp(prefix="w-", dir=slurm_cluster.layout.root))
    shutil.chown(root, "alice", "alice")
    yield root
    slurm_cluster.run("scancel", "--user=alice")
    slurm_cluster.wait_idle()
    shutil.rmtree(root)


def tables(paths: StorePaths) -> dict[str, bytes]:
    return {
        str(path.relative_to(paths.tables)): path.read_bytes() for path in paths.tables.rglob("*.parquet")
    }


def test_workers_in_slurm_give_the_bytes_that_threads_give(slurm_cluster: SlurmCluster, place: Path) -> None:
    found = []
    for name, how in (("threads", []), ("workers", ["--slurm"])):
        paths = StorePaths(place / name)
        for shard in Simulation(HISTORY).shards():
            put(paths, shard)
        for path in [place / name, *(place / name).rglob("*")]:
            shutil.chown(path, "alice", "alice")
        command = [EXECUTABLES / "sam-cluster", "aggregate", "--no-accounting", "--store", paths.root, *how]
        done = slurm_cluster.run(*map(str, command), user="alice")
        assert "6 shards folded" in done.stderr
        assert list(paths.root.glob(".*")) == []  # no key is left
        found.append(tables(paths))
    assert found[0] == found[1] != {}

    def users() -> set[str]:
        return {row["User"] for row in slurm_cluster.sacct("--name=dask-worker", fields="User")}

    wait_until(lambda: users() == {"alice"}, 30, lambda: f"accounting has workers of {users()}")


def test_what_a_cancelled_job_was_at_is_done_by_another(slurm_cluster: SlurmCluster, place: Path) -> None:
    command = ["env", "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT=1s", sys.executable, "-c", CANCELLED]
    items = SHARDS_IN_A_TASK + 500
    done = slurm_cluster.run(*command, str(place), str(items), user="alice")
    answers = json.loads(done.stdout)
    assert sum(answer for _, answer in answers) == sum(range(items))
    assert len(answers) == 2
    cancelled = int((place / "was here").read_text())
    assert slurm_cluster.wait(cancelled) == {str(cancelled): "CANCELLED"}
    assert answers[0][0] != cancelled


def test_that_slurm_takes_no_worker_is_said_in_its_own_words(
    slurm_cluster: SlurmCluster, place: Path
) -> None:
    command = ["env", "DASK_JOBQUEUE__SLURM__QUEUE=nowhere", EXECUTABLES / "sam-cluster", "aggregate"]
    command += ["--no-accounting", "--store", place, "--slurm"]
    done = slurm_cluster.run(*map(str, command), user="alice", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Slurm takes no worker: " in line
    assert "invalid partition" in line
