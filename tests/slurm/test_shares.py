"""Granted shares as a real Slurm has them: sshare's own output, read into parts of the cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sam_cluster.accounting.sshare import SshareSource
from tests.bench.slurm import SlurmCluster, available

SHARES = {"vision": 60, "nlp": 30, "bio": 10}
ADD = ("sacctmgr", "--immediate", "--quiet")


@pytest.fixture
def fair_share() -> Iterator[SlurmCluster]:
    """A Slurm of its own with fair-share; `bio` has an account below it, beside its own user carol."""
    if (reason := available()) is not None:
        (pytest.fail if "CI" in os.environ else pytest.skip)(reason)
    with SlurmCluster(extra_conf="PriorityType=priority/multifactor") as bench:
        for account, shares in SHARES.items():
            bench.run(*ADD, "modify", "account", account, "set", f"fairshare={shares}")
        bench.run(*ADD, "add", "account", "proteins", "parent=bio", "fairshare=3")
        bench.run(*ADD, "add", "account", "lazy", "fairshare=parent")
        yield bench


def test_shares_of_a_tree_of_accounts_are_parts_of_the_cluster(fair_share: SlurmCluster) -> None:
    shares = {share.account: share for share in SshareSource(fair_share.environment).shares()}
    assert {name: share.cluster_share for name, share in shares.items()} == {
        "vision": pytest.approx(0.6), "nlp": pytest.approx(0.3), "bio": pytest.approx(0.1),
        "proteins": pytest.approx(0.1 * 3 / 4), "lazy": None,
    }  # fmt: skip
    assert (shares["bio"].own_share, shares["proteins"].parent) == (pytest.approx(0.1 / 4), "bio")
    assert {share.cluster for share in shares.values()} == {"bench"}
