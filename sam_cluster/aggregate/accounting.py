"""What Slurm's accounting says: asked for what is new, kept in the table `accounting`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from sam_cluster.accounting.records import JobRecord
from sam_cluster.accounting.source import AccountingSource
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import alike, count_of, numbers_across, one_of_each
from sam_cluster.store.rows import empty
from sam_cluster.store.schemas import ACCOUNTING

from .job_keys import jobs_of

#: What slurmdbd learns late is asked for again.
ASK_AGAIN_MICROSECONDS = MICROSECONDS_PER_DAY
#: sacct knows whole seconds.
ROUNDING_MICROSECONDS = MICROSECONDS_PER_SECOND

SINCE, UNTIL = "accounting_since_microseconds", "accounting_until_microseconds"

#: What no other row of accounting has: slurmdbd keeps it unique.
KEY = ("cluster", "raw_job_id", "submitted_at")
#: Columns of the table that a record has under another name.
FIELDS = {
    "restart": "restart_count", "submitted_at": "submit", "eligible_at": "eligible", "started_at": "start",
    "ended_at": "end",
}  # fmt: skip


@dataclass(slots=True)
class Asked:
    """An answer: rows of `accounting`, the stretch of time they are of, and what went wrong."""

    rows: pa.Table = field(default_factory=lambda: empty("accounting"))
    since: int | None = None
    until: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> set[tuple[str, int]]:
        """The jobs that were told of, by cluster and number."""
        return set(zip(self.rows["cluster"].to_pylist(), self.rows["raw_job_id"].to_pylist(), strict=True))


def ask(
    source: AccountingSource,
    known: Mapping[str, Any],
    earliest_shard: int | None,
    now_microseconds: int,
) -> Asked:
    """Ask for what the tables' properties say was never asked for, and a day more.

    The first time that is from the earliest shard on; shards from before what was ever asked for extend
    it back. A source that fails is a problem, and no reason to keep energy back.
    """
    since, until = known.get(SINCE), known.get(UNTIL)
    windows = []
    if since is not None:
        windows.append((max(since, (until or since) - ASK_AGAIN_MICROSECONDS), now_microseconds))
    if earliest_shard is not None:
        begin = earliest_shard - ROUNDING_MICROSECONDS
        if since is None or begin < since:
            windows.append((begin, now_microseconds if since is None else since))
            since = begin
    asked = Asked(since=since, until=until)
    try:
        lacks = source.lacks
        records = [record for start, end in windows if start < end for record in source.jobs(start, end)]
        asked.problems += source.problems
    except AccountingUnavailable as error:
        return Asked(since=known.get(SINCE), until=until, problems=[f"accounting: {error}"])
    begun = [record for record in records if record.start is not None or record.end is not None]
    asked.rows = _table(begun, lacks)
    # No further than what was seen: a saved file ends when it was saved.
    seen = [at for record in records for at in (record.submit, record.start, record.end) if at is not None]
    asked.until = max([min(at, now_microseconds) for at in seen] + ([until] if until else []), default=None)
    return asked


def latest(stored: pa.Table, fresh: pa.Table) -> pa.Table:
    """The rows of both, each as accounting said last."""
    rows = pa.concat_tables([stored, fresh])
    (of_row,) = numbers_across(KEY, rows)
    last = one_of_each(np.arange(len(rows)), of_row, count_of(of_row))
    return rows.take(pa.array(np.sort(last)))


def keep(transaction: Transaction, asked: Asked) -> pa.Table:
    """Bring the table up to date with an answer. Returns the jobs of which something new is known."""
    fresh = latest(empty("accounting"), asked.rows)
    ids = set(fresh["raw_job_id"].to_pylist())
    stored = (
        transaction.read("accounting", raw_job_ids=ids, in_any_order=True) if ids else empty("accounting")
    )
    of_stored, of_fresh = numbers_across(KEY, stored, fresh)
    held = one_of_each(np.arange(len(stored)), of_stored, count_of(of_stored, of_fresh))[of_fresh]
    is_held = held >= 0
    before = stored.take(pa.array(held[is_held]))
    is_changed = ~is_held
    is_changed[is_held] = ~alike(before, fresh.filter(pa.array(is_held)))
    changed = fresh.filter(pa.array(is_changed))
    removed = before.filter(pa.array(is_changed[is_held]))
    transaction.exchange("accounting", removed=removed, added=changed)
    for name, value in ((SINCE, asked.since), (UNTIL, asked.until)):
        if value is not None:
            transaction.properties[name] = value
    return jobs_of(changed)


def _table(records: Sequence[JobRecord], lacks: frozenset[str]) -> pa.Table:
    """Records as rows of `accounting`."""
    if not records:
        return empty("accounting")
    values = attrgetter(*(FIELDS.get(name, name) for name in ACCOUNTING.names))
    columns = zip(*map(values, records), strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, ACCOUNTING.types, strict=True)]
    rows = pa.Table.from_arrays(arrays, schema=ACCOUNTING)
    if "restart_count" in lacks:
        # A count that was inferred from the rows of one answer is another in the next answer.
        at = ACCOUNTING.get_field_index("restart")
        rows = rows.set_column(at, ACCOUNTING.field(at), pa.nulls(len(rows), pa.int32()))
    return rows
