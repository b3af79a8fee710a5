"""The node's own directories, and who may write to them.

    SPOOL/               0711 root
    SPOOL/journal/       0700 root: journals of open runs, what is known of GPUs, status.json
    SPOOL/outbox/NODE/   0700 service user: sealed shards on their way to the store
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from sam_cluster.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Account:
    """The user that shards are sealed and published as. Nothing is switched where `switch` is False."""

    uid: int
    gid: int
    switch: bool


def service_account(name: str) -> Account:
    """The service user. An agent that is not root, on a workstation, stays who it is.

    Raises ConfigError where root is told to publish as a user that does not exist, or as root: a
    store on NFS would not let it, and it must not be asked to.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(
            f"no user named {name!r} to publish as: create it (useradd --system {name}), or name another "
            "as publish_as in [agent]"
        ) from None
    if entry.pw_uid == 0:
        raise ConfigError("publish_as in [agent] must not be root: name a user of its own")
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


@dataclass(frozen=True, slots=True)
class Spool:
    """The directories below one spool."""

    path: str

    @property
    def journal(self) -> str:
        """Journals, the agent's own."""
        return os.path.join(self.path, "journal")

    @property
    def outbox(self) -> str:
        """Sealed shards, the service user's."""
        return os.path.join(self.path, "outbox")

    def prepare_outbox(self, account: Account, node: str) -> str:
        """Make the outbox of a node and give it to the service user. Raises OSError."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        if account.switch:
            os.chmod(self.path, 0o711)  # the service user goes through it, and cannot list it
        for path in (self.outbox, os.path.join(self.outbox, node)):
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            if account.switch:
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
        return os.path.join(self.outbox, node)
