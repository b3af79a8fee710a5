"""From complete journals to shards: a short-lived child of the agent, as the service user.

It is the only place on a node where pyarrow is loaded. The journals come as open descriptors, for
this user may not open them: `python -m sam_cluster.agent.seal OUTBOX DESCRIPTOR:NAME…`. For each
it prints `sealed NAME`, or `broken NAME REASON` where the journal holds no run.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from io import BytesIO

from sam_cluster.agent.journal import decode
from sam_cluster.agent.records import shard_from_records
from sam_cluster.core.model import Shard
from sam_cluster.store import shards
from sam_cluster.store.paths import is_safe_name

Step = Callable[[str], None]


def seal(descriptor: int, name: str, outbox: str, step: Step = lambda name: None) -> None:
    """Write the shard of one journal to OUTBOX/NODE. `step` is called with the name of each step before it
    is taken.

    Raises ArithmeticError, AttributeError, LookupError, TypeError or ValueError where the journal holds no
    complete run, OSError where the outbox cannot be written.
    """
    step("read")
    with open(descriptor, "rb") as file:
        shard = shard_from_records(decode(file))
    if not is_safe_name(shard.node):
        raise ValueError(f"{shard.node!r} is no name of a node")
    directory = os.path.join(outbox, shard.node)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)  # the child of an agent that was killed may be at the same one
        write_file(shard, os.path.join(directory, f"{name}.parquet"), step)
        os.fsync(held)
    finally:
        os.close(held)
    step("done")


def write_file(shard: Shard, path: str, step: Step = lambda name: None) -> None:
    """A shard as a file that is there whole or not at all: under a temporary name, to the disk, then
    renamed."""
    content = BytesIO()
    shards.write(shard, content)
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    step("write")
    with open(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    step("rename")
    os.rename(temporary, path)


def main(arguments: list[str]) -> int:
    """Seal each; 1 where one could not be written."""
    outbox, *parts = arguments
    failed = 0
    for part in parts:
        descriptor, _, name = part.partition(":")
        try:
            seal(int(descriptor), name, outbox)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            sys.stdout.write(f"broken {name} {type(error).__name__}: {error}\n")
        except OSError as error:
            sys.stdout.write(f"not sealed: {name}: {error}\n")
            failed = 1
        else:
            sys.stdout.write(f"sealed {name}\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
