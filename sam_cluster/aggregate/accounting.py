"""What Slurm's accounting says: asked for what is new, kept in the table `accounting`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sam_cluster.accounting.records import JobRecord
from sam_cluster.accounting.source import AccountingSource
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import empty, from_rows, to_rows

from .shard_rows import Row

#: What slurmdbd learns late is asked for again.
ASK_AGAIN_MICROSECONDS = MICROSECONDS_PER_DAY
#: sacct knows whole seconds.
ROUNDING_MICROSECONDS = MICROSECONDS_PER_SECOND

SINCE, UNTIL = "accounting_since_microseconds", "accounting_until_microseconds"

Key = tuple[str, int, int | None]


@dataclass(slots=True)
class Asked:
    """An answer: rows of `accounting`, the stretch of time they are of, and what went wrong."""

    rows: list[Row] = field(default_factory=list)
    since: int | None = None
    until: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def by_job(self) -> dict[tuple[str, int], list[Row]]:
        """The rows by cluster and job number."""
        found: dict[tuple[str, int], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row["cluster"], row["raw_job_id"]), []).append(row)
        return found


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
    asked.rows = [_row(record, lacks) for record in begun]
    # No further than what was seen: a saved file ends when it was saved.
    seen = [at for record in records for at in (record.submit, record.start, record.end) if at is not None]
    asked.until = max([min(at, now_microseconds) for at in seen] + ([until] if until else []), default=None)
    return asked


def merged(stored: Iterable[Row], fresh: Iterable[Row]) -> list[Row]:
    """The rows of a job number, each as accounting said last."""
    return list({_key(row): row for row in [*stored, *fresh]}.values())


def keep(transaction: Transaction, asked: Asked) -> set[tuple[str, int]]:
    """Bring the table up to date with an answer. Returns the jobs of which something new is known."""
    ids = {row["raw_job_id"] for row in asked.rows}
    stored = to_rows(transaction.read("accounting", raw_job_ids=ids) if ids else empty("accounting"))
    held = {_key(row): row for row in stored}
    # As the table would give it back, to tell what is new.
    fresh = {_key(row): row for row in to_rows(from_rows("accounting", asked.rows))}
    changed = {key: row for key, row in fresh.items() if held.get(key) != row}
    transaction.exchange(
        "accounting",
        removed=from_rows("accounting", [held[key] for key in changed if key in held]),
        added=from_rows("accounting", changed.values()),
    )
    for name, value in ((SINCE, asked.since), (UNTIL, asked.until)):
        if value is not None:
            transaction.properties[name] = value
    return {(key[0], key[1]) for key in changed}


def _key(row: Row) -> Key:
    return row["cluster"], row["raw_job_id"], row["submitted_at"]


def _row(record: JobRecord, lacks: frozenset[str]) -> Row:
    return {
        "cluster": record.cluster,
        "job_id": record.job_id,
        "raw_job_id": record.raw_job_id,
        "array_job_id": record.array_job_id,
        "array_task_id": record.array_task_id,
        "het_job_id": record.het_job_id,
        "het_offset": record.het_offset,
        "sluid": record.sluid,
        # A count that was inferred from the rows of one answer is another in the next answer.
        "restart": None if "restart_count" in lacks else record.restart_count,
        "job_name": record.job_name,
        "user": record.user,
        "uid": record.uid,
        "account": record.account,
        "partition": record.partition,
        "qos": record.qos,
        "state": record.state,
        "exit_code": record.exit_code,
        "submitted_at": record.submit,
        "eligible_at": record.eligible,
        "started_at": record.start,
        "ended_at": record.end,
        "suspended_seconds": record.suspended_seconds,
        "node_count": record.node_count,
        "nodes": list(record.nodes),
        "gpus": record.gpus,
        "gpu_shards": record.gpu_shards,
        "gpu_mps": record.gpu_mps,
        "alloc_tres": record.alloc_tres,
    }
