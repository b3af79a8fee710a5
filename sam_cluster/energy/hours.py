"""Pieces of a GPU's energy to hours of runs: each holder's part, in each UTC hour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sam_cluster.core.model import Flag, Quality, ShareRule
from sam_cluster.core.units import MICROSECONDS_PER_HOUR, apportion

from .bridges import bridges, uncovered
from .claims import RULES, Divider, Division, equally
from .quality import OUTER_KINDS, quality
from .shares import Idle, Second, Share, idle_time, second_meter
from .split import Holder, Piece, Reading


@dataclass(slots=True)
class Usage:
    """What a run used of a GPU in one hour. The energies are None where none of it is known."""

    holder: Holder
    hour_microseconds: int
    held_microseconds: int = 0
    device_energy_millijoules: int | None = None
    energy_millijoules: int | None = None
    uncertainty_millijoules: int = 0
    bridged_millijoules: int = 0
    covered_microseconds: int = 0
    holders: int = 1
    share_rule: ShareRule | None = None
    gpu_model: str | None = None
    second: Second = field(default_factory=Second)
    idle: Idle = field(default_factory=Idle)
    flags: set[Flag] = field(default_factory=set)

    @property
    def power_energy_millijoules(self) -> int | None:
        """Its part by the second meter, less what is bridged; None where that does not cover all of it."""
        return self.second.energy_millijoules if self.second.is_whole else None

    @property
    def idle_microseconds(self) -> int | None:
        """In how much of the time held the GPU did nothing; None where that is not known of all of it."""
        return self.idle.microseconds if self.idle.is_whole else None

    @property
    def idle_energy_millijoules(self) -> int | None:
        """The run's part of what the GPU drew meanwhile."""
        return self.idle.energy_millijoules if self.idle.is_whole else None

    @property
    def quality(self) -> Quality:
        """How good the hour's figure is."""
        return quality(self.flags, known=self.energy_millijoules is not None)

    def join(self, other: Usage) -> None:
        """Add what the run used of the GPU in the same hour on another segment of its counter."""
        if other.energy_millijoules is not None and other.device_energy_millijoules is not None:
            self.add(0, other.device_energy_millijoules, other.energy_millijoules, ())
        self.shared_by(other.share_rule, other.holders)
        self.held_microseconds += other.held_microseconds
        self.covered_microseconds += other.covered_microseconds
        self.bridged_millijoules += other.bridged_millijoules
        self.uncertainty_millijoules += other.uncertainty_millijoules
        self.second.join(other.second)
        self.idle.join(other.idle)
        self.name(other.gpu_model)
        self.flags |= other.flags

    def add(self, held: int, device: int, part: int, flags: Iterable[Flag]) -> None:
        """Add a piece of the hour, or a piece's part in it."""
        self.held_microseconds += held
        self.covered_microseconds += held
        self.device_energy_millijoules = (self.device_energy_millijoules or 0) + device
        self.energy_millijoules = (self.energy_millijoules or 0) + part
        self.flags.update(flags)

    def shared_by(self, rule: ShareRule | None, holders: int) -> None:
        """By what a part was split, and between how many; of several rules the least sure is told."""
        self.holders = max(self.holders, holders)
        self.share_rule = max(filter(None, (self.share_rule, rule)), key=RULES.index, default=None)

    def name(self, gpu_model: str | None) -> None:
        """What the GPU is; of two that are told the first by the alphabet, whichever came first."""
        self.gpu_model = min(filter(None, (self.gpu_model, gpu_model)), default=None)


def usage(
    readings: Sequence[Reading], pieces: Iterable[Piece], divide_between: Divider = equally
) -> list[Usage]:
    """The hours of all runs on one segment of one GPU, by run and hour.

    A piece over the border of an hour is apportioned by time and flagged; within each hour its energy is
    shared as `divide_between` says, in the order of the holders: the parts add up to the piece, to the
    millijoule. A holder that has no part of a piece, for its job was over, keeps a row that says so. An
    interval without a figure gives hours without energy, and flags those that it shares with others. What was
    bridged over a restart of the counter before the segment counts in the hour in which it began.
    """
    hours: dict[tuple[Holder, int], Usage] = {}

    def at(holder: Holder, hour: int) -> Usage:
        if (holder, hour) not in hours:
            hours[holder, hour] = Usage(holder, hour)
        return hours[holder, hour]

    shares: dict[Holder, list[Share]] = {}
    for piece in pieces:
        if not piece.holders:
            continue
        division = divide_between(piece.holders, piece.from_at_microseconds)
        for hour, held, device, flags in _by_hour(piece):
            for holder, share in _parts(piece, division, hour, held, device, at):
                at(holder, hour).flags.update(flags)
                shares.setdefault(holder, []).append(share)
    for bridge in bridges(readings, divide_between):
        bridged = at(bridge.holder, _hour_of(bridge.at_microseconds))
        told = bridge.division.flags(bridge.weight) | ({Flag.BRIDGED} if bridge.weight else set())
        bridged.add(0, bridge.device_energy_millijoules, bridge.energy_millijoules, told)
        bridged.shared_by(bridge.division.rule, bridge.holders)
        bridged.bridged_millijoules += bridge.energy_millijoules
    for reading in readings:
        mine = shares.get(reading.holder, [])
        for share, missed in uncovered(reading, mine):
            at(reading.holder, share.hour_microseconds).covered_microseconds -= missed
        second_meter(reading, mine)
        idle_time(reading, mine)
    for reading in readings:
        if reading.has_interval and not reading.has_figure:
            for hour, held in _interval_hours(reading):
                at(reading.holder, hour).held_microseconds += held
                at(reading.holder, hour).flags.add(Flag.GPU_MISSING)
    for reading in readings:
        for hour, _ in _interval_hours(reading) if reading.has_interval else ():
            if known := hours.get((reading.holder, hour)):
                known.name(reading.gpu_model)
    _flag(readings, hours)
    _add_uncertainties(readings, hours)
    return [hours[key] for key in sorted(hours)]


