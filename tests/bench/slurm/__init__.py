"""A whole Slurm on one machine, for tests: three nodes of four pretended GPUs, with accounting."""

from tests.bench.slurm.cluster import SlurmCluster
from tests.bench.slurm.processes import BenchError
from tests.bench.slurm.requirements import available

__all__ = ["BenchError", "SlurmCluster", "available"]
