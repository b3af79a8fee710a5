"""Agents and their children are killed while jobs run: no joule is lost, none is counted twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from sam_cluster.core.model import Shard
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.bench.metered import Figure, MeteredCluster, MeteredNode, NodeRun
from tests.bench.metered.figures import energy_millijoules, figure

pytestmark = pytest.mark.timeout(300)

LIMIT = "--time=10"
SEED = 20_261_122
CHILDREN = ("seal", "publish")
UNREAD_US = 1_000_000
"""An event that came so shortly before a kill may not have been read."""


@dataclass
class Killer:
    """Kills an agent, or a child of one, now and then; knows from when to when nobody metered a node."""

    nodes: list[MeteredNode]
    kills: list[tuple[MeteredNode, int]] = field(default_factory=list)
    children: int = 0
    births: dict[str, set[int]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Killer:
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        chance, next_kill = random.Random(SEED), time.monotonic() + 1
        while not self._over.wait(0.05):
            self.look()
            if time.monotonic() >= next_kill:
                self._kill(chance)
                next_kill = time.monotonic() + chance.uniform(0.2, 1.2)

    def look(self) -> None:
        """Notes which agents there are."""
        for node in self.nodes:
            born = {node.agent_born_us(pid) for pid in node.agent_pids()}
            self.births.setdefault(node.name, set()).update(at for at in born if at is not None)

    def _kill(self, chance: random.Random) -> None:
        agents = [(node, pid) for node in self.nodes for pid in node.agent_pids()]
        children = [pid for node in self.nodes for name in CHILDREN for pid in node.child_pids(name)]
        with suppress(ProcessLookupError):
            if children and chance.random() < 0.5:
                os.kill(chance.choice(children), signal.SIGKILL)
                self.children += 1
            elif agents:
                node, pid = chance.choice(agents)
                os.kill(pid, signal.SIGKILL)
                self.kills.append((node, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000))

    def hit(self, run: NodeRun) -> bool:
        """Whether one of a run's boundaries fell into an outage, or may not have been read before it."""
        assert run.epilog is not None
        for node, killed_us in self.kills:
            if node is run.node:
                born_us = min((at for at in self.births[node.name] if at > killed_us), default=1 << 62)
                for at_us in (run.prolog.began_us, run.epilog.began_us):
                    if killed_us - UNREAD_US <= at_us <= born_us:
                        return True
        return False


@dataclass
class Survived:
    """What was done to the agents, and what they told all the same."""

    metered: MeteredCluster
    killer: Killer
    node_runs: list[NodeRun]
    shards: dict[tuple[int, int, str], list[Shard]]

    def figures(self, *, hit: bool) -> list[Figure]:
        """Of the runs on one node that were hit by an outage at a boundary, or of the others."""
        return [
            figure(str(run.key), [(run, self.shards[run.key])])
            for run in self.node_runs
            if self.killer.hit(run) is hit
        ]


@pytest.fixture(scope="module")
def survived(metered: MeteredCluster) -> Iterator[Survived]:
    slurm = metered.slurm
    with Killer(list(metered.nodes.values())) as killer:
        shapes = [(1 + index % 3, 1 + index % 2, 2 + index % 4) for index in range(12)]
        jobs = [
            slurm.submit(f"sleep {seconds}", nodes=nodes, gpus_per_node=gpus, extra=[LIMIT])
            for nodes, gpus, seconds in shapes
        ]
        slurm.wait(jobs, timeout_seconds=90)
        slurm.wait_idle()
    # The next job on each node starts an agent again, where none is there to finish.
    slurm.wait(slurm.submit("sleep 1", nodes=3, extra=[LIMIT]))
    killer.look()
    metered.wait_sealed()
    yield Survived(metered, killer, metered.node_runs(), metered.shards())


def test_each_run_is_there_once(survived: Survived) -> None:
    killer = survived.killer
    print(f"{len(killer.kills)} agents and {killer.children} children were killed")
    assert len(killer.kills) >= 5 and killer.children >= 1
    assert survived.shards.keys() == {run.key for run in survived.node_runs}
    assert len(survived.node_runs) == 12 // 3 * (1 + 2 + 3) + 3
    assert {len(shards) for shards in survived.shards.values()} == {1}
    assert all(shard.final for shards in survived.shards.values() for shard in shards)


def test_no_stretch_of_a_gpus_energy_is_in_two_runs(survived: Survived) -> None:
    stretches: dict[str, list[tuple[int, int]]] = {}
    for shards in survived.shards.values():
        for boundary in shards[0].boundaries:
            if boundary.energy_millijoules is not None and boundary.since_energy_millijoules is not None:
                stretch = boundary.since_energy_millijoules, boundary.energy_millijoules
                stretches.setdefault(boundary.gpu_uuid, []).append(stretch)
    for found in stretches.values():
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(sorted(found))), found


def test_a_run_without_a_boundary_in_an_outage_has_its_energy_unchanged(survived: Survived) -> None:
    figures = survived.figures(hit=False)
    worst = max(figures, key=lambda found: abs(found.error_seconds))
    print(f"{len(figures)} runs on a node; the worst: {worst}")
    assert [str(found) for found in figures if not found.is_within_bounds] == []


def test_a_run_with_a_boundary_in_an_outage_is_within_its_stated_uncertainty(survived: Survived) -> None:
    figures = survived.figures(hit=True)
    worst = max(figures, key=lambda found: abs(found.error_seconds))
    print(f"{len(figures)} runs on a node; the worst: {worst}")
    assert [str(found) for found in figures if not found.is_within_uncertainty] == []


def test_the_tables_hold_each_shard_once_and_each_gpu_its_counters_increase(survived: Survived) -> None:
    metered = survived.metered
    jobs = {run.prolog.job_id for run in survived.node_runs}
    metered.slurm.wait_accounted(jobs)
    metered.sam_cluster("aggregate")
    rows = {row["job_id"]: row["energy_millijoules"] for row in metered.jobs("-S", "now-1hour")}
    assert rows == {
        str(job): energy_millijoules(
            shard for key, shards in survived.shards.items() for shard in shards if key[0] == job
        )
        for job in jobs
    }
    snapshot = Tables(StorePaths(metered.store)).snapshot()
    readings, usage, gaps = (snapshot.read(table).to_pylist() for table in ("readings", "usage", "gaps"))
    for node in metered.nodes.values():
        for uuid in (node.uuid(index) for index in range(4)):
            values = [row["energy_millijoules"] for row in readings if row["gpu_uuid"] == uuid]
            held = sum(row["device_energy_millijoules"] for row in usage if row["gpu_uuid"] == uuid)
            between = sum(row["energy_millijoules"] for row in gaps if row["gpu_uuid"] == uuid)
            assert not values or held + between == max(values) - min(values)
