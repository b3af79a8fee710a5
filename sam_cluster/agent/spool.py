"""The node's own directories, and who may write to them.

    SPOOL/               0711 root
    SPOOL/journal/       0700 root: journals of open runs, what is known of GPUs, status.json
    SPOOL/outbox/NODE/   0700 service user: sealed shards on their way to the store

NODE is the one that a shard's run was on. The service user goes through SPOOL, and cannot list it.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from sam_cluster.core.errors import ConfigError

SPOOL_MODE = 0o711
SHARD_SUFFIX = ".parquet"


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

    def prepare_outbox(self, account: Account) -> str:
        """Make the outbox and give it to the service user. Raises OSError."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        if account.switch:
            os.chmod(self.path, SPOOL_MODE)
        try:
            os.mkdir(self.outbox, 0o700)
        except FileExistsError:
            pass
        descriptor = os.open(self.outbox, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if account.switch and os.fstat(descriptor).st_uid != account.uid:
                os.fchown(descriptor, account.uid, account.gid)
        finally:
            os.close(descriptor)
        return self.outbox

    def waiting(self) -> list[tuple[str, str]]:
        """What is sealed and still here: node and file name, in order. Raises OSError."""
        found = []
        for entry in os.scandir(self.outbox):
            if entry.is_dir(follow_symlinks=False):
                names = os.listdir(entry.path)
                found += [(entry.name, name) for name in names if is_shard(name)]
        return sorted(found)


def is_shard(name: str) -> bool:
    """Whether a file of an outbox is a whole shard: one under way has a hidden name."""
    return name.endswith(SHARD_SUFFIX) and not name.startswith(".")
