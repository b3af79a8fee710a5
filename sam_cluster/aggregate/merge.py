"""New shards against what the tables hold: which are new, which are known, which of two that claim the
same is believed.

Of one run, node, start and part one shard counts. Of two the one of larger coverage: the longer span
between its boundaries, then the more boundaries, then the smaller digest. That choice is the same in
whatever order they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Flag
from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import day_of, empty, from_rows, joined, once, only, to_rows
from sam_cluster.store.schemas import KEYS

from .shard_rows import Row
from .touched import read_touching, stretches


@dataclass(slots=True)
class Merge:
    """What changes in `shards` and `readings`."""

    shards_removed: pa.Table = field(default_factory=lambda: empty("shards"))
    shards_added: pa.Table = field(default_factory=lambda: empty("shards"))
    readings_removed: pa.Table = field(default_factory=lambda: empty("readings"))
    readings_added: pa.Table = field(default_factory=lambda: empty("readings"))
    new: set[str] = field(default_factory=set)  # digests that the tables take in
    known: set[str] = field(default_factory=set)  # digests that they held
    beaten: dict[str, str] = field(default_factory=dict)  # digests not believed, and by whom they were beaten
    superseded: list[Row] = field(default_factory=list)  # rows of shards that they held and give up

    def apply(self, transaction: Transaction) -> None:
        """Make the changes."""
        transaction.exchange("shards", removed=self.shards_removed, added=self.shards_added)
        transaction.exchange("readings", removed=self.readings_removed, added=self.readings_added)


def merge(transaction: Transaction, shards: pa.Table, readings: pa.Table) -> Merge:
    """What the tables become with these shards; nothing is written."""
    result = Merge()
    # Most are claimed by nobody else. The others are looked at one by one.
    keys = joined(shards, KEYS["shards"])
    held = _held(transaction, shards, keys)
    times = keys.value_counts()
    several = times.field("values").filter(pc.greater(times.field("counts"), 1))
    is_claimed = pc.is_in(keys, pa.array([*several.to_pylist(), *held], pa.string()))
    claims: dict[str, dict[str, Row]] = {}
    for key, row in zip(keys.filter(is_claimed).to_pylist(), to_rows(shards.filter(is_claimed)), strict=True):
        claims.setdefault(key, {})[row["shard_digest"]] = row
    added: list[Row] = []
    removed: list[Row] = []
    for key, rows in sorted(claims.items()):
        stored = held.get(key)
        if stored and stored["shard_digest"] in rows:
            result.known.add(stored["shard_digest"])
        candidates = {**rows, **({stored["shard_digest"]: stored} if stored else {})}
        if len(candidates) > 1:
            believed = _settle(transaction, candidates, stored, readings, result)
            if believed != stored:
                added.append(believed)
                removed += [stored] if stored else []
        elif not stored:
            added.extend(candidates.values())
            result.new.update(candidates)
    unclaimed = only(shards, pc.invert(is_claimed))
    result.new.update(unclaimed["shard_digest"].to_pylist())
    result.shards_added = pa.concat_tables([unclaimed, from_rows("shards", added)])
    result.shards_removed = from_rows("shards", removed)
    came = len(pc.unique(shards["shard_digest"]))
    result.readings_added = readings
    if len(result.new) < came:
        kept = pc.is_in(readings["shard_digest"], pa.array(result.new, pa.string()))
        result.readings_added = readings.filter(kept)
    if came < len(shards):
        # One came twice, and so did its boundaries.
        result.readings_added = once("readings", result.readings_added)
    return result


def _settle(
    transaction: Transaction,
    candidates: dict[str, Row],
    stored: Row | None,
    readings: pa.Table,
    result: Merge,
) -> Row:
    """The one of several shards that claim the same that is believed."""
    stored_readings = _readings_of(transaction, stored) if stored else empty("readings")
    digests = pa.array(list(candidates), pa.string())
    every = pa.concat_tables([readings.filter(pc.is_in(readings["shard_digest"], digests)), stored_readings])
    winner = min(candidates, key=lambda digest: _rank(digest, every))
    believed = {**candidates[winner], "flags": sorted({*candidates[winner]["flags"], Flag.CONFLICT})}
    result.beaten.update({digest: winner for digest in candidates if digest != winner})
    if not stored or winner != stored["shard_digest"]:
        result.new.add(winner)
        if stored:
            result.superseded.append(stored)
            result.readings_removed = pa.concat_tables([result.readings_removed, stored_readings])
    return believed


def _rank(digest: str, readings: pa.Table) -> tuple[int, int, str]:
    """Least for the shard of the largest coverage."""
    uptimes = readings.filter(pc.equal(readings["shard_digest"], digest))["uptime_microseconds"]
    ends = pc.min_max(uptimes).as_py()
    span = ends["max"] - ends["min"] if len(uptimes) else 0
    return -span, -len(pc.unique(uptimes)), digest


def _held(transaction: Transaction, shards: pa.Table, keys: pa.ChunkedArray) -> dict[str, Row]:
    """The rows that the tables hold of these keys: of runs that began on the same days. Not by their numbers,
    for each day has shards of job 0."""
    started = shards["started_at"].cast(pa.int64())
    days = pc.unique(pc.divide(started, MICROSECONDS_PER_DAY)).to_pylist()
    windows = stretches(day_of(day * MICROSECONDS_PER_DAY) for day in days)
    stored = read_touching(transaction, "shards", windows)
    its_keys = joined(stored, KEYS["shards"])
    is_claimed = pc.is_in(its_keys, keys.combine_chunks())
    return dict(zip(its_keys.filter(is_claimed).to_pylist(), to_rows(stored.filter(is_claimed)), strict=True))


def _readings_of(transaction: Transaction, shard: Row) -> pa.Table:
    """The readings of a shard that the tables hold."""
    rows = transaction.read("readings", raw_job_ids=[shard["raw_job_id"]])
    return rows.filter(pc.equal(rows["shard_digest"], shard["shard_digest"]))
