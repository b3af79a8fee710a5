"""The energy of one GPU, cut at every known instant and attributed to who held it.

Of one segment of a GPU's counter, let u_0 < u_1 < … be all instants at which somebody's boundary
gives its value e_i. Piece i is [u_i, u_i+1] with the energy e_i+1 - e_i, and its holders are the runs
that have an interval over it. The pieces' energies add up to the last value less the first, whatever
runs there are, in whatever order and shards they are told of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from sam_cluster.core.model import Flag, Kind
from sam_cluster.core.units import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND

#: The wall clock is taken to have stepped where the two clocks differ by more over one interval.
CLOCK_STEP_MICROSECONDS = MICROSECONDS_PER_SECOND


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """A run on a node."""

    run_id: str
    started_at_microseconds: int
    raw_job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A boundary of one GPU, as `core.model.Boundary`, with who it is of and no instant left open."""

    holder: Holder
    kind: Kind
    at_microseconds: int
    uptime_microseconds: int
    segment: str
    energy_millijoules: int | None
    uncertainty_millijoules: int = 0
    since_at_microseconds: int | None = None
    since_uptime_microseconds: int | None = None
    since_energy_millijoules: int | None = None
    previous_at_microseconds: int | None = None
    previous_segment: str | None = None
    previous_uptime_microseconds: int | None = None
    previous_energy_millijoules: int | None = None
    since_power_millijoules: int | None = None
    since_power_uncertainty_millijoules: int | None = None
    since_idle_microseconds: int | None = None
    since_idle_millijoules: int | None = None
    gap_microseconds: int | None = None
    bridged_millijoules: int | None = None
    gpu_model: str | None = None
    mig_slices: int | None = None
    gpus_held: int | None = None
    flags: frozenset[Flag] = field(default=frozenset())

    @property
    def is_opening(self) -> bool:
        """Whether nothing of its run comes before it."""
        return self.kind in (Kind.START, Kind.IDLE)

    @property
    def has_interval(self) -> bool:
        """Whether its run held the GPU up to it, with a figure or without."""
        return not self.is_opening and self.since_uptime_microseconds is not None

    @property
    def interval(self) -> tuple[int, int]:
        """First and last instant of its interval, by the wall clock; where that stepped in between, counted
        back from the last."""
        assert self.since_uptime_microseconds is not None
        end, span = self.at_microseconds, self.uptime_microseconds - self.since_uptime_microseconds
        start = self.since_at_microseconds
        if start is None:
            return counted_back(end, span), end
        return (end - span if has_stepped(start, end, span) else start), end

    @property
    def has_figure(self) -> bool:
        """Whether the energy of its interval is known."""
        return (
            self.has_interval
            and self.energy_millijoules is not None
            and self.since_energy_millijoules is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What lies between two neighbouring instants. Without holders nobody is known to have held the GPU."""

    from_at_microseconds: int
    to_at_microseconds: int
    from_uptime_microseconds: int
    to_uptime_microseconds: int
    energy_millijoules: int
    holders: tuple[Holder, ...]
    flags: frozenset[Flag]

    @property
    def span_microseconds(self) -> int:
        """Its duration, by the clock that does not jump."""
        return self.to_uptime_microseconds - self.from_uptime_microseconds


@dataclass(slots=True)
class _Instant:
    energies: set[int] = field(default_factory=set)
    own_at: list[int] = field(default_factory=list)  # as the boundary there has it
    told_at: list[int] = field(default_factory=list)  # as the boundary after it has it

    @property
    def at(self) -> int:
        return min(self.own_at or self.told_at)


def counted_back(at_microseconds: int, span_microseconds: int) -> int:
    """The instant a span before another, for which no wall clock was noted.

    What comes within a second of a full hour is that hour: boundaries are made there, and the two clocks
    drift apart by milliseconds.
    """
    instant = at_microseconds - span_microseconds
    hour = (instant + MICROSECONDS_PER_HOUR // 2) // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
    return hour if abs(instant - hour) <= MICROSECONDS_PER_SECOND else instant


def has_stepped(from_at: int, to_at: int, span_microseconds: int) -> bool:
    """Whether the wall clock jumped between two instants that are a span apart (microseconds)."""
    return abs(to_at - from_at - span_microseconds) > CLOCK_STEP_MICROSECONDS


def divide(readings: Iterable[Reading]) -> list[Piece]:
    """The pieces of one segment of one GPU, in the order of time.

    Where two boundaries give different values at one instant, the smallest counts, and the pieces beside
    it are flagged, as is a piece over which the counter would have gone down.
    """
    instants: dict[int, _Instant] = {}
    changes: dict[int, list[tuple[Holder, int]]] = {}
    for reading in readings:
        if reading.energy_millijoules is not None:
            instant = instants.setdefault(reading.uptime_microseconds, _Instant())
            instant.energies.add(reading.energy_millijoules)
            instant.own_at.append(reading.at_microseconds)
        if not reading.has_figure:
            continue
        since, energy = reading.since_uptime_microseconds, reading.since_energy_millijoules
        assert since is not None and energy is not None
        instant = instants.setdefault(since, _Instant())
        instant.energies.add(energy)
        told = reading.since_at_microseconds
        instant.told_at.append(reading.interval[0] if told is None else told)
        changes.setdefault(since, []).append((reading.holder, 1))
        changes.setdefault(reading.uptime_microseconds, []).append((reading.holder, -1))
    pieces: list[Piece] = []
    holding: dict[Holder, int] = {}
    for start, end in pairwise(sorted(instants)):
        for holder, change in changes.get(start, ()):
            holding[holder] = holding.get(holder, 0) + change
        holders = tuple(sorted(holder for holder, count in holding.items() if count > 0))
        holding = {holder: count for holder, count in holding.items() if count}
        pieces.append(_piece(start, instants[start], end, instants[end], holders))
    return pieces


def _piece(start: int, first: _Instant, end: int, last: _Instant, holders: tuple[Holder, ...]) -> Piece:
    energy = min(last.energies) - min(first.energies)
    flags = set()
    if energy < 0 or len(first.energies) > 1 or len(last.energies) > 1:
        flags.add(Flag.CONFLICT)
    from_at = first.at
    if has_stepped(from_at, last.at, end - start):
        flags.add(Flag.CLOCK_STEPPED)
        if holders:  # hours are counted back from the later reading; a gap keeps the instants of its ends
            from_at = last.at - (end - start)
    return Piece(
        from_at_microseconds=from_at,
        to_at_microseconds=last.at,
        from_uptime_microseconds=start,
        to_uptime_microseconds=end,
        energy_millijoules=energy,
        holders=holders,
        flags=frozenset(flags),
    )


def segments(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    """The readings of one GPU by segment."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.segment, []).append(reading)
    return found
