"""The bench's Slurm with the project's hooks, an agent and a stand-in NVML a node, and one store."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sam_cluster.core.model import NO_JOB, Shard
from sam_cluster.standin.standin import build
from sam_cluster.store.shards import read_summary
from tests.bench.metered.figures import Figure, figure
from tests.bench.metered.hooks import HookRecord, Hooks
from tests.bench.metered.node import EXECUTABLES, MeteredNode
from tests.bench.metered.runs import NodeRun, RunKey, pair
from tests.bench.mounts import unmount_below
from tests.bench.slurm import SlurmCluster
from tests.bench.slurm.accounts import SERVICE_USER, create_unix_users
from tests.bench.slurm.conf import NODES
from tests.bench.slurm.processes import kill_marked, wait_until


def reason_not_to_meter() -> str | None:
    """Why shards could not be sealed as the service user on this machine, or None. Needs root."""
    create_unix_users()
    argv = [sys.executable, "-I", "-c", "import sam_cluster.agent.seal"]
    tried = subprocess.run(argv, user=SERVICE_USER, group=SERVICE_USER, extra_groups=[], capture_output=True,
                           text=True, cwd="/")  # fmt: skip
    if tried.returncode != 0:
        return f"{SERVICE_USER} cannot run {argv}: {tried.stderr.strip()}"
    return None


class MeteredCluster:
    """A running bench that is metered, as a context manager; what it makes is gone afterwards."""

    def __init__(self, slurm: SlurmCluster) -> None:
        self.slurm = slurm
        self.root = Path(tempfile.mkdtemp(prefix="m-", dir=slurm.layout.root))
        self.root.chmod(0o755)
        self.store = self.root / "store"
        self.inbox = self.store / "inbox"
        for path in (self.store, self.inbox):
            path.mkdir(mode=0o755)
            shutil.chown(path, SERVICE_USER, SERVICE_USER)
        library = build(slurm.layout.root)
        self.nodes = {name: MeteredNode(self.root, name, self.store, library) for name in NODES}
        self.hooks = Hooks(self.root)

    def __enter__(self) -> Self:
        self.slurm.wait_idle()
        self.slurm.set_hooks(**self.hooks.scripts)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.slurm.revive()
            self.slurm.run("scancel", "--partition=gpu", check=False)
            self.slurm.wait_idle(timeout_seconds=60)
        finally:
            self.slurm.set_hooks()
            kill_marked(self.root)
            unmount_below(self.root)
            shutil.rmtree(self.root)

    # ---- what happened ----

    def records(self, job: int | None = None) -> list[HookRecord]:
        """The hooks that were called, of one raw job id or of all."""
        return [record for record in self.hooks.records() if job in (None, record.job_id)]

    def node_runs(self, job: int | None = None) -> list[NodeRun]:
        """The runs with GPUs, of one raw job id or of all, by node."""
        return pair(self.records(job), self.nodes)

    def wait_over(self, *jobs: int, timeout_seconds: float = 150.0) -> None:
        """Waits until single jobs have ended and slurmd has called the epilog for each prolog of theirs."""
        self.slurm.wait(jobs, timeout_seconds=timeout_seconds)

        hooks: list[str] = []

        def closed() -> bool:
            records = [record for job in jobs for record in self.records(job)]
            hooks[:] = [f"{record.hook} {record.job_id}.{record.restart} {record.node}" for record in records]
            last = {(record.job_id, record.node): record.hook for record in records}
            epilogs = sum(record.hook == "epilog" for record in records)
            return set(last.values()) == {"epilog"} and epilogs * 2 >= len(records)

        wait_until(closed, timeout_seconds, lambda: f"an epilog has not come: {hooks}")

    def shards(self) -> dict[tuple[int, int, str], list[Shard]]:
        """What lies in the inbox of runs, by raw job id, restart count and node."""
        found: dict[tuple[int, int, str], list[Shard]] = {}
        for path in sorted(self.inbox.glob("*/[!.]*.parquet")):
            shard, _ = read_summary(path)
            if shard.key.job_id != NO_JOB:
                found.setdefault((shard.key.job_id, shard.key.restart, shard.node), []).append(shard)
        return found

    def wait_sealed(self, runs: Iterable[NodeRun] | None = None, *, timeout_seconds: float = 90.0) -> None:
        """Waits until the last shard of each run lies in the inbox; without runs, of all that ended."""
        wanted = {run.key for run in (self.node_runs() if runs is None else runs)}
        missing: set[tuple[int, int, str]] = set()

        def arrived() -> bool:
            there = {key for key, shards in self.shards().items() if any(shard.final for shard in shards)}
            missing.clear()
            missing.update(wanted - there)
            return not missing

        wait_until(arrived, timeout_seconds, lambda: f"no shard of {sorted(missing)}\n{self.complaints()}")

    def figures(self) -> dict[RunKey, Figure]:
        """Of each run whose shards lie in the inbox, over all of its nodes."""
        shards, by_run = self.shards(), dict[RunKey, list[tuple[NodeRun, list[Shard]]]]()
        for node_run in self.node_runs():
            if node_run.key in shards:
                by_run.setdefault(node_run.run, []).append((node_run, shards[node_run.key]))
        return {run: figure(f"run {run[0]}.{run[1]}", parts) for run, parts in by_run.items()}

    def complaints(self) -> str:
        """What the agents wrote to their standard error, and what they say of themselves."""
        lines = []
        for node in self.nodes.values():
            if node.errors.exists() and (text := node.errors.read_text().strip()):
                lines.append(f"--- {node.errors}\n{text}")
            lines.append(f"--- {node.name}\n{node.agent('status').stdout.strip()}")
        return "\n".join(lines)

    # ---- the central side ----

    def sam_cluster(self, *words: str, expect: Iterable[int] = (0,)) -> subprocess.CompletedProcess[str]:
        """Runs a command of sam-cluster as the service user, on the bench's store."""
        argv = [str(EXECUTABLES / "sam-cluster"), *words, "--store", str(self.store)]
        done = self.slurm.run(*argv, user=SERVICE_USER, check=False)
        assert done.returncode in expect, f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def jobs(self, *words: str, expect: Iterable[int] = (0,)) -> list[dict[str, Any]]:
        """What `sam-cluster jobs` says, by name of the job."""
        done = self.sam_cluster("jobs", "--format", "json", *words, expect=expect)
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows
