"""The simulated cluster's month: schedule, nodes, shards, and what Slurm's accounting would say."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sam_cluster.accounting.sacct_columns import columns
from sam_cluster.core.config import Config

from .node import IDLE_MILLIWATTS, SimulatedNode
from .people import UIDS, hand_in
from .schedule import Placed, schedule
from .workload import DAY, HOUR, LABS, month

CLUSTER = "demo"
NODES = ("gpu01", "gpu02", "gpu03")
GPUS_PER_NODE = 4
MONTH = datetime(2026, 10, 1, tzinfo=UTC)
DELIMITER = "|simulated-sacct|"
TICK_SECONDS = 600
#: What went wrong in that month: a node rebooted, the shards of one job on one node were lost.
CRASHED_NODE = "gpu02"
LOST_NODE = "gpu03"


def configuration(store: Path, spool: Path) -> str:
    """The cluster's configuration file."""
    groups = "".join(
        f"[groups.{lab.name}]\nmembers = {len(lab.members)}\nshare = {lab.share}\n\n" for lab in LABS
    )
    return f"""# A simulated cluster: no figure of it was measured on a GPU.
[cluster]
name = "{CLUSTER}"

[paths]
spool = "{spool}"
store = "{store}"

[agent]
interval_seconds = {TICK_SECONDS}

{groups}[tasks.imagenet-1k]
metric = "top-1"
dataset = "ILSVRC2012"
split = "val"

[tasks.mnli]
metric = "accuracy"
dataset = "MultiNLI"
split = "matched"

[tasks.contact-map]
metric = "precision"
dataset = "held-out chains"
split = "test"

[report]
carbon_g_per_kwh = 230
price_per_kwh = 0.28
currency = "EUR"
pue = 1.2
"""