def _parts(
    piece: Piece, division: Division, hour: int, held: int, device: int, at: Callable[[Holder, int], Usage]
) -> Iterator[tuple[Holder, Share]]:
    """A piece's energy in one hour, given to its holders."""
    parts = apportion(device, division.weights)
    for holder, part, weight in zip(piece.holders, parts, division.weights, strict=True):
        mine = at(holder, hour)
        mine.add(held if weight else 0, device if weight else 0, part, division.flags(weight))
        mine.shared_by(division.rule, len(piece.holders))
        yield (
            holder,
            Share(piece, hour, held if weight else 0, device, part, division.sharers, mine.second, mine.idle),
        )


def _by_hour(piece: Piece) -> Iterator[tuple[int, int, int, frozenset[Flag]]]:
    """The hours of a piece: hour, time held, energy, flags."""
    hours, weights = _overlaps(piece.from_at_microseconds, piece.to_at_microseconds)
    if len(hours) == 1:
        yield hours[0], piece.span_microseconds, piece.energy_millijoules, piece.flags
        return
    flags = piece.flags | {Flag.INTERPOLATED}
    held = apportion(piece.span_microseconds, weights)
    energy = apportion(piece.energy_millijoules, weights)
    yield from zip(hours, held, energy, [flags] * len(hours), strict=True)


def _overlaps(start: int, end: int) -> tuple[list[int], list[int]]:
    """The hours between two instants, and how much of each."""
    first = _hour_of(start)
    hours = list(range(first, max(end, first + 1), MICROSECONDS_PER_HOUR))
    return hours, [max(min(end, hour + MICROSECONDS_PER_HOUR) - max(start, hour), 0) for hour in hours]


def _interval_hours(reading: Reading) -> list[tuple[int, int]]:
    """The hours of a run's interval up to a reading, and how long it held the GPU in each."""
    assert reading.since_uptime_microseconds is not None
    hours, weights = _overlaps(*reading.interval)
    span = reading.uptime_microseconds - reading.since_uptime_microseconds
    return list(zip(hours, apportion(span, weights), strict=True))


def _flag(readings: Iterable[Reading], hours: dict[tuple[Holder, int], Usage]) -> None:
    """What is flagged at a boundary holds for the intervals on both sides of it."""
    at_boundary: dict[tuple[Holder, int], set[Flag]] = {}
    for reading in readings:
        key = reading.holder, reading.uptime_microseconds
        at_boundary.setdefault(key, set()).update(reading.flags)
    for reading in readings:
        if not reading.has_interval:
            continue
        assert reading.since_uptime_microseconds is not None
        before = at_boundary.get((reading.holder, reading.since_uptime_microseconds), set())
        if flags := (before - {Flag.METERS_DISAGREE}) | reading.flags:  # that one is of the stretch before
            for hour, _ in _interval_hours(reading):
                if found := hours.get((reading.holder, hour)):
                    found.flags.update(flags)


def _add_uncertainties(readings: Iterable[Reading], hours: dict[tuple[Holder, int], Usage]) -> None:
    """The uncertainties count where a run's energy begins and ends; at an hour mark what one hour has too
    much the other has too little."""
    doubt: dict[tuple[Holder, int], int] = {}
    for reading in readings:
        if reading.kind in OUTER_KINDS:
            key = reading.holder, reading.uptime_microseconds
            doubt[key] = max(doubt.get(key, 0), reading.uncertainty_millijoules)
    for reading in readings:
        since = reading.since_uptime_microseconds
        if not reading.has_figure or since is None:
            continue
        spanned = _interval_hours(reading)
        for uptime, hour in ((since, spanned[0][0]), (reading.uptime_microseconds, spanned[-1][0])):
            if found := hours.get((reading.holder, hour)):
                found.uncertainty_millijoules += doubt.get((reading.holder, uptime), 0)
        if Flag.POWER_ONLY in reading.flags and (found := hours.get((reading.holder, spanned[-1][0]))):
            found.uncertainty_millijoules += reading.since_power_uncertainty_millijoules or 0


def _hour_of(instant: int) -> int:
    return instant // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
