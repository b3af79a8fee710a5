"""What Slurm grants each account, from `sshare`: it knows today only, so that snapshots are kept."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Protocol

from sam_cluster.core.errors import AccountingUnavailable

from .commands import Runner, failure, run_command, said, undisturbed
from .sshare_text import COLUMNS, AccountShare, parse

ARGUMENTS = ["-a", "-P", "-n", f"--format={','.join(COLUMNS)}"]

#: What sshare says where PriorityType=priority/basic: the cluster has no shares, which is no failure.
WITHOUT_FAIR_SHARE = "supported priority plugin"


class ShareSource(Protocol):
    """Where granted shares are read from."""

    def shares(self) -> list[AccountShare]:
        """The shares of all accounts as they are now; none where the cluster has no fair-share.

        Raises AccountingUnavailable where that cannot be said.
        """


class SshareSource:
    """The shares that sshare shows the calling user."""

    def __init__(self, environment: Mapping[str, str], run: Runner = run_command) -> None:
        """Takes the process's environment."""
        self._environment = undisturbed(environment)
        self._run = run

    def shares(self) -> list[AccountShare]:
        """As ShareSource says."""
        try:
            printed = self._run(["sshare", *ARGUMENTS], self._environment)
        except subprocess.CalledProcessError as error:
            if WITHOUT_FAIR_SHARE in said(error):
                return []
            raise AccountingUnavailable(
                f"{failure(error, 'sshare')}; run `sshare -a` as this user to see why"
            ) from error
        except (OSError, subprocess.SubprocessError) as error:
            raise AccountingUnavailable(f"sshare could not be run: {error}") from error
        return parse(printed)
