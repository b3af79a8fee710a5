"""The table `samples`: the time series of shards by day, a step after the energy is committed.

A reading is there once, whichever shards it came in; of two that differ the smaller values count, so
that the order in which they came does not. Days that are older than the retention are dropped, also of a
shard that comes late. No figure is made from samples, so that none changes. A day is written a node after
the other, and is never in memory as a whole.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.errors import ShardError
from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.lists import Integers, all_of, integers
from sam_cluster.store.rows import day_of, day_start, empty, in_order
from sam_cluster.store.schemas import KEYS, SAMPLES
from sam_cluster.store.shards import SAMPLE_ROWS, sample_rows
from sam_cluster.store.soundness import INT64
from sam_cluster.store.tables import SAMPLES_KEPT_FROM

from . import inbox
from .inbox import InboxFile, Rejected
from .shard_rows import Row
from .spread.waiting import answers

#: What is needed of a shard: its digest, and what its samples are of.
SHARD_COLUMNS = ("shard_digest", "cluster", "run_id", "node")
#: Rows in memory: of few texts each is there once, or a day of a large cluster would not be borne.
ENCODED = pa.schema([
    pa.field(each.name, pa.dictionary(pa.int32(), pa.string())) if each.type == pa.string() else each
    for each in SAMPLES
])  # fmt: skip
#: Numbers, of rows of which there are millions: no longer than they have to be.
Numbers: TypeAlias = npt.NDArray[np.signedinteger[Any]]
MEASURES = ("counter_millijoules", "power_energy_millijoules", "power_milliwatts")


@dataclass(slots=True)
class SampleBatch:
    """The samples of some shards, and the shards whose samples cannot be read, or were not there."""

    rows: pa.Table = field(default_factory=ENCODED.empty_table)
    rejected: list[Rejected] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def read_samples(shards: Sequence[tuple[InboxFile, Row]]) -> SampleBatch:
    """The samples of some shards as rows of the table, those of a node in succession."""
    batch = SampleBatch()
    read: list[tuple[Row, pa.Table]] = []
    by_node = sorted(shards, key=_node_of_shard)
    opened = answers(inbox.begin, _opened, [file for file, _ in by_node])
    for (file, shard), found in zip(by_node, opened, strict=True):
        if isinstance(found, pa.Table):
            read.append((shard, found))
        elif isinstance(found, ShardError):
            reason = f"{found}; its energy is in the tables"
            batch.rejected.append(Rejected(file.path, f"{file.node}.{file.name}", reason))
        elif isinstance(found, FileNotFoundError):
            batch.missing.append(file.path)
        else:
            batch.unread.append(file.path)
    rows = pa.concat_tables([SAMPLE_ROWS.empty_table(), *(its for _, its in read)])
    columns: dict[str, Any] = {name: rows[name] for name in rows.column_names}
    of_shard = pa.array(np.repeat(np.arange(len(read)), np.array([len(its) for _, its in read], np.int64)))
    for name in SHARD_COLUMNS[1:]:
        names = pa.array([shard[name] for shard, _ in read], pa.string())
        columns[name] = names.dictionary_encode().take(of_shard)
    batch.rows = pa.table(columns).select(ENCODED.names).cast(ENCODED).unify_dictionaries().combine_chunks()
    return batch


def _opened(begun: inbox.Begun) -> pa.Table | ShardError | OSError:
    """The samples of a file; or why there are none, as a value, for it is no matter of the others."""
    try:
        return sample_rows(inbox.read(begun), begun.file.location)
    except (ShardError, OSError) as error:
        return error.with_traceback(None)


def together(batches: Iterable[SampleBatch]) -> SampleBatch:
    """Several batches as one, whose texts are in one list."""
    parts = list(batches)
    whole = SampleBatch(
        rows=pa.concat_tables([ENCODED.empty_table(), *(part.rows for part in parts)]).unify_dictionaries()
    )
    for part in parts:
        whole.rejected += part.rejected
        whole.unread += part.unread
        whole.missing += part.missing
    return whole


def fold_samples(
    transaction: Transaction, rows: pa.Table, now_microseconds: int, keep_days: int | None
) -> None:
    """Bring the table up to date with samples, those it holds already included; then drop the days that
    began more than `keep_days` before today (None: none)."""
    _keep_days(transaction, now_microseconds, keep_days)
    kept_from = transaction.properties.get(SAMPLES_KEPT_FROM, 0)
    runs = _runs(_days(rows["at"], kept_from), _numbers_of_nodes(rows))
    for day in np.unique(runs.day[runs.day >= 0]).tolist():
        merge = partial(_merged, fresh=rows, came=runs.of_day(day))
        transaction.merge_day("samples", day_of(day * MICROSECONDS_PER_DAY), merge)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows that follow on one another and are of one node and day: of millions of rows no more than there are
    shards and midnights in them."""

    begin: Integers
    end: Integers
    node: Numbers  # ordered as the nodes are
    day: Numbers

    def of_day(self, day: int) -> _Runs:
        """Those of a day, by node."""
        which = np.flatnonzero(self.day == day)
        which = which[np.argsort(self.node[which], kind="stable")]
        return _Runs(self.begin[which], self.end[which], self.node[which], self.day[which])

    def by_node(self, rows: pa.Table) -> Iterator[pa.Table]:
        """The rows of each node without a copy, where the runs are in the order of their nodes."""
        edges = [0, *_borders(self.node).tolist(), len(self.node)]
        for first, last in pairwise(edges):
            spans = zip(self.begin[first:last].tolist(), self.end[first:last].tolist(), strict=True)
            yield pa.concat_tables([rows.slice(begin, end - begin) for begin, end in spans])


