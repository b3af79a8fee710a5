"""Sixty jobs of a day in a cluster's life: all shapes, all endings."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.slurm import SlurmCluster

USERS = (("alice", "vision"), ("bob", "nlp"), ("carol", "bio"), ("carol", "vision"))
LIMIT = "--time=10"  # lets the scheduler fill the holes beside a large job
AGAIN = '[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || exec sleep 2\nsleep 300'  # until it is requeued
HET_SCRIPT = """\
#!/bin/sh
#SBATCH --nodes=1 --ntasks-per-node=1 --gpus-per-node=1 --time=10
#SBATCH hetjob
#SBATCH --nodes=1 --ntasks-per-node=1 --gpus-per-node=2 --time=10
sleep 2
"""


@dataclass(frozen=True)
class Submitted:
    """A job as its user asked for it."""

    name: str
    """As users know it: `7`, `7_1`, `7+1`."""
    user: str
    account: str
    nodes: int
    gpus: int
    state: str
    runs: int = 1


class Workload:
    """Submits jobs and sees to it that they end as they should."""

    def __init__(self, slurm: SlurmCluster) -> None:
        self._slurm = slurm
        self.jobs: list[Submitted] = []
        self.ids: list[int] = []
        """As submitted: of an array one for all of its tasks."""

    def run(self) -> None:
        """All sixty, from the first submission to the last epilog."""
        # Those that have to be followed come first, so that what they wait for passes beside the others.
        requeued = [self._add(AGAIN, nodes=nodes, gpus=2, runs=2) for nodes in (1, 1, 1, 2)]
        for job in requeued:
            self._slurm.wait_started(job)
            self._slurm.requeue(job)
        late = [self._add("sleep 99", state="TIMEOUT") for _ in range(3)]
        for job in late:
            self._slurm.wait_started(job)
            self._slurm.expire(job)
        cancelled = [self._add("sleep 99", gpus=2, state="CANCELLED") for _ in range(4)]
        for job in cancelled:
            self._slurm.wait_started(job)
            self._slurm.cancel(job)
        for index in range(4):
            self._add("sleep 1; exit 3", gpus=1 + index % 2, state="FAILED")
        for tasks, gpus in ((5, 1), (5, 2), (6, 1)):
            self._add_array(tasks, gpus)
        self._add_het()
        for index in range(15):
            self._add(f"sleep {1 + index % 3}.{index % 7}", gpus=1 + index % 4)
        for index in range(8):
            self._add(f"sleep {1 + index % 2}.{index}", nodes=2, gpus=1 + index % 4)
        for index in range(4):
            self._add(f"sleep {2 + index % 2}", nodes=3, gpus=1 + index % 4)
        self._slurm.wait(self.ids, timeout_seconds=150)
        self._slurm.wait_idle()

    def _add(
        self, script: str, *, nodes: int = 1, gpus: int = 1, state: str = "COMPLETED", runs: int = 1
    ) -> int:
        user, account = USERS[len(self.ids) % len(USERS)]
        job = self._slurm.submit(
            script, user=user, account=account, nodes=nodes, gpus_per_node=gpus, extra=[LIMIT]
        )
        self.ids.append(job)
        self.jobs.append(Submitted(str(job), user, account, nodes, nodes * gpus, state, runs))
        return job

    def _add_array(self, tasks: int, gpus: int) -> None:
        user, account = USERS[len(self.ids) % len(USERS)]
        job = self._slurm.submit(
            "sleep 1.5", user=user, account=account, gpus_per_node=gpus, extra=[LIMIT, f"--array=1-{tasks}"]
        )
        self.ids.append(job)
        for task in range(1, tasks + 1):
            self.jobs.append(Submitted(f"{job}_{task}", user, account, 1, gpus, "COMPLETED"))

    def _add_het(self) -> None:
        job = self._slurm.submit(HET_SCRIPT, user="bob", account="nlp", gpus_per_node=0)
        self.ids.append(job)
        for offset, gpus in enumerate((1, 2)):
            self.jobs.append(Submitted(f"{job}+{offset}", "bob", "nlp", 1, gpus, "COMPLETED"))
