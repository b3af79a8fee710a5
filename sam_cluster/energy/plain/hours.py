"""Hours of runs that had their GPUs to themselves: sums of intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam_cluster.core.model import Flag

from .columns import BIT, UNKNOWN, Columns, Intervals, Numbers

NO_MODEL = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """As `hours.Usage`, where one run held the whole GPU; UNKNOWN where there is no value."""

    row: Numbers  # a reading of the run
    hour: Numbers  # microseconds UTC
    held: Numbers
    energy: Numbers
    uncertainty: Numbers
    power: Numbers  # the same energy by the second meter
    idle_time: Numbers
    idle_energy: Numbers
    model: Numbers
    flags: Numbers


def hours(columns: Columns, found: Intervals) -> tuple[Hours, Numbers]:
    """The hours of all runs, and the units in which two chains tell of one run, or in which the wall clock
    was set back between two intervals of one: hours there are no sums of neighbours."""
    c = columns
    which = found.by_run
    row, before, hour = found.row[which], found.before[which], found.hour[which]
    chain, holder = c.chain[row], c.holder[row]
    same_run = (chain[1:] == chain[:-1]) & (holder[1:] == holder[:-1])
    first = np.flatnonzero(np.append(True, ~same_run | (hour[1:] != hour[:-1]))[: len(row)])
    set_back = np.flatnonzero(same_run & (hour[1:] < hour[:-1]))
    doubtful = np.append(c.unit[row[set_back]], _in_two_chains(c, row[first]))

    power_only = (c.flags[row] & BIT[Flag.POWER_ONLY]) != 0
    at_outer = np.where(c.is_outer, c.uncertainty, 0)
    uncertainty = at_outer[row] + np.where(before >= 0, at_outer[before], 0)
    uncertainty += np.where(power_only, np.maximum(c.power_uncertainty[row], 0), 0)
    # What METERS_DISAGREE says at a boundary is of the stretch before it alone.
    flags = c.flags[row] | np.where(before >= 0, c.flags[before] & ~BIT[Flag.METERS_DISAGREE], 0)
    is_whole = np.logical_and.reduceat(~power_only & (c.power[row] >= 0), first)
    energy = c.energy[row] - c.since_energy[row]
    idle_time = c.idle_time[row]
    # In proportion to what the counter has: where that stood still, nothing is anybody's part.
    idle_energy = np.where((c.idle_energy[row] >= 0) & (energy == 0), 0, c.idle_energy[row])
    is_idle_known = np.logical_and.reduceat((idle_time >= 0) & (idle_energy >= 0), first)
    model = np.where(c.model[row] >= 0, c.model[row], NO_MODEL)
    least = np.minimum.reduceat(model, first)
    return Hours(
        row=row[first],
        hour=hour[first],
        held=np.add.reduceat(c.uptime[row] - c.since_uptime[row], first),
        energy=np.add.reduceat(energy, first),
        uncertainty=np.add.reduceat(uncertainty, first),
        power=np.where(is_whole, np.add.reduceat(c.power[row], first), UNKNOWN),
        idle_time=np.where(is_idle_known, np.add.reduceat(idle_time, first), UNKNOWN),
        idle_energy=np.where(is_idle_known, np.add.reduceat(idle_energy, first), UNKNOWN),
        model=np.where(least == NO_MODEL, UNKNOWN, least),
        flags=np.bitwise_or.reduceat(flags, first),
    ), doubtful


def _in_two_chains(c: Columns, row: Numbers) -> Numbers:
    """Units with a run in two of their chains, from a reading of each hour of a run by chain and holder."""
    chain, holder, unit = c.chain[row], c.holder[row], c.unit[row]
    begins = np.append(True, (chain[1:] != chain[:-1]) | (holder[1:] != holder[:-1]))[: len(row)]
    chain, holder, unit = chain[begins], holder[begins], unit[begins]
    several = np.append(False, (unit[1:] == unit[:-1]) & (chain[1:] != chain[:-1]))[: len(chain)]
    among = np.isin(unit, unit[several])
    unit, holder = unit[among], holder[among]
    order = np.lexsort((holder, unit))
    unit, holder = unit[order], holder[order]
    twice = (unit[1:] == unit[:-1]) & (holder[1:] == holder[:-1])
    found: Numbers = unit[:-1][twice]
    return found