def _runs(days: Numbers, nodes: Numbers) -> _Runs:
    edges = np.flatnonzero((days[1:] != days[:-1]) | (nodes[1:] != nodes[:-1])) + 1
    begin, end = np.append(0, edges)[: len(days)], np.append(edges, len(days))[: len(days)]
    return _Runs(begin, end, nodes[begin], days[begin])


def _merged(stored: Iterator[pa.Table], *, fresh: pa.Table, came: _Runs) -> Iterator[pa.Table]:
    """What is stored of a day and what came to it, a node after the other."""
    parts = ((_node(rows), rows) for rows in came.by_node(fresh))
    both = heapq.merge(_by_node(stored), parts, key=itemgetter(0))
    for _, some in groupby(both, itemgetter(0)):
        yield _once(pa.concat_tables([rows for _, rows in some]))


def _node_of_shard(shard: tuple[InboxFile, Row]) -> tuple[str, str]:
    return shard[1]["cluster"], shard[1]["node"]


def _by_node(stored: Iterator[pa.Table]) -> Iterator[tuple[tuple[str, str], pa.Table]]:
    """Parts of rows that are in order as parts of one node each, some in succession of the same."""
    for part in stored:
        rows = part.cast(ENCODED).unify_dictionaries()
        begin = 0
        for end in [*_borders(_numbers_of_nodes(rows)).tolist(), len(rows)]:
            some = rows.slice(begin, end - begin)
            yield _node(some), some
            begin = end


def _node(rows: pa.Table) -> tuple[str, str]:
    """The cluster and the node of rows of one node."""
    return rows["cluster"][0].as_py(), rows["node"][0].as_py()


def _days(at: pa.ChunkedArray, kept_from: int) -> Numbers:
    """The day of each instant, counted from 1970; -1 of those that are not kept."""
    days = [np.zeros(0, np.int32)]
    for chunk in at.chunks:  # there are millions: as few long numbers as can be
        instants = integers(chunk.cast(pa.int64()))
        days.append(np.where(instants >= kept_from, instants // MICROSECONDS_PER_DAY, -1).astype(np.int32))
    return np.concatenate(days)


def _numbers_of_nodes(rows: pa.Table) -> Numbers:
    """Of each row's node a number, ordered as clusters and their nodes are."""
    clusters, nodes = _numbers(rows["cluster"]), _numbers(rows["node"])
    if not clusters.any():
        return nodes
    of_all: Numbers = clusters.astype(np.int64) * (int(nodes.max(initial=0)) + 1) + nodes
    return of_all


def _borders(numbers: Numbers) -> Integers:
    """Where another number begins."""
    return np.flatnonzero(np.diff(numbers)) + 1


def _once(some: pa.Table) -> pa.Table:
    """The rows in order, each once, as rows of the table."""
    rows = some.unify_dictionaries().combine_chunks()
    keys = [_numbers(rows[name]) for name in KEYS["samples"]]
    order = np.lexsort(keys[::-1])
    ordered = [key[order] for key in keys]
    if not all_of([key[1:] == key[:-1] for key in ordered]).any():
        return rows.take(pa.array(order)).cast(SAMPLES)
    grouped = (
        rows.cast(SAMPLES).group_by(list(KEYS["samples"])).aggregate([(name, "min") for name in MEASURES])
    )
    named = grouped.rename_columns([name.removesuffix("_min") for name in grouped.column_names])
    return in_order("samples", named.select(SAMPLES.names).cast(SAMPLES))


def _numbers(column: pa.ChunkedArray) -> Numbers:
    """Numbers that are ordered as the values are, those that are not known last."""
    if not pa.types.is_dictionary(column.type):
        plain = column.combine_chunks().cast(pa.int64())
        return integers(plain, unknown=INT64)
    words = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string())
    ranks = pc.rank(words, tiebreaker="dense").to_numpy().astype(np.int32) - 1
    indices = [integers(chunk.indices, unknown=-1) for chunk in column.chunks]
    rank_or_none = np.append(ranks, np.int32(len(words)))
    numbers: Numbers = rank_or_none[np.concatenate([np.zeros(0, np.int32), *indices])]
    return numbers


def _keep_days(transaction: Transaction, now_microseconds: int, days: int | None) -> None:
    """Drop what is older, and note from when on samples are kept: what is gone does not come back with a
    longer retention, and a late shard is not to bring a part of a day that was dropped."""
    if days is None:
        return
    first = day_start(day_of(max(now_microseconds - days * MICROSECONDS_PER_DAY, 0)))
    kept_from = max(first, transaction.properties.get(SAMPLES_KEPT_FROM, 0))
    for day in list(transaction.days("samples", before=day_of(kept_from))):
        transaction.replace_day("samples", day, empty("samples"))
    transaction.properties[SAMPLES_KEPT_FROM] = kept_from
