"""Labs and people of the bench."""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Callable

from tests.bench.slurm.conf import CLUSTER
from tests.bench.slurm.processes import BenchError
from tests.bench.slurm.requirements import client_environment

ACCOUNTS = ("vision", "nlp", "bio")
"""Slurm accounts, one a lab."""

MEMBERSHIPS = {"alice": ("vision",), "bob": ("nlp",), "carol": ("bio", "vision")}
"""Unix user to accounts, the default account first."""

SERVICE_USER = "samcluster"
"""Unix user that shards are published and aggregated as; Slurm knows nothing of it."""


def create_unix_users() -> None:
    """Makes the system users that are absent. They stay: another bench may run at the same time."""
    for user in (*MEMBERSHIPS, SERVICE_USER):
        if not _exists(user):
            made = subprocess.run(
                ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent",
                 "--shell=/bin/sh", user),
                capture_output=True,
                text=True,
                env=client_environment(),
            )  # fmt: skip
            if made.returncode != 0 and not _exists(user):
                raise BenchError(f"useradd {user} failed: {made.stderr}")


def register(run: Callable[..., object]) -> None:
    """Tells slurmdbd of the cluster, its accounts and users; `run` runs a Slurm command."""
    add = ("sacctmgr", "--immediate", "--quiet", "add")
    run(*add, "cluster", CLUSTER)
    run(*add, "account", ",".join(ACCOUNTS))
    for user, accounts in MEMBERSHIPS.items():
        run(*add, "user", user, f"account={','.join(accounts)}", f"defaultaccount={accounts[0]}")


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
