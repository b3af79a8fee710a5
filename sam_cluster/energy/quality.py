"""How good a figure is, from the flags it carries. The whole rule is the table below.

A run's boundaries are judged where its energy begins and ends: an hour mark that was interpolated
moves energy from one hour of the run to the next, and leaves the run's sum as good as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sam_cluster.core.model import Boundary, Flag, Kind, Quality, quality_of_sum

#: The best that a figure with this flag can be.
BEST_WITH: Mapping[Flag, Quality] = {
    # The figure is whole; what is flagged is not the energy.
    Flag.CLOCK_STEPPED: Quality.MEASURED,  # durations are the other clock's; only the hours are in doubt
    Flag.NO_ACCOUNTING: Quality.MEASURED,
    Flag.MODULE_SCOPE: Quality.MEASURED,  # of more than the GPU, and said to be
    Flag.SIMULATED: Quality.MEASURED,
    # The figure is whole, and a part of it was inferred.
    Flag.INTERPOLATED: Quality.ESTIMATED,
    Flag.POWER_ONLY: Quality.ESTIMATED,
    Flag.ASSUMED_GPU: Quality.ESTIMATED,
    Flag.SHARED: Quality.ESTIMATED,  # the device was measured, the run's share of it is a convention
    Flag.SHARED_EQUALLY: Quality.ESTIMATED,
    Flag.AFTER_END: Quality.ESTIMATED,
    Flag.CONFLICT: Quality.ESTIMATED,
    Flag.BRIDGED: Quality.ESTIMATED,
    Flag.METERS_DISAGREE: Quality.ESTIMATED,  # the counter's figure counts, and one of the two is wrong
    # Something is missing from it.
    Flag.NO_END: Quality.LOWER_BOUND,
    Flag.OPEN: Quality.LOWER_BOUND,
    Flag.LATE_START: Quality.LOWER_BOUND,
    Flag.EARLY_END: Quality.LOWER_BOUND,
    Flag.COUNTER_RESET: Quality.LOWER_BOUND,  # what was drawn between the last reading and the restart
    Flag.GPU_MISSING: Quality.LOWER_BOUND,
    Flag.NODE_MISSING: Quality.LOWER_BOUND,
    Flag.PART_MISSING: Quality.LOWER_BOUND,
    Flag.NO_START: Quality.LOWER_BOUND,  # of one node; where it is all there is, there is no figure
    Flag.NO_SHARD: Quality.LOWER_BOUND,  # of one run of a job; likewise
}

#: The kinds at which a run's energy begins or ends.
OUTER_KINDS = frozenset({Kind.START, Kind.SEGMENT, Kind.END})
#: Flags that say something of one boundary.
BOUNDARY_FLAGS = frozenset({Flag.INTERPOLATED, Flag.LATE_START, Flag.EARLY_END})


def quality(flags: Iterable[Flag], *, known: bool) -> Quality:
    """The quality of a figure with these flags; unknown where there is none."""
    if not known:
        return Quality.UNKNOWN
    return quality_of_sum([Quality.MEASURED, *(BEST_WITH[flag] for flag in flags)])


def run_flags(shard_flags: Iterable[Flag], boundaries: Iterable[Boundary]) -> frozenset[Flag]:
    """What a shard says of its run: its own flags, where those of boundaries count at outer ones only."""
    flags = set(shard_flags) - BOUNDARY_FLAGS
    for boundary in boundaries:
        if boundary.kind in OUTER_KINDS:
            flags.update(boundary.flags)
        if boundary.opens_segment:
            flags.add(Flag.COUNTER_RESET if boundary.bridged_millijoules is None else Flag.BRIDGED)
    return frozenset(flags)
