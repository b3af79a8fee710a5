"""What may be broken on a node, and a job that runs there all the same."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.bench.metered import MeteredCluster, MeteredNode
from tests.bench.slurm.processes import wait_until

LIMIT = "--time=10"
HANG_US = 60_000_000
UNKNOWN_ERROR, GPU_IS_LOST = 999, 15
FAILING_GPU = 2
"""Physical number of the one GPU of four that fails."""


@dataclass
class Faulty:
    """The jobs by fault, and what was seen meanwhile."""

    jobs: dict[str, list[int]] = field(default_factory=dict)
    failing_uuid: str = ""


class FaultyNode:
    """Runs a job on one node under one fault after another."""

    def __init__(self, metered: MeteredCluster, node: MeteredNode, seen: Faulty) -> None:
        self._metered = metered
        self._node = node
        self._seen = seen

    def job(self, fault: str, *, gpus: int = 2, seconds: float = 2) -> int:
        """Submits a job; it counts to the fault."""
        job = self._metered.slurm.submit(
            f"sleep {seconds}", gpus_per_node=gpus, extra=[LIMIT, f"--nodelist={self._node.name}"]
        )
        self._seen.jobs.setdefault(fault, []).append(job)
        return job

    def over(self, fault: str, *, gpus: int = 2) -> None:
        """Runs a job to its end, epilog and all."""
        self._metered.wait_over(self.job(fault, gpus=gpus))

    def arrived(self, fault: str) -> None:
        """Waits until what was measured of a fault's jobs is in the store."""
        for job in self._seen.jobs[fault]:
            self._metered.wait_sealed(self._metered.node_runs(job), timeout_seconds=40)

    # ---- NVML ----

    def nvml_absent(self) -> None:
        self._node.remove_driver()
        self.over("nvml absent")
        self.arrived("nvml absent")
        self._node.restore_driver()

    def nvml_hangs(self) -> None:
        """In every call, from before the prolog until a while after the epilog."""
        standin = self._node.standin
        standin.set_latency(None, "any", HANG_US)
        self.over("nvml hangs")
        time.sleep(1)
        standin.set_latency(None, "any", 0)
        self.arrived("nvml hangs")

    def one_gpu_fails(self) -> None:
        self._seen.failing_uuid = self._node.standin.uuid(FAILING_GPU)
        self._node.standin.set_error(FAILING_GPU, "energy", UNKNOWN_ERROR)
        self.over("one gpu fails", gpus=4)
        self.arrived("one gpu fails")
        self._node.standin.set_error(FAILING_GPU, "energy", 0)

    # ---- the spool ----

    def spool_read_only(self) -> None:
        self._node.mount_spool(512)
        self._node.set_spool_read_only(True)
        self.over("spool read-only")
        self._node.set_spool_read_only(False)
        self.arrived("spool read-only")
        self.leave_spool()

    def spool_full(self) -> None:
        self._node.mount_spool(512)
        self._node.fill_spool()
        self.over("spool full")
        self._node.empty_spool()
        self.arrived("spool full")
        self.leave_spool()

    def leave_spool(self) -> None:
        """Takes the spool's file system away when no agent holds it any more."""
        wait_until(lambda: not self._node.agent_pids(), 20, lambda: f"the agent of {self._node.name} stays")
        self._node.unmount_spool()

    def spool_removed(self) -> None:
        """Under a run, with all that was in it."""
        job = self.job("spool removed")
        self._metered.slurm.wait_started(job)
        time.sleep(0.5)
        self._node.remove_spool()
        self._metered.wait_over(job)
        self.arrived("spool removed")

    # ---- the agent and the store ----

    def python_missing(self) -> None:
        self._node.remove_agent()
        self.over("python missing")
        assert self._node.agent_pids() == []
        self._node.restore_agent()
        self.over("python is back")  # its prolog starts an agent, which finds the events of both
        self.arrived("python missing")
        self.arrived("python is back")

    def store_hangs(self) -> None:
        """The publishing process stops within a call, while another run begins and ends."""
        first = self.job("store hangs")
        publisher = self._node.stop_publisher()
        self._metered.wait_over(first)
        self.over("store hung")
        os.kill(publisher, signal.SIGCONT)
        self.arrived("store hangs")
        self.arrived("store hung")


def play(metered: MeteredCluster) -> Faulty:
    """Every fault, on three nodes at a time; then the store is away for all of them."""
    seen = Faulty()
    n1, n2, n3 = (FaultyNode(metered, node, seen) for node in metered.nodes.values())
    tracks: list[list[Callable[[], None]]] = [
        [n1.nvml_absent, n1.spool_read_only, n1.store_hangs],
        [n2.nvml_hangs, n2.spool_full, n2.python_missing],
        [n3.one_gpu_fails, n3.spool_removed],
    ]
    with ThreadPoolExecutor(len(tracks)) as pool:
        for done in [pool.submit(_in_turn, track) for track in tracks]:
            done.result()
    take_store_away(metered, (n1, n2, n3))
    metered.slurm.wait_idle()
    return seen


def take_store_away(metered: MeteredCluster, nodes: tuple[FaultyNode, ...]) -> None:
    """As when a mount is lost. What was measured meanwhile is published by the timer when it is back."""
    away = metered.inbox.rename(metered.store / "away")
    jobs = [node.job("store away", seconds=1) for node in nodes]
    metered.wait_over(*jobs)
    for node in metered.nodes.values():
        wait_until(node.has_outgoing, 20, metered.complaints)
        tried = node.agent("publish")
        assert tried.returncode != 0 and "Traceback" not in tried.stderr, tried
    assert not metered.inbox.exists(), "what is written under a missing mount is on the wrong disk"
    away.rename(metered.inbox)
    for node in metered.nodes.values():
        node.agent("publish")
    nodes[0].arrived("store away")


def _in_turn(steps: list[Callable[[], None]]) -> None:
    for step in steps:
        step()
