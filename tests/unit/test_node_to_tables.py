"""From what happens on a node to the tables, through the real agent, shards and aggregate: no joule twice,
none lost."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from sam_cluster.agent.seal import write_file
from sam_cluster.aggregate.flow import aggregate
from sam_cluster.core.config import Config
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths, shard_name
from tests.aggregating import SYNCHRONOUS, rows
from tests.strategies import DAY

from .histories import LIMIT_MILLIWATTS, HistoryNode
from .simulated_node import SECOND
from .test_node_histories import OPERATIONS, pass_through


def _increase_of_counters(node: HistoryNode) -> int:
    """Of each segment of each GPU's counter, what it grew by from the first boundary to the last."""
    values: dict[tuple[str, str], list[int]] = {}
    for shard in node.sealed:
        for boundary in shard.boundaries:
            assert boundary.energy_millijoules is not None
            values.setdefault((boundary.gpu_uuid, boundary.segment), []).append(boundary.energy_millijoules)
    return sum(max(each) - min(each) for each in values.values())


def _check_power(hour: dict[str, Any], node: HistoryNode) -> None:
    """No GPU gives energy back, or draws more than its limit, but for what its boundaries may be off by and
    what was bridged."""
    if hour["energy_millijoules"] is None:
        return
    off = max(b.uncertainty_millijoules for shard in node.sealed for b in shard.boundaries)
    most = LIMIT_MILLIWATTS * hour["held_microseconds"] // SECOND + hour["bridged_millijoules"] + 2 * off + 1
    assert 0 <= hour["energy_millijoules"] <= hour["device_energy_millijoules"] <= most


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_runs_jobs_and_gaps_add_up_to_the_counters_whatever_happened_on_the_node(
    operations: list[tuple[object, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = HistoryNode(Path(directory) / "node")
        pass_through(node, operations)
        paths = StorePaths(Path(directory) / "store")
        prepare(paths)
        (paths.inbox / "n1").mkdir()
        for shard in node.sealed:
            name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
            write_file(shard, str(paths.inbox / "n1" / name))
        now = node.clock.now_microseconds() + DAY
        done = aggregate(paths, Config(), accounting=None, now_microseconds=now, executor=SYNCHRONOUS)
        assert not done.problems
        total = {
            table: sum(row["energy_millijoules"] or 0 for row in rows(paths, table))
            for table in ("usage", "runs", "jobs", "gaps")
        }
        assert total["usage"] == total["runs"] == total["jobs"]
        bridged = sum(row["bridged_millijoules"] or 0 for row in rows(paths, "usage"))
        assert total["usage"] - bridged + total["gaps"] == _increase_of_counters(node)
        assert len(rows(paths, "runs")) == len(node.runs)
        for hour in rows(paths, "usage"):
            _check_power(hour, node)
