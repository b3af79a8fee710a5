"""From complete journals to shards: a short-lived child of the agent, as the service user.

It is the only place on a node where pyarrow is loaded. The journals come as open descriptors, for
this user may not open them: `python -m sam_cluster.agent.seal OUTBOX/NODE DESCRIPTOR:NAME…`. For each
it prints `sealed NAME`, or `broken NAME REASON` where the journal holds no run.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO

from sam_cluster.agent.journal import decode
from sam_cluster.agent.run import shard_from_records
from sam_cluster.core.model import Shard
from sam_cluster.store import shards


def seal(descriptor: int, name: str, outbox: str) -> None:
    """Write one shard: under a temporary name, to the disk, then renamed.

    Raises KeyError, TypeError or ValueError where the journal holds no complete run, OSError where the
    outbox cannot be written.
    """
    with open(descriptor, "rb") as file:
        shard = shard_from_records(decode(file.read()))
    write_file(shard, os.path.join(outbox, f"{name}.parquet"))


def write_file(shard: Shard, path: str) -> None:
    """A shard as a file that is there whole or not at all."""
    content = BytesIO()
    shards.write(shard, content)
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def main(arguments: list[str]) -> int:
    """Seal each; 1 where one could not be written."""
    outbox, *parts = arguments
    failed = 0
    for part in parts:
        descriptor, _, name = part.partition(":")
        try:
            seal(int(descriptor), name, outbox)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            sys.stdout.write(f"broken {name} {type(error).__name__}: {error}\n")
        except OSError as error:
            sys.stderr.write(f"{name}: {error}\n")
            failed = 1
        else:
            sys.stdout.write(f"sealed {name}\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
