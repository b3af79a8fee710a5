"""What was granted to each account, in the table `shares`: at most one snapshot a cluster and UTC day."""

from __future__ import annotations

from dataclasses import dataclass, field

from sam_cluster.accounting.sshare import ShareSource
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import day_of, day_start, from_rows, to_rows
from sam_cluster.store.tables import Snapshot

from .shard_rows import Row


@dataclass(slots=True)
class Granted:
    """An answer: rows of `shares`, and what went wrong."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def ask_shares(
    source: ShareSource, snapshot: Snapshot, cluster: str | None, now_microseconds: int
) -> Granted:
    """Ask, where this day's shares are not known yet. A source that fails is a problem, and no reason to
    keep energy back.

    `cluster` is the configured name; without one a snapshot of any cluster counts for the day.
    """
    held = _clusters(to_rows(snapshot.read_day("shares", day_of(now_microseconds), ["cluster"])))
    if held if cluster is None else cluster in held:
        return Granted()
    try:
        shares = source.shares()
    except AccountingUnavailable as error:
        return Granted(problems=[f"shares: {error}"])
    return Granted(rows=[
        {
            "cluster": share.cluster or cluster,
            "account": share.account,
            "parent": share.parent,
            "day": day_start(day_of(now_microseconds)),
            "raw_shares": share.raw_shares,
            "level_share": share.level_share,
            "cluster_share": share.cluster_share,
            "own_share": share.own_share,
            "taken_at": now_microseconds,
        }
        for share in shares
    ])  # fmt: skip


def keep_shares(transaction: Transaction, granted: Granted) -> None:
    """Put an answer into the table, but for clusters of which the day is known: the first one stays."""
    if not granted.rows:
        return
    held = _clusters(to_rows(transaction.read_day("shares", day_of(granted.rows[0]["day"]), ["cluster"])))
    fresh = [row for row in granted.rows if row["cluster"] not in held]
    transaction.exchange("shares", removed=from_rows("shares", []), added=from_rows("shares", fresh))


def _clusters(rows: list[Row]) -> set[str]:
    return {row["cluster"] for row in rows}
