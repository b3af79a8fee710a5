"""What was drawn while a counter restarted: by the power series, shared by those who held the GPU then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sam_cluster.core.units import apportion

from .shares import Share, Weight
from .split import Holder, Reading


@dataclass(frozen=True, slots=True)
class Bridge:
    """A holder's part of what was bridged when the counter restarted."""

    holder: Holder
    at_microseconds: int
    device_energy_millijoules: int
    energy_millijoules: int
    holders: int


def bridges(readings: Iterable[Reading], weight: Weight) -> list[Bridge]:
    """The bridged energy before one segment of one GPU.

    Each run that held the GPU tells of the whole device; of two that tell different things the smaller
    counts. It is shared by weight, in the order of the holders.
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
        parts = apportion(device, [weight(holder) for holder in holders])
        for holder, part in zip(holders, parts, strict=True):
            found.append(Bridge(holder, at, device, part, len(holders)))
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
