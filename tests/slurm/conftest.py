"""One real Slurm for all tests of this directory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.bench.slurm import SlurmCluster, available


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """Three nodes of four GPUs, with shards. Tests put their own hooks in force with `set_hooks`."""
    reason = available()
    if reason is not None and "CI" in os.environ:
        pytest.fail(f"the Slurm tests must run in CI: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster(gres=("gpu", "shard")) as cluster:
        yield cluster
