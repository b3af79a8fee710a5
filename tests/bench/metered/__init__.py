"""A metered cluster: the bench's Slurm, the project's hooks, a stand-in NVML a node, and one store."""

from tests.bench.metered.cluster import MeteredCluster, reason_not_to_meter
from tests.bench.metered.figures import Figure
from tests.bench.metered.hooks import HookRecord
from tests.bench.metered.node import MeteredNode
from tests.bench.metered.runs import NodeRun

__all__ = ["Figure", "HookRecord", "MeteredCluster", "MeteredNode", "NodeRun", "reason_not_to_meter"]
