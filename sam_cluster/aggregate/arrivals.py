"""What lies in the inbox: a million shards are columns, and become files where a lot of them is folded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np
import pyarrow as pa

from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from sam_cluster.store.numbers import Numbers
from sam_cluster.store.paths import StorePaths, second_of_shard

from .inbox import InboxFile, Rejected

SECONDS_PER_DAY = MICROSECONDS_PER_DAY // MICROSECONDS_PER_SECOND
#: A name can have more digits than any instant.
LAST_SECOND = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Files that may be shards, in the order of their runs' starts, so that those of neighbouring days are
    folded together; then by node and name."""

    inbox: Path
    nodes: list[str]  # that have a directory there
    started_second: Numbers  # as a file's name has it
    node: Numbers  # its place among them
    name: pa.Array

    def __len__(self) -> int:
        return len(self.name)

    def files(self, begin: int, end: int) -> list[InboxFile]:
        """Those from one place up to another."""
        nodes = [(node, str(self.inbox / node)) for node in self.nodes]
        places, names = self.node[begin:end].tolist(), self.name[begin:end].to_pylist()
        return [
            InboxFile(node, name, directory)
            for (node, directory), name in zip(map(nodes.__getitem__, places), names, strict=True)
        ]

    def lots(self, at_once: int) -> Iterator[list[InboxFile]]:
        """All of them, in lots of whole days that have at most so many, so that few days are written twice; a
        day that has more by itself is several. There is one at least."""
        day = self.started_second // SECONDS_PER_DAY
        edges = [0, *(np.flatnonzero(np.diff(day)) + 1).tolist(), len(self)]
        begin = 0
        for day_begin, day_end in pairwise(edges):
            if day_begin > begin and day_end - begin > at_once:
                yield self.files(begin, day_begin)
                begin = day_begin
            while day_end - begin > at_once:
                yield self.files(begin, begin + at_once)
                begin += at_once
        yield self.files(begin, len(self))


def look(paths: StorePaths) -> tuple[Arrivals, list[Rejected], list[str]]:
    """The shards in the inbox, what cannot be one by its name or kind, and the directories that cannot be
    read. Files that begin with a dot are still being written. Raises OSError where there is no inbox."""
    nodes: list[str] = []
    seconds, places, names = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [pa.array([], pa.string())]
    rejected: list[Rejected] = []
    unread: list[str] = []
    for node in sorted(os.scandir(paths.inbox), key=attrgetter("name")):
        if node.name.startswith("."):
            continue
        if not node.is_dir(follow_symlinks=False):
            reason = "a shard lies in the directory of its node"
            rejected.append(Rejected(Path(node.path), node.name, reason))
            continue
        try:
            # Where the file system does not say what each is, it is looked at here.
            entries = [
                (entry.name, entry.is_file(follow_symlinks=False))
                for entry in sorted(os.scandir(node.path), key=attrgetter("name"))
                if not entry.name.startswith(".")
            ]
        except OSError as error:
            unread.append(f"{node.path}: {error.strerror}")
            continue
        found = {}
        for name, is_file in entries:
            second = second_of_shard(name)
            if is_file and second is not None:
                found[name] = second if second < LAST_SECOND else LAST_SECOND
                continue
            reason = "its name is not RUN-START.PART.parquet" if is_file else "not a regular file"
            rejected.append(Rejected(Path(node.path, name), f"{node.name}.{name}", reason))
        names.append(pa.array(found, pa.string()))
        seconds.append(np.array(list(found.values()), np.int64))
        places.append(np.full(len(found), len(nodes)))
        nodes.append(node.name)
    every_second = np.concatenate(seconds)
    order = np.argsort(every_second, kind="stable")
    name = pa.concat_arrays(names).take(pa.array(order))
    arrivals = Arrivals(paths.inbox, nodes, every_second[order], np.concatenate(places)[order], name)
    return arrivals, sorted(rejected, key=attrgetter("name")), unread
