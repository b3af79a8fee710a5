"""Where everything lies in the store, and back from a path to what it names.

    STORE/inbox/NODE/RUN.PART.parquet
    STORE/submissions/
    STORE/tables/commits/00000042.json
    STORE/tables/TABLE/day=2026-11-22/DIGEST.parquet       (TABLE/DIGEST.parquet without days)
    STORE/quarantine/
    STORE/writer.lock

Tables in a bucket lie there by the same names below tables/. Nothing here touches a disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_cluster.core.config import Config

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SHARD_NAME = re.compile(r"(?P<run>[A-Za-z0-9.]+)-(?P<start>\d+)\.(?P<part>\d+)(?:\.[0-9a-f]{16})?\.parquet")


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The directories of one store, and the bucket of its tables where they do not lie there."""

    root: Path
    bucket: str | None = None  # s3://bucket/prefix
    single_writer: bool = False  # the bucket's server need not tell two writers apart

    @classmethod
    def of(cls, config: Config) -> StorePaths:
        """The store that a configuration names."""
        return cls(config.store, config.tables, config.single_writer)

    @property
    def tables_at(self) -> str:
        """Where the tables are to be looked for, for who reads a message."""
        return self.bucket or str(self.root)

    @property
    def inbox(self) -> Path:
        """Sealed shards, a directory a node."""
        return self.root / "inbox"

    @property
    def submissions(self) -> Path:
        """The drop box for results."""
        return self.root / "submissions"

    @property
    def tables(self) -> Path:
        """Tables and the commits that say which of their files are current, where no bucket has them."""
        return self.root / "tables"

    @property
    def lock(self) -> Path:
        """By which writers wait for each other, where a bucket's server does not tell them apart."""
        return self.root / "writer.lock"

    @property
    def quarantine(self) -> Path:
        """What could not be read, with the reason beside it."""
        return self.root / "quarantine"


def shard_name(run_id: str, started_at_microseconds: int, part: int, digest: str | None = None) -> str:
    """The file name of a shard: run, start in whole seconds (a job id may come again), part.

    With a digest it is the name of a second shard that claims the same.
    """
    tail = f".{digest[:16]}" if digest else ""
    return f"{run_id}-{started_at_microseconds // 1_000_000}.{part}{tail}.parquet"


def parse_shard_name(name: str) -> tuple[str, int, int] | None:
    """Run, start in seconds, and part; None where it is not the name of a shard."""
    if not (match := SHARD_NAME.fullmatch(name)):
        return None
    return match["run"], int(match["start"]), int(match["part"])


def second_of_shard(name: str) -> int | None:
    """Only the start that `parse_shard_name` gives: of very many names."""
    match = SHARD_NAME.fullmatch(name)
    return int(match["start"]) if match else None


def is_safe_name(name: str) -> bool:
    """Whether a node's or cluster's name may be a part of a path."""
    return SAFE_NAME.fullmatch(name) is not None
