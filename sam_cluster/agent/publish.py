"""From the node's outbox to the store's inbox, as the service user: copied under a temporary name,
renamed, and only then removed here. Done twice, it changes nothing.

A process of its own, that nobody waits for: a store that hangs keeps it, and nothing else.
`python -m sam_cluster.agent.publish OUTBOX STORE`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SUFFIX = ".parquet"
LOCK = ".lock"


def publish(outbox: str, store: str, step: Callable[[str], None] = lambda name: None) -> int:
    """Move what is sealed to the store; how many shards were moved.

    `step` is called with the name of each step before it is taken. Nothing is done where another
    process is at it. Raises OSError where the store is not there: STORE/inbox is made with the store
    and never here, for under a missing mount the shards would stay on the node's own disk.
    """
    with _locked(outbox) as mine:
        if not mine:
            return 0
        inbox = os.path.join(store, "inbox")
        os.stat(inbox)
        moved = 0
        for node, name in waiting(outbox):
            directory = os.path.join(inbox, node)
            os.makedirs(directory, mode=0o750, exist_ok=True)
            _move(os.path.join(outbox, node, name), directory, name, step)
            moved += 1
        return moved


def waiting(outbox: str) -> list[tuple[str, str]]:
    """What is sealed and still here: node and file name, in order."""
    found = []
    for entry in os.scandir(outbox):
        if entry.is_dir(follow_symlinks=False):
            names = os.listdir(entry.path)
            found += [(entry.name, name) for name in names if name.endswith(SUFFIX) and name[0] != "."]
    return sorted(found)


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
    return f"{name.removesuffix(SUFFIX)}.{hashlib.sha256(content).hexdigest()[:16]}{SUFFIX}"


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
    outbox, store = arguments
    try:
        publish(outbox, store)
    except OSError as error:
        sys.stderr.write(f"sam-agent: not published: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
