"""What lies between runs on many GPUs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam_cluster.core.model import Cause

from .columns import UNKNOWN, Columns, Mask, Numbers, Previous
from .instants import Instants

#: A cause as a number; UNKNOWN where the time is idle.
CAUSES = tuple(Cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """As `gaps.Gap`; UNKNOWN where there is no value."""

    instant: Numbers  # at which it ends
    row: Numbers  # a reading of its chain
    from_at: Numbers
    to_at: Numbers
    from_uptime: Numbers
    to_uptime: Numbers
    cause: Numbers  # its place in CAUSES
    energy: Numbers


def gaps(columns: Columns, found: Instants) -> tuple[Gaps, Numbers]:
    """The gaps of all chains, and the units with one that is in doubt: a start speaks of a boundary further
    back than a reading that was made while nobody held the GPU, or names no instant of it."""
    c = columns
    opens = found.opening >= 0
    opening = np.where(opens, found.opening, 0)
    says = c.previous[opening]
    is_same = opens & (says == Previous.SAME)
    claim, claimed_energy = c.previous_uptime[opening], c.previous_energy[opening]

    is_piece = ~found.is_first & (found.interval == UNKNOWN)
    is_before_all = found.is_first & is_same & (claim >= 0) & (claim < found.uptime)
    is_before_all &= (claimed_energy >= 0) & (claimed_energy <= found.energy)
    is_reset = opens & (says == Previous.OTHER)  # what a piece says of the same time goes before it

    claim = np.where(is_same & (np.maximum(claim, 0) < found.uptime), np.maximum(claim, 0), UNKNOWN)
    cause, is_far = _causes(found, claim)
    doubtful = (is_piece & is_far) | (is_before_all & (c.previous_at[opening] < 0))
    ends = np.flatnonzero(is_piece | is_before_all | is_reset)
    is_piece, is_reset = is_piece[ends], is_reset[ends]
    opening, before = opening[ends], ends - 1
    return Gaps(
        instant=ends,
        row=np.searchsorted(c.chain, found.chain[ends]),
        from_at=np.where(is_piece, found.at[before], c.previous_at[opening]),
        to_at=np.where(is_piece, found.at[ends], c.at[opening]),
        from_uptime=np.select(
            [is_piece, is_reset], [found.uptime[before], UNKNOWN], c.previous_uptime[opening]
        ),
        to_uptime=found.uptime[ends],
        cause=np.select([is_piece, is_reset], [cause[ends], CAUSES.index(Cause.COUNTER_RESET)], UNKNOWN),
        energy=np.select(
            [is_piece, is_reset],
            [found.energy[ends] - found.energy[before], UNKNOWN],
            found.energy[ends] - c.previous_energy[opening],
        ),
    ), found.unit[doubtful]


def _causes(found: Instants, claim: Numbers) -> tuple[Numbers, Mask]:
    """Why the piece before an instant is unattributed, where nobody is known to have held it, by the boundary
    that the start there says was the last before it; and where that is not to be said at a glance, for what
    follows on that boundary was read while nobody held the GPU."""
    # Somebody's boundary is there: of an instant that is only told of, the piece after it is held.
    start, is_cut = np.append(UNKNOWN, found.uptime[:-1]), np.append(False, found.is_cut[:-1])
    is_idle = found.is_known & (claim == start)
    missing = ~found.is_known | (claim >= start)
    not_idle = np.where(missing, CAUSES.index(Cause.SHARD_MISSING), CAUSES.index(Cause.NOT_METERED))
    return np.where(is_idle, UNKNOWN, not_idle), found.is_known & (claim >= 0) & (claim < start) & is_cut
