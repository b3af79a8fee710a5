"""What `sshare -P` prints, read into each account's part of the cluster.

    lab|root|||0.000000
    lab| vision||40|0.400000            one blank more a level; a row with a user is a user's in that account
    lab|  vision|ada|1|0.500000
    lab| nlp||parent|0.000000           "parent": it has no shares of its own

A level's shares are divided among all that stand in it: an account's sub-accounts, and beside them the
account's own users. So an account's part of the whole cluster is the product of its parts of each level
down from the root, and what its sub-accounts do not have of it is its users'. Directly below the root
accounts alone count, for the user there is Slurm's own.

Without fair-share (PriorityType=priority/basic) Slurm 22.05 prints the same tree with raw shares that nobody
granted; what tells it is that the column NormShares is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sam_cluster.core.errors import AccountingUnavailable

COLUMNS = ("Cluster", "Account", "User", "RawShares", "NormShares")

ROOT = "root"
_PARENTS = "parent"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountShare:
    """What an account was granted. Shares are fractions; None where it has none of its own.

    `level_share` is of the accounts and users beside it, `cluster_share` of the whole cluster with all
    below it, `own_share` what of that is not its sub-accounts'.
    """

    cluster: str
    account: str
    parent: str
    raw_shares: int | None
    level_share: float | None
    cluster_share: float | None
    own_share: float | None


@dataclass(slots=True)
class _Row:
    cluster: str
    account: str
    user: str
    depth: int
    raw_shares: int | None
    is_in_use: bool  # whether Slurm normalised the shares
    parent: str = ""


def parse(printed: bytes) -> list[AccountShare]:
    """The accounts below the root, by name. None at all where fair-share is not in use.

    Raises AccountingUnavailable where a row cannot be read: a tree with a piece missing says nothing.
    """
    rows = [_row(line) for line in printed.decode("utf-8", "replace").split("\n") if line]
    if not any(row.is_in_use for row in rows):
        return []
    above: list[str] = []  # the accounts from the root down to the row before
    for row in rows:
        del above[row.depth :]
        if len(above) < row.depth:
            raise AccountingUnavailable(f"sshare printed {row.account!r} below no account")
        row.parent = above[-1] if above else ""
        if not row.user:
            above.append(row.account)
    by_cluster: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_cluster[row.cluster].append(row)
    return [share for cluster in sorted(by_cluster) for share in _shares(by_cluster[cluster])]


def _row(line: str) -> _Row:
    values = line.split("|")
    if len(values) != len(COLUMNS):
        raise AccountingUnavailable(f"sshare printed a row without {len(COLUMNS)} fields: {line!r}")
    cluster, account, user, raw, norm = (value.strip(" ") for value in values)
    if raw and raw != _PARENTS and not (raw.isascii() and raw.isdigit()):
        raise AccountingUnavailable(f"sshare printed raw shares that are no number: {line!r}")
    depth = len(values[1]) - len(values[1].lstrip(" "))
    return _Row(cluster, account, user, depth, None if raw in ("", _PARENTS) else int(raw), bool(norm))


def _shares(rows: Iterable[_Row]) -> list[AccountShare]:
    rows = [row for row in rows if row.account != ROOT]
    accounts = {row.account: row for row in rows if not row.user}
    level: dict[str, int] = defaultdict(int)  # raw shares of all that stand below an account
    for row in rows:
        head = _head(row, accounts)
        if not (row.user and head == ROOT):  # nor the users of an account that has its parent's shares
            level[head] += row.raw_shares or 0
    parts: dict[str, float | None] = {}
    whole: dict[str, float | None] = {ROOT: 1.0}

    def cluster_share(account: str) -> float | None:
        if account not in whole:
            row = accounts[account]
            head = _head(row, accounts)
            above = cluster_share(head)
            known = row.raw_shares is not None and level[head] > 0
            parts[account] = (row.raw_shares or 0) / level[head] if known else None
            part = parts[account]
            whole[account] = None if part is None or above is None else above * part
        return whole[account]

    for account in accounts:
        cluster_share(account)
    below: dict[str, float] = defaultdict(float)
    for account, row in accounts.items():
        below[_head(row, accounts)] += whole[account] or 0.0
    return [
        AccountShare(
            cluster=row.cluster,
            account=account,
            parent=row.parent,
            raw_shares=row.raw_shares,
            level_share=parts[account],
            cluster_share=(granted := whole[account]),
            own_share=None if granted is None else max(0.0, granted - below[account]),
        )
        for account, row in sorted(accounts.items())
    ]


def _head(row: _Row, accounts: dict[str, _Row]) -> str:
    """The account in whose level a row stands: the nearest above it that has shares of its own."""
    head = row.parent
    while head not in ("", ROOT) and accounts[head].raw_shares is None:
        head = accounts[head].parent
    return head or ROOT
