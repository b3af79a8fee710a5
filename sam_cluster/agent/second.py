"""The second meter at a boundary: what the power series has for the stretch that the counter measured, and
what of that the GPU did nothing in.
"""

from __future__ import annotations

from dataclasses import replace

from sam_cluster.core.model import Boundary, Flag
from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.boundary import POWER_LIMIT_MILLIWATTS
from sam_cluster.energy.segments import disagree
from sam_cluster.energy.series import Drawn


def with_second_meter(
    boundary: Boundary, since: Drawn | None, until: Drawn | None, limit_milliwatts: int | None
) -> Boundary:
    """A boundary with what was drawn by the power series since the run's boundary before it, and flagged
    where the counter says something else. None: the series does not reach to that boundary.

    Where power is the only meter, its uncertainty is that of the figure: also what the time without samples
    can have taken.
    """
    energy, start = boundary.energy_millijoules, boundary.since_energy_millijoules
    since_uptime = boundary.since_uptime_microseconds
    if energy is None or start is None or since_uptime is None:
        return boundary
    span = boundary.uptime_microseconds - since_uptime
    is_only = Flag.POWER_ONLY in boundary.flags
    if since is None or until is None:
        doubt = _most(limit_milliwatts, span) if is_only else None
        return replace(boundary, since_power_uncertainty_millijoules=doubt)
    drawn = until - since
    covered = min(max(drawn.covered_microseconds, 0), span)
    doubt = drawn.uncertainty_millijoules
    if covered < span:
        doubt_of_all = doubt + _most(limit_milliwatts, span - covered) if is_only else None
        return replace(
            boundary,
            since_covered_microseconds=covered,
            since_power_uncertainty_millijoules=doubt_of_all,
        )
    flags = {*boundary.flags}
    if not is_only and disagree(energy - start, drawn, limit_milliwatts):
        flags.add(Flag.METERS_DISAGREE)
    idle_time, idle_energy = _idle(drawn, energy - start, span)
    return replace(
        boundary,
        since_idle_microseconds=idle_time,
        since_idle_millijoules=idle_energy,
        since_covered_microseconds=covered,
        since_power_millijoules=max(drawn.millijoules, 0),
        since_power_uncertainty_millijoules=doubt,
        flags=tuple(sorted(flags)),
    )


def _idle(drawn: Drawn, energy_millijoules: int, span: int) -> tuple[int | None, int | None]:
    """For how long the GPU did nothing, and that part of the stretch's energy, whichever meter it is by."""
    quiet = drawn.quiet
    if quiet is None or quiet.covered_microseconds < span:
        return None, None
    if quiet.microseconds >= span:
        return span, energy_millijoules
    part = min(max(quiet.half_nanojoules, 0), drawn.half_nanojoules)
    return quiet.microseconds, energy_millijoules * part // drawn.half_nanojoules if part else 0


def _most(limit_milliwatts: int | None, span: int) -> int:
    return millijoules_from_power(limit_milliwatts or POWER_LIMIT_MILLIWATTS, span)
