"""One real Slurm for all tests of this directory, bare or metered."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.bench.metered import MeteredCluster, reason_not_to_meter
from tests.bench.slurm import SlurmCluster, available


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """Three nodes of four GPUs, with shards. Tests put their own hooks in force with `set_hooks`."""
    _skip_unless_ready(available())
    with SlurmCluster(gres=("gpu", "shard")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def metered(slurm_cluster: SlurmCluster) -> Iterator[MeteredCluster]:
    """The bench with the project's hooks and agents, and a store that is a module's own."""
    _skip_unless_ready(reason_not_to_meter())
    with MeteredCluster(slurm_cluster) as cluster:
        yield cluster


def _skip_unless_ready(reason: str | None) -> None:
    if reason is not None and "CI" in os.environ:
        pytest.fail(f"the Slurm tests must run in CI: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)
