"""What is known of an interval beside its energy, divided as that is: the second meter, and idle time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sam_cluster.core.model import Flag
from sam_cluster.core.units import apportion

from .split import Piece, Reading


@dataclass(slots=True)
class Second:
    """What the second meter has for an hour of a run."""

    energy_millijoules: int | None = None
    is_whole: bool = True  # it covers all that the first meter has

    def join(self, other: Second) -> None:
        """Add what there is on another segment."""
        self.is_whole = self.is_whole and other.is_whole
        if other.energy_millijoules is not None:
            self.energy_millijoules = (self.energy_millijoules or 0) + other.energy_millijoules


@dataclass(slots=True)
class Idle:
    """In how much of an hour of a run the GPU did nothing, and the run's part of what it drew meanwhile."""

    microseconds: int | None = None
    energy_millijoules: int | None = None
    is_whole: bool = True  # it is known of all that has a figure

    def join(self, other: Idle) -> None:
        """Add what there is of another stretch."""
        self.is_whole = self.is_whole and other.is_whole
        if other.microseconds is not None and other.energy_millijoules is not None:
            self.microseconds = (self.microseconds or 0) + other.microseconds
            self.energy_millijoules = (self.energy_millijoules or 0) + other.energy_millijoules


@dataclass(frozen=True, slots=True)
class Share:
    """What a holder has of a piece in one hour, with how many it shares it, and where the second meter of
    that hour, and what was idle in it, are kept."""

    piece: Piece
    hour_microseconds: int
    held_microseconds: int
    device_energy_millijoules: int
    energy_millijoules: int
    sharers: int
    second: Second
    idle: Idle


def within(shares: Iterable[Share], start_uptime: int, end_uptime: int) -> list[Share]:
    """Those of the pieces between two instants."""
    return [
        share
        for share in shares
        if start_uptime <= share.piece.from_uptime_microseconds
        and share.piece.to_uptime_microseconds <= end_uptime
    ]


def second_meter(reading: Reading, shares: Sequence[Share]) -> None:
    """Give the second meter's energy of a reading's interval to its holder's shares of it.

    In proportion to what the first meter gave them, so that the two differ in each by as much as over the
    whole; where that gave nothing, by time. A GPU that has power alone has one meter.
    """
    if not reading.has_figure or reading.since_uptime_microseconds is None:
        return
    mine = within(shares, reading.since_uptime_microseconds, reading.uptime_microseconds)
    power = reading.since_power_millijoules
    device = sum(share.device_energy_millijoules for share in mine)
    parts = [share.energy_millijoules for share in mine]
    if power is None or Flag.POWER_ONLY in reading.flags or min(parts, default=0) < 0:
        for share in mine:
            share.second.is_whole = False
        return
    if device == 0:
        parts = [share.held_microseconds // share.sharers for share in mine]
        device = sum(share.held_microseconds for share in mine)
    if not mine or device == 0:
        return
    for share, energy in zip(mine, apportion(power * sum(parts) // device, parts), strict=True):
        share.second.join(Second(energy))


def idle_time(reading: Reading, shares: Sequence[Share]) -> None:
    """Give what a reading's interval has of idle time and energy to its holder's shares of it: time by how
    long they lasted, energy in proportion to theirs."""
    if not reading.has_figure or reading.since_uptime_microseconds is None:
        return
    mine = within(shares, reading.since_uptime_microseconds, reading.uptime_microseconds)
    time, energy = reading.since_idle_microseconds, reading.since_idle_millijoules
    parts = [share.energy_millijoules for share in mine]
    if time is None or energy is None or min(parts, default=0) < 0:
        for share in mine:
            share.idle.is_whole = False
        return
    if not mine:
        return
    device = sum(share.device_energy_millijoules for share in mine)
    drawn = apportion(energy * sum(parts) // device if device else 0, parts)
    times = apportion(time, [share.held_microseconds for share in mine])
    for share, lasted, part in zip(mine, times, drawn, strict=True):
        share.idle.join(Idle(lasted, part))
