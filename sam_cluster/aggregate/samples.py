"""The table `samples`: the time series of shards by day, a step after the energy is committed.

A reading is there once, whichever shards it came in; of two that differ the smaller values count, so
that the order in which they came does not. Days that are older than the retention are dropped, also of a
shard that comes late. No figure is made from samples, so that none changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.errors import ShardError
from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import by_day, day_of, day_start, empty
from sam_cluster.store.schemas import KEYS, SAMPLES
from sam_cluster.store.shards import read_sample_rows
from sam_cluster.store.tables import SAMPLES_KEPT_FROM

from .inbox import InboxFile, Rejected
from .shard_rows import Row

#: What is needed of a shard: its digest, and what its samples are of.
SHARD_COLUMNS = ("shard_digest", "cluster", "run_id", "node")
MEASURES = ("counter_millijoules", "power_energy_millijoules", "power_milliwatts")


@dataclass(slots=True)
class SampleBatch:
    """The samples of some shards, and the shards whose samples cannot be read, or were not there."""

    rows: pa.Table = field(default_factory=lambda: empty("samples"))
    rejected: list[Rejected] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def read_samples(shards: Sequence[tuple[InboxFile, Row]]) -> SampleBatch:
    """The samples of some shards as rows of the table."""
    batch = SampleBatch()
    parts = [batch.rows]
    for file, shard in shards:
        try:
            rows = read_sample_rows(file.path)
        except FileNotFoundError:
            batch.missing.append(file.path)
            continue
        except OSError:
            batch.unread.append(file.path)
            continue
        except ShardError as error:
            reason = f"{error}; its energy is in the tables"
            batch.rejected.append(Rejected(file.path, f"{file.node}.{file.name}", reason))
            continue
        columns: dict[str, Any] = {name: rows[name] for name in rows.column_names}
        for name in SHARD_COLUMNS[1:]:
            columns[name] = pa.repeat(pa.scalar(shard[name], pa.string()), len(rows))
        parts.append(pa.table({name: columns[name] for name in SAMPLES.names}).cast(SAMPLES))
    batch.rows = pa.concat_tables(parts)
    return batch


def fold_samples(
    transaction: Transaction, batches: Sequence[SampleBatch], now_microseconds: int, keep_days: int | None
) -> None:
    """Bring the table up to date with samples, those it holds already included; then drop the days that
    began more than `keep_days` before today (None: none)."""
    _keep_days(transaction, now_microseconds, keep_days)
    kept_from = transaction.properties.get(SAMPLES_KEPT_FROM, 0)
    rows = pa.concat_tables([empty("samples"), *(batch.rows for batch in batches)])
    rows = rows.filter(pc.greater_equal(rows["at"].cast(pa.int64()), kept_from))
    for day, fresh in by_day("samples", rows).items():
        both = pa.concat_tables([transaction.read_day("samples", day), fresh])
        grouped = both.group_by(list(KEYS["samples"])).aggregate([(name, "min") for name in MEASURES])
        named = grouped.rename_columns([name.removesuffix("_min") for name in grouped.column_names])
        transaction.replace_day("samples", day, named)


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
