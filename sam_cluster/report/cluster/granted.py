"""What each lab was granted: what the configuration says, else what Slurm's `sshare` said.

The share that was in force when the period ended counts. A lab that changed within it says so.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from ...core.config import Config, Group
from ...core.times import utc_microseconds
from ...core.units import MICROSECONDS_PER_DAY
from ...store.rows import day_of, to_rows
from ..records import TableReader

#: Shares are asked for each day.
RECENT_MICROSECONDS = 7 * MICROSECONDS_PER_DAY


class Source(StrEnum):
    """Where a share is from."""

    CONFIGURATION = "configuration"
    SSHARE = "sshare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A lab's part of the whole cluster (a fraction), and its head count; None where it is not known."""

    share: float | None = None
    source: Source | None = None
    changed: bool = False  # within the period, the share or the head count
    members: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The shares that Slurm had at the end and at the beginning of a period, by lab, and of which day the
    later ones are; empty and None where no snapshot was taken by then."""

    day: date | None = None
    at_end: dict[str, float]
    at_begin: dict[str, float]


def granted_to(
    labs: Iterable[str], config: Config, snapshot: Snapshot, days: Sequence[date]
) -> dict[str, Granted]:
    """What each lab was granted as of the last of a period's days."""
    found = {}
    for lab in labs:
        first, last = config.group_as_of(lab, days[0]), config.group_as_of(lab, days[-1])
        configured = last.share if last else None
        at_end = snapshot.at_end.get(lab)
        changed = (
            _said(first) != _said(last) if configured is not None else at_end != snapshot.at_begin.get(lab)
        )
        share = at_end if configured is None else configured
        found[lab] = Granted(
            share=share,
            source=None if share is None else Source.SSHARE if configured is None else Source.CONFIGURATION,
            changed=changed,
            members=last.members if last else None,
        )
    return found


def _said(group: Group | None) -> tuple[float | None, int | None]:
    return (group.share, group.members) if group else (None, None)


def _snapshots(tables: TableReader, start: int, end: int) -> list[dict[str, Any]]:
    """The rows of a period's snapshots, with the one before them: as a rule it is of the day before, and
    else it is looked for however long ago that was."""
    rows: list[dict[str, Any]] = []
    for since in (start - RECENT_MICROSECONDS, None):
        found = to_rows(tables.read("shares", start_microseconds=since, end_microseconds=end))
        rows = [row for row in found if row["taken_at"] < end]
        if any(row["day"] <= start for row in rows):
            break
    return rows


def from_sshare(
    tables: TableReader, config: Config, start: datetime, end: datetime, last_day: date
) -> Snapshot:
    """The last snapshot before the period's end, and the one in force as it began (or the first in it).

    A lab has what its accounts have of their own, so that one account below another counts once, whichever
    labs the two belong to. Of several clusters in one store the parts cannot be added: then there are none.
    """
    rows = _snapshots(tables, utc_microseconds(start), utc_microseconds(end))
    if len({row["cluster"] for row in rows}) != 1:
        return Snapshot(at_end={}, at_begin={})
    by_day = defaultdict(list)
    for row in rows:
        by_day[row["day"]].append(row)
    days = sorted(by_day)
    begun = [day for day in days if day <= utc_microseconds(start)]

    def by_lab(day: int) -> dict[str, float]:
        shares: dict[str, list[float]] = defaultdict(list)
        for row in by_day[day]:
            lab = config.group_of(row["account"], on=last_day)
            if row["own_share"] is not None and lab is not None:
                shares[lab].append(row["own_share"])
        return {lab: math.fsum(parts) for lab, parts in shares.items()}

    return Snapshot(
        day=day_of(days[-1]), at_end=by_lab(days[-1]), at_begin=by_lab(begun[-1] if begun else days[0])
    )