class SimulatedMonth:
    """Plans, placed on the nodes; `meter` lets the agents run through it."""

    def __init__(self, days: int = 31) -> None:
        self.days = days
        self.start = round(MONTH.timestamp()) * 1_000_000
        self.plans = month(days)
        self.runs = schedule(self.plans, NODES, GPUS_PER_NODE)
        self.lost_job = next(
            (run.plan.job_id for run in self.runs if LOST_NODE in run.gpus and len(run.gpus) > 1), None
        )

    def meter(self, config: Config, progress: Callable[[str, int, int], None]) -> int:
        """Run the agent of each node through the month; how many shards were sealed into the inbox.
        `progress` hears how many nodes were, of how many."""
        sealed = 0
        for number, name in enumerate(NODES):
            progress("nodes metered", number, len(NODES))
            lost_job = self.lost_job if name == LOST_NODE else None
            node = SimulatedNode(name, config, self.start, GPUS_PER_NODE, lost_job)
            self._play(node)
            sealed += node.sealed
        return sealed

    def _play(self, node: SimulatedNode) -> None:
        crash = self.start + self.days * DAY * 3 // 5
        entries: list[tuple[int, int, Callable[[], None]]] = []
        for run in self.runs:
            if node.name in run.gpus:
                start, end = self.start + run.start, self.start + run.end
                crashes = node.name == CRASHED_NODE and start < crash < end
                entries.append((start, 1, _starter(node, run)))
                entries += _power_steps(node, run, start, crash if crashes else end)
                if not crashes:
                    entries.append((end, 0, _ender(node, run)))
        if node.name == CRASHED_NODE:
            entries.append((crash, 2, node.crash))
        for at, _, act in sorted(entries, key=lambda entry: entry[:2]):
            node.run_until(at)
            act()
        node.run_until(self.end)

    def hand_in_results(self, box: Path) -> int:
        """Two in three of the finished trainings, and the sweep, are handed in; how many were."""
        done = [plan for plan in self.plans if plan.accuracy is not None]
        chosen = [plan for number, plan in enumerate(done) if number % 3 != 2 or plan.spent]
        ends = {run.plan.job_id: self.start + run.end for run in self.runs}
        return hand_in(chosen, CLUSTER, box, ends)

    @property
    def end(self) -> int:
        """When the last run is over, and the month too."""
        return self.start + max(self.days * DAY, max(run.end for run in self.runs))

    def sacct_text(self) -> str:
        """What sacct would print of the month."""
        names = columns(("SLUID", "Restarts"))
        rows = [DELIMITER.join(names)]
        rows += [DELIMITER.join(self._sacct_row(run)[name] for name in names) for run in self.runs]
        return "\n".join(rows) + "\n"

    def _sacct_row(self, run: Placed) -> dict[str, str]:
        plan = run.plan
        gpus = sum(len(indices) for indices in run.gpus.values())
        return {
            "JobID": plan.shown_id,
            "JobIDRaw": str(plan.job_id),
            "Cluster": CLUSTER,
            "State": run.state,
            "ExitCode": "0:0" if run.state == "COMPLETED" else "1:0",
            "Submit": self._seconds(run.submit),
            "Eligible": self._seconds(run.submit),
            "Start": self._seconds(run.start),
            "End": self._seconds(run.end),
            "Suspended": "00:00:00",
            "AllocNodes": str(len(run.gpus)),
            "NodeList": ",".join(sorted(run.gpus)),
            "UID": str(UIDS[plan.user]),
            "User": plan.user,
            "Partition": "gpu",
            "QOS": "normal",
            "AllocTRES": f"billing={gpus},cpu={8 * gpus},gres/gpu={gpus},node={len(run.gpus)}",
            "SLUID": "",
            "Restarts": str(run.restart),
            "Account": plan.lab,
            "JobName": plan.name,
        }

    def _seconds(self, offset: int) -> str:
        return str((self.start + offset) // 1_000_000)


def _environ(run: Placed, node: SimulatedNode) -> dict[str, str]:
    """What a prolog of Slurm 25.11 sees, where it knows the GPUs' UUIDs."""
    plan = run.plan
    indices = run.gpus[node.name]
    return {
        "SLURM_JOB_ID": str(plan.job_id),
        "SLURM_JOB_RESTART_COUNT": str(run.restart),
        "SLURM_CLUSTER_NAME": CLUSTER,
        "SLURM_JOB_USER": plan.user,
        "SLURM_JOB_ACCOUNT": plan.lab,
        "SLURM_JOB_PARTITION": "gpu",
        "SLURM_JOB_NUM_NODES": str(len(run.gpus)),
        "SLURM_JOB_GPUS": ",".join(map(str, indices)),
        "CUDA_VISIBLE_DEVICES": ",".join(node.gpus[index].info.uuid for index in indices),
    }


def _starter(node: SimulatedNode, run: Placed) -> Callable[[], None]:
    return lambda: node.hook("prolog", _environ(run, node))


def _ender(node: SimulatedNode, run: Placed) -> Callable[[], None]:
    def end() -> None:
        for index in run.gpus[node.name]:
            node.gpus[index].set_power(IDLE_MILLIWATTS)
        node.hook("epilog", _environ(run, node))

    return end


def _power_steps(
    node: SimulatedNode, run: Placed, start: int, end: int
) -> list[tuple[int, int, Callable[[], None]]]:
    """Power of a training: it loads its data for five minutes, then sways by a few percent each hour."""
    rng = random.Random(f"{run.plan.job_id}.{run.restart}.{node.name}")  # noqa: S311 - a story, not a secret
    steps: list[tuple[int, int, Callable[[], None]]] = []
    for at in [start + HOUR // 12, *range(start + HOUR, end, HOUR)]:
        power = round(run.plan.power_milliwatts * rng.uniform(0.96, 1.04))

        def change(power: int = power) -> None:
            for index in run.gpus[node.name]:
                node.gpus[index].set_power(power)

        if at < end:
            steps.append((at, 2, change))
    return steps
