"""From the node's outbox to the store's inbox, as the service user: copied under a temporary name,
renamed, and only then removed here. Done twice, it changes nothing.

A process of its own, that nobody waits for: a store that hangs keeps it, and nothing else.
`python -m sam_cluster.agent.publish SPOOL STORE`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .spool import SHARD_SUFFIX, Spool

LOCK = ".lock"


def publish(spool: Spool, store: str, step: Callable[[str], None] = lambda name: None) -> int:
    """Move what is sealed to the store; how many shards were moved.

    `step` is called with the name of each step before it is taken. Where another process is at it,
    nothing is done: it looks again before it ends. Raises OSError where something could not be moved:
    STORE/inbox is made with the store and never here, for under a missing mount the shards would stay
    on the node's own disk.
    """
    moved = 0
    failed: dict[tuple[str, str], OSError] = {}
    while [shard for shard in spool.waiting() if shard not in failed]:
        with _locked(spool.outbox) as mine:
            if not mine:
                return moved
            inbox = os.path.join(store, "inbox")
            os.stat(inbox)
            for node, name in spool.waiting():
                directory = os.path.join(inbox, node)
                try:
                    os.makedirs(directory, mode=0o750, exist_ok=True)
                    _move(os.path.join(spool.outbox, node, name), directory, name, step)
                    moved += 1
                except OSError as error:  # one that cannot be moved keeps none of the others
                    failed[node, name] = error
    if failed:
        raise next(iter(failed.values()))
    return moved


def _move(source: str, directory: str, name: str, step: Callable[[str], None]) -> None:
    with open(source, "rb") as file:
        content = file.read()
    step("copy")
    temporary = os.path.join(directory, f".{name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o640), "wb") as copy:
        copy.write(content)
        copy.flush()
        os.fsync(copy.fileno())
    step("rename")
    os.rename(temporary, os.path.join(directory, _free_name(directory, name, content)))
    _sync(directory)
    step("remove")
    os.unlink(source)
    step("done")


def _free_name(directory: str, name: str, content: bytes) -> str:
    """The name, unless other bytes lie there under it: then one that carries the digest."""
    try:
        with open(os.path.join(directory, name), "rb") as file:
            if file.read() == content:
                return name
    except FileNotFoundError:
        return name
    return f"{name.removesuffix(SHARD_SUFFIX)}.{hashlib.sha256(content).hexdigest()[:16]}{SHARD_SUFFIX}"


def _sync(path: str) -> None:
    """A rename in a directory is safe from a loss of power, too. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(outbox: str) -> Iterator[bool]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(os.path.join(outbox, LOCK), flags, 0o600), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def main(arguments: list[str]) -> int:
    """Publish; 1 where the store is not there now."""
    spool, store = arguments
    try:
        publish(Spool(spool), store)
    except OSError as error:
        sys.stdout.write(f"not published: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
