"""The ledger of each GPU in a period: runs + idle + unattributed = the increase of its counter.

The two sides come from different tables: what was used from `usage` and `gaps`, the increase from the values
in `readings`. The period is the hours that begin in it. What lies between two readings over its border counts
by time on both sides, so that neighbouring periods add up to the whole, to the millijoule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from ..core.model import Cause, GapKind
from ..core.times import utc_microseconds
from ..core.units import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND
from ..store.rows import to_rows
from .records import TableReader

Gpu = tuple[str, str, str]  # cluster, node, UUID
Row = dict[str, Any]

GPU_COLUMNS = ("cluster", "node", "gpu_uuid")
USAGE_COLUMNS = (*GPU_COLUMNS, "hour", "energy_millijoules", "bridged_millijoules")
GAP_COLUMNS = (
    *GPU_COLUMNS, "segment", "from_at", "to_at", "from_uptime_microseconds", "to_uptime_microseconds",
    "kind", "cause", "energy_millijoules",
)  # fmt: skip
READING_COLUMNS = (
    *GPU_COLUMNS, "segment", "at", "uptime_microseconds", "energy_millijoules",
    "since_at", "since_uptime_microseconds", "since_energy_millijoules",
)  # fmt: skip


@dataclass(slots=True)
class Ledger:
    """What is known of a GPU's energy in a period, in millijoules.

    `bridged_millijoules` runs used and no counter counted; `unattributed` is by cause. Of `unknown` gaps, by
    cause, no energy can be known; `cut` gaps reach over a border of the period.
    """

    runs_millijoules: int = 0
    bridged_millijoules: int = 0
    idle_millijoules: int = 0
    unattributed: Counter[Cause] = field(default_factory=Counter)
    unknown: Counter[Cause] = field(default_factory=Counter)
    counter_millijoules: int = 0
    cut: int = 0
    first_at: int | None = None
    last_at: int | None = None

    @property
    def unattributed_millijoules(self) -> int:
        """The sum over all causes."""
        return sum(self.unattributed.values())

    @property
    def closes(self) -> bool:
        """Whether runs, idle and unattributed are what the counter grew by."""
        known = self.runs_millijoules + self.idle_millijoules + self.unattributed_millijoules
        return known == self.counter_millijoules

    @property
    def is_whole(self) -> bool:
        """Whether it closes, and all of it is a run's or idle."""
        return self.closes and not self.unattributed_millijoules and not self.unknown.total()

    def add(self, other: Ledger) -> None:
        """Add another GPU's."""
        self.runs_millijoules += other.runs_millijoules
        self.bridged_millijoules += other.bridged_millijoules
        self.idle_millijoules += other.idle_millijoules
        self.unattributed.update(other.unattributed)
        self.unknown.update(other.unknown)
        self.counter_millijoules += other.counter_millijoules
        self.cut += other.cut
        for at in (other.first_at, other.last_at):
            self.see(at)

    def see(self, at: int | None) -> None:
        """There was a reading at that instant."""
        if at is not None:
            self.first_at = at if self.first_at is None else min(self.first_at, at)
            self.last_at = at if self.last_at is None else max(self.last_at, at)


def ledgers_of(
    tables: TableReader, start: datetime, end: datetime, *, node: str | None = None, gpu: str | None = None
) -> dict[Gpu, Ledger]:
    """The ledger of each GPU of which anything is known in the period; of one node's, or of one, alone."""
    first, last = (_full_hour(utc_microseconds(at)) for at in (start, end))

    def rows(
        table: str, columns: tuple[str, ...], begin: int = first, end: int = last
    ) -> Iterator[tuple[Gpu, Row]]:
        found = tables.read(table, start_microseconds=begin, end_microseconds=end + 1, columns=columns)
        for row in to_rows(found):
            if node in (None, row["node"]) and gpu in (None, row["gpu_uuid"]):
                yield (row["cluster"], row["node"], row["gpu_uuid"]), row

    found: dict[Gpu, Ledger] = {}
    counters: dict[tuple[Gpu, str], _Segment] = {}
    for key, row in rows("usage", USAGE_COLUMNS):
        if first <= row["hour"] < last:
            _add_hour(found.setdefault(key, Ledger()), row)
    earliest, latest = first, last
    for key, row in rows("readings", READING_COLUMNS):
        counters.setdefault((key, row["segment"]), _Segment()).see(row)
        earliest = min(earliest, row["at"], row["since_at"] or earliest)
        latest = max(latest, row["at"], row["since_at"] or latest)
        if first <= row["at"] <= last:
            found.setdefault(key, Ledger()).see(row["at"])
    # What a run has over a border may be cut, outside of the period, by boundaries of others.
    for since, until in ((earliest, first), (last, latest)):
        for key, row in rows("readings", READING_COLUMNS, since, until) if since < until else ():
            counters.setdefault((key, row["segment"]), _Segment()).see(row)
    for key, row in rows("gaps", GAP_COLUMNS):
        if row["from_uptime_microseconds"] is not None and row["energy_millijoules"] is not None:
            counters.setdefault((key, row["segment"]), _Segment()).span(row)
        _add_gap(found, key, row, first, last)
    for (key, _), segment in counters.items():
        if increase := sum(_inside(*piece, first, last) for piece in segment.pieces()):
            found.setdefault(key, Ledger()).counter_millijoules += increase
    return dict(sorted(found.items()))


