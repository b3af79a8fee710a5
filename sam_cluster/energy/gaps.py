"""What lies between runs on a GPU: idle where the chain of readings is unbroken, else unattributed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sam_cluster.core.model import Cause, GapKind, Kind

from .split import Piece, Reading, counted_back


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of a GPU that no run is known to have held. `energy_millijoules` is None over a reset."""

    segment: str
    from_at_microseconds: int | None
    to_at_microseconds: int
    from_uptime_microseconds: int | None
    to_uptime_microseconds: int
    kind: GapKind
    cause: Cause | None
    energy_millijoules: int | None


def gaps(readings: Sequence[Reading], pieces: Sequence[Piece]) -> list[Gap]:
    """The gaps in one segment of one GPU, in the order of time, from its readings and their pieces.

    A start names the GPU's boundary before it, whoever's it was. Where that is the instant before it in
    what is known, nobody held the GPU in between. Where it is not known, its shard is missing, unless
    nothing at all is known before: then the chain begins there.
    """
    known = {r.uptime_microseconds for r in readings if r.energy_millijoules is not None}
    openings: dict[int, list[Reading]] = {}
    for reading in readings:
        if reading.is_opening and reading.energy_millijoules is not None:
            openings.setdefault(reading.uptime_microseconds, []).append(reading)
    found = {}
    if known:
        for gap in _before_all(openings.get(min(known), ()), pieces):
            found[gap.to_uptime_microseconds] = gap
    cuts = known - {reading.uptime_microseconds for reading in readings if reading.kind is not Kind.IDLE}
    for piece in pieces:
        if not piece.holders:
            cause = _cause(piece, known, cuts, openings.get(piece.to_uptime_microseconds, ()))
            found[piece.to_uptime_microseconds] = Gap(
                segment=readings[0].segment,
                from_at_microseconds=piece.from_at_microseconds,
                to_at_microseconds=piece.to_at_microseconds,
                from_uptime_microseconds=piece.from_uptime_microseconds,
                to_uptime_microseconds=piece.to_uptime_microseconds,
                kind=GapKind.UNATTRIBUTED if cause else GapKind.IDLE,
                cause=cause,
                energy_millijoules=piece.energy_millijoules,
            )
    for opening in (reading for readings in openings.values() for reading in readings):
        if opening.previous_segment not in (None, opening.segment):
            found.setdefault(opening.uptime_microseconds, _over_reset(opening))
    return [found[uptime] for uptime in sorted(found)]


def _cause(piece: Piece, known: set[int], cuts: set[int], openings: Sequence[Reading]) -> Cause | None:
    """Why a piece that nobody held is unattributed; None where it is idle. `cuts` are readings of the GPU
    while nobody held it: one more or less between two boundaries says nothing of who held it."""
    if piece.to_uptime_microseconds not in known:
        return Cause.SHARD_MISSING
    claims = {
        before
        for opening in openings
        if opening.previous_segment == opening.segment
        and (before := opening.previous_uptime_microseconds or 0) < opening.uptime_microseconds
    }
    start = since = piece.from_uptime_microseconds
    while since in cuts and since not in claims:
        since = max((at for at in known if at < since), default=-1)
    if since in claims and since in known:
        return None
    # Where no later boundary is spoken of, the node had let go of the GPU after the one that is known.
    return Cause.SHARD_MISSING if max(claims, default=-1) >= start else Cause.NOT_METERED


def _before_all(openings: Iterable[Reading], pieces: Sequence[Piece]) -> list[Gap]:
    """The idle time before the first boundary that is known at all, as its run's node has it."""
    for opening in openings:
        before, energy = opening.previous_uptime_microseconds, opening.previous_energy_millijoules
        if opening.previous_segment != opening.segment or before is None or energy is None:
            continue
        assert opening.energy_millijoules is not None
        if before >= opening.uptime_microseconds or energy > opening.energy_millijoules:
            continue
        if pieces and pieces[0].from_uptime_microseconds < opening.uptime_microseconds:
            continue
        at = opening.previous_at_microseconds
        if at is None:
            at = counted_back(opening.at_microseconds, opening.uptime_microseconds - before)
        return [
            Gap(
                segment=opening.segment,
                from_at_microseconds=at,
                to_at_microseconds=opening.at_microseconds,
                from_uptime_microseconds=before,
                to_uptime_microseconds=opening.uptime_microseconds,
                kind=GapKind.IDLE,
                cause=None,
                energy_millijoules=opening.energy_millijoules - energy,
            )
        ]
    return []


def _over_reset(opening: Reading) -> Gap:
    return Gap(
        segment=opening.segment,
        from_at_microseconds=opening.previous_at_microseconds,
        to_at_microseconds=opening.at_microseconds,
        from_uptime_microseconds=None,
        to_uptime_microseconds=opening.uptime_microseconds,
        kind=GapKind.UNATTRIBUTED,
        cause=Cause.COUNTER_RESET,
        energy_millijoules=None,
    )
