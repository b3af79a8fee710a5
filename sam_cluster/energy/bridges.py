"""What was drawn while a counter restarted: by the power series, shared by those who held the GPU then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sam_cluster.core.units import apportion

from .claims import Divider, Division
from .shares import Share
from .split import Holder, Reading


@dataclass(frozen=True, slots=True)
class Bridge:
    """A holder's part of what was bridged when the counter restarted."""

    holder: Holder
    at_microseconds: int
    device_energy_millijoules: int
    energy_millijoules: int
    weight: int
    division: Division
    holders: int


def bridges(readings: Iterable[Reading], divide_between: Divider) -> list[Bridge]:
    """The bridged energy before one segment of one GPU.

    Each run that held the GPU tells of the whole device; of two that tell different things the smaller
    counts. It is shared as the device is, in the order of the holders.
    """
    told: dict[int, list[tuple[int, Holder, int]]] = {}
    for reading in readings:
        if (device := reading.bridged_millijoules) is not None:
            instants = told.setdefault(reading.uptime_microseconds, [])
            instants.append((device, reading.holder, reading.at_microseconds))
    found = []
    for claims in told.values():
        device, _, at = min(claims)
        holders = sorted({holder for _, holder, _ in claims})
        division = divide_between(holders, at)
        parts = apportion(device, division.weights)
        for holder, part, weight in zip(holders, parts, division.weights, strict=True):
            found.append(Bridge(holder, at, device if weight else 0, part, weight, division, len(holders)))
    return found


def uncovered(reading: Reading, shares: Iterable[Share]) -> Iterator[tuple[Share, int]]:
    """The shares of a holder that fall into a gap in which its counter restarted and which nothing bridges,
    and for how long."""
    gap = reading.gap_microseconds
    if gap is None or reading.bridged_millijoules is not None:
        return
    start, end = reading.uptime_microseconds, reading.uptime_microseconds + gap
    for share in shares:
        piece = share.piece
        missed = min(end, piece.to_uptime_microseconds) - max(start, piece.from_uptime_microseconds)
        if missed > 0:
            yield share, missed * share.held_microseconds // piece.span_microseconds