def total_of(ledgers: Iterable[Ledger]) -> Ledger:
    """All together."""
    total = Ledger()
    for each in ledgers:
        total.add(each)
    return total


def _full_hour(instant: int) -> int:
    """The first full hour (UTC) that is not before an instant."""
    return -(-instant // MICROSECONDS_PER_HOUR) * MICROSECONDS_PER_HOUR


def _add_hour(ledger: Ledger, row: Row) -> None:
    bridged = row["bridged_millijoules"] or 0
    ledger.runs_millijoules += (row["energy_millijoules"] or 0) - bridged
    ledger.bridged_millijoules += bridged


def _add_gap(found: dict[Gpu, Ledger], key: Gpu, row: Row, first: int, last: int) -> None:
    energy, ended = row["energy_millijoules"], row["to_at"]
    begun = ended if row["from_at"] is None else min(row["from_at"], ended)
    if energy is None:
        if begun < last and ended >= first:
            found.setdefault(key, Ledger()).unknown[Cause(row["cause"])] += 1
        return
    if begun >= last or (ended <= first and begun < first):
        return
    ledger = found.setdefault(key, Ledger())
    part = _inside(begun, ended, energy, first, last)
    ledger.cut += begun < first or ended > last
    if row["kind"] == GapKind.IDLE:
        ledger.idle_millijoules += part
    else:
        ledger.unattributed[Cause(row["cause"])] += part


def _inside(begun: int, ended: int, energy_millijoules: int, first: int, last: int) -> int:
    """The part of an energy that falls between two instants, by time: as a difference of two sums up to an
    instant, so that parts add up. What took no time is where it began."""

    def up_to(instant: int) -> int:
        if ended <= begun:
            return energy_millijoules if begun < instant else 0
        return energy_millijoules * (min(max(instant, begun), ended) - begun) // (ended - begun)

    return up_to(last) - up_to(first)


@dataclass(slots=True)
class _Segment:
    """The values of one counter: by uptime the smallest that was told, and when that was (UTC)."""

    values: dict[int, int] = field(default_factory=dict)
    own_at: dict[int, int] = field(default_factory=dict)  # as the reading there has it
    told_at: dict[int, int] = field(default_factory=dict)  # as the reading after it has it
    held: list[tuple[int, int]] = field(default_factory=list)

    def see(self, row: Row) -> None:
        """A reading, and the one before it of the same run."""
        for prefix, instants in (("", self.own_at), ("since_", self.told_at)):
            uptime, energy = row[f"{prefix}uptime_microseconds"], row[f"{prefix}energy_millijoules"]
            if uptime is None or energy is None or row["energy_millijoules"] is None:
                continue
            at = row[f"{prefix}at"]
            self.values[uptime] = min(self.values.get(uptime, energy), energy)
            if at is not None:
                instants[uptime] = min(instants.get(uptime, at), at)
        if row["since_uptime_microseconds"] is not None:
            self.held.append((row["since_uptime_microseconds"], row["uptime_microseconds"]))

    def span(self, gap: Row) -> None:
        """A gap whose ends, or one of them, are readings that lie outside of what was read."""
        begin, end = gap["from_uptime_microseconds"], gap["to_uptime_microseconds"]
        if begin in self.values and end in self.values:
            return
        if end in self.values:
            self.values[begin] = self.values[end] - gap["energy_millijoules"]
        else:
            self.values[end] = self.values.setdefault(begin, 0) + gap["energy_millijoules"]
        self.told_at.setdefault(begin, gap["from_at"])
        self.told_at.setdefault(end, gap["to_at"])

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """Begin, end (UTC) and energy between neighbouring values."""
        for begin, end in pairwise(sorted(self.values)):
            ended = self.own_at.get(end, self.told_at.get(end, 0))
            begun = self.own_at.get(begin, self.told_at.get(begin, ended))
            has_stepped = abs(ended - begun - (end - begin)) > MICROSECONDS_PER_SECOND
            if has_stepped and any(since <= begin and end <= until for since, until in self.held):
                begun = ended - (end - begin)  # as hours of runs are counted
            yield min(begun, ended), ended, self.values[end] - self.values[begin]
