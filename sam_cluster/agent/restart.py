"""A counter that restarted: where its segment ended, and what was drawn since and not counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.boundary import COUNTER_STEP_MICROSECONDS, POWER_LIMIT_MILLIWATTS, Reading
from sam_cluster.energy.segments import SENSOR_LAG_MICROSECONDS
from sam_cluster.energy.series import Drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A segment ended: its last reading, and whether its counter was made of power.

    Between that and the first reading of the next, `gap_microseconds` later, `bridged_millijoules` were drawn
    and not counted, by the power series, give or take `uncertainty_millijoules`; None where it does not cover
    the gap. `drawn` is where the series begins for the new segment: what it has later, less that, is for the
    same stretches as what the counter has counted.
    """

    segment: str
    last: Reading
    power_only: bool
    gap_microseconds: int
    bridged_millijoules: int | None = None
    uncertainty_millijoules: int = 0
    drawn: Drawn | None = None


def bridged(
    restart: Restart,
    gap: Drawn,
    counted: int,
    until: Drawn,
    power_after: int | None,
    limit_milliwatts: int | None,
) -> Restart:
    """A restart whose gap the power series covers: `gap` is what it has for that, of which the new counter
    has counted a part, `until` what it has up to the end of the gap.

    The uncertainty is the counter's step at both ends, what lies between the samples, and the lag of the
    sensor, where power was another after the gap.
    """
    limit = limit_milliwatts or POWER_LIMIT_MILLIWATTS
    steps = 2 * millijoules_from_power(limit, COUNTER_STEP_MICROSECONDS)
    before = restart.last.power_milliwatts
    change = limit if before is None or power_after is None else abs(power_after - before)
    lag = millijoules_from_power(change, SENSOR_LAG_MICROSECONDS)
    return replace(
        restart,
        bridged_millijoules=max(gap.millijoules - counted, 0),
        uncertainty_millijoules=steps + gap.uncertainty_millijoules + lag,
        drawn=until - Drawn.of(counted, restart.gap_microseconds),
    )
