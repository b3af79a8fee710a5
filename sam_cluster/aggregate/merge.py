"""New shards against what the tables hold: which are new, which are known, which of two that claim the
same is believed.

Of one run, node, start and part one shard counts. Of two the one of larger coverage: the longer span
between its boundaries, then the more boundaries, then the smaller digest. That choice is the same in
whatever order they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Flag
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import among, empty, from_rows, once, to_rows

from .fold import Row

Key = tuple[str, str, str, int, int]


@dataclass(slots=True)
class Merge:
    """What changes in `shards` and `readings`."""

    shards_removed: list[Row] = field(default_factory=list)
    shards_added: list[Row] = field(default_factory=list)
    readings_removed: pa.Table = field(default_factory=lambda: empty("readings"))
    readings_added: pa.Table = field(default_factory=lambda: empty("readings"))
    new: set[str] = field(default_factory=set)  # digests that the tables take in
    known: set[str] = field(default_factory=set)  # digests that they held
    beaten: dict[str, str] = field(default_factory=dict)  # digests not believed, and by whom they were beaten
    superseded: list[Row] = field(default_factory=list)  # rows of shards that they held and give up

    @property
    def jobs(self) -> set[tuple[str, int]]:
        """The jobs, by cluster and number, whose shards change."""
        return {(row["cluster"], row["raw_job_id"]) for row in [*self.shards_added, *self.shards_removed]}

    def apply(self, transaction: Transaction) -> None:
        """Make the changes."""
        transaction.exchange(
            "shards",
            removed=from_rows("shards", self.shards_removed),
            added=from_rows("shards", self.shards_added),
        )
        transaction.exchange("readings", removed=self.readings_removed, added=self.readings_added)


def merge(transaction: Transaction, shards: Sequence[Row], readings: pa.Table) -> Merge:
    """What the tables become with these shards; nothing is written."""
    result = Merge()
    claims: dict[Key, dict[str, Row]] = {}
    for row in shards:
        claims.setdefault(_key(row), {})[row["shard_digest"]] = row
    held = _held(transaction, claims)
    for key, rows in sorted(claims.items()):
        stored = held.get(key)
        if stored and stored["shard_digest"] in rows:
            result.known.add(stored["shard_digest"])
        candidates = {**rows, **({stored["shard_digest"]: stored} if stored else {})}
        if len(candidates) > 1:
            _settle(transaction, candidates, stored, readings, result)
        elif not stored:
            result.shards_added.extend(candidates.values())
            result.new.update(candidates)
    kept = among(readings, ["shard_digest"], [[digest] for digest in result.new])
    result.readings_added = readings.filter(kept)
    if len(shards) > len({row["shard_digest"] for row in shards}):
        # One came twice, and so did its boundaries.
        result.readings_added = once("readings", result.readings_added)
    return result


def _settle(
    transaction: Transaction,
    candidates: dict[str, Row],
    stored: Row | None,
    readings: pa.Table,
    result: Merge,
) -> None:
    """Choose one of several shards that claim the same."""
    stored_readings = _readings_of(transaction, stored) if stored else empty("readings")
    digests = pa.array(list(candidates), pa.string())
    every = pa.concat_tables([readings.filter(pc.is_in(readings["shard_digest"], digests)), stored_readings])
    winner = min(candidates, key=lambda digest: _rank(digest, every))
    believed = {**candidates[winner], "flags": sorted({*candidates[winner]["flags"], Flag.CONFLICT})}
    result.beaten.update({digest: winner for digest in candidates if digest != winner})
    if stored and believed == stored:
        return
    if stored:
        result.shards_removed.append(stored)
    result.shards_added.append(believed)
    if not stored or winner != stored["shard_digest"]:
        result.new.add(winner)
        if stored:
            result.superseded.append(stored)
            result.readings_removed = pa.concat_tables([result.readings_removed, stored_readings])


def _rank(digest: str, readings: pa.Table) -> tuple[int, int, str]:
    """Least for the shard of the largest coverage."""
    uptimes = readings.filter(pc.equal(readings["shard_digest"], digest))["uptime_microseconds"]
    ends = pc.min_max(uptimes).as_py()
    span = ends["max"] - ends["min"] if len(uptimes) else 0
    return -span, -len(pc.unique(uptimes)), digest


def _held(transaction: Transaction, claims: dict[Key, dict[str, Row]]) -> dict[Key, Row]:
    """The rows that the tables hold of these keys."""
    ids = {row["raw_job_id"] for rows in claims.values() for row in rows.values()}
    stored = transaction.read("shards", raw_job_ids=ids) if ids else empty("shards")
    stored = stored.filter(among(stored, ["run_id"], {(key[1],) for key in claims}))
    return {key: row for row in to_rows(stored) if (key := _key(row)) in claims}


def _readings_of(transaction: Transaction, shard: Row) -> pa.Table:
    """The readings of a shard that the tables hold."""
    rows = transaction.read("readings", raw_job_ids=[shard["raw_job_id"]])
    return rows.filter(pc.equal(rows["shard_digest"], shard["shard_digest"]))


def _key(row: Row) -> Key:
    return row["cluster"], row["run_id"], row["node"], row["started_at"], row["part"]
