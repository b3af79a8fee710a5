"""The boundaries beside each unit that a gap at its edge is measured from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Kind
from sam_cluster.energy.split import CLOCK_STEP_MICROSECONDS
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import (
    Mask,
    Numbers,
    count_of,
    greatest,
    integers,
    least,
    mask,
    numbers,
    numbers_across,
    one_of_each,
)
from sam_cluster.store.rows import extents

from . import neighbours
from .neighbours import NO_INSTANT, Wanted, boots
from .set_back import spans_tied
from .touched import GPU_COLUMNS, Gpu, Stretch, days_between
from .units import NO_GPU, Pairs, Units

#: Of each of so many groups one value: of values, groups, and how many there are.
Choose = Callable[[Numbers, Numbers, int], Numbers]

OPENING_KINDS = pa.array([Kind.START, Kind.IDLE], pa.string())


@dataclass(frozen=True, slots=True)
class Edges:
    """The first, or the last, instants of some chains at which their energy is cut; `uptime` is NO_INSTANT,
    below any other, where there is none."""

    uptime: Numbers
    at: Numbers

    def are_in(self, stretch: Stretch) -> Mask:
        """Which of them lie in the stretch, or are not there."""
        is_none: Mask = self.uptime == NO_INSTANT
        return is_none | ((stretch.start <= self.at) & (self.at <= stretch.end))


@dataclass(frozen=True, slots=True)
class Chains:
    """Every segment that has, had, or is said to have something in a unit; each once in a unit."""

    unit: Numbers
    segments: pa.Table  # SEGMENT_COLUMNS
    booted: Numbers  # when the node did, microseconds UTC, by the first boundary of the chain
    first: Edges
    last: Edges

    def wanted(self, edges: Edges) -> Wanted:
        """What is looked for beside the edges."""
        return Wanted(self.segments, self.booted, edges.uptime)


class Mention(NamedTuple):
    """Rows with a segment, and of which units they are said."""

    rows: pa.Table
    pairs: Pairs


class Found(NamedTuple):
    """The readings beside some units, and of which unit each is; and the days that have to be divided with
    them, for a wall clock was set back between these and a unit."""

    rows: pa.Table
    unit: Numbers
    tied: dict[Gpu, set[date]]


def beside(
    transaction: Transaction, units: Units, rows: pa.Table, inside: Pairs, removed: pa.Table, gaps: pa.Table
) -> Found:
    """What lies beside the units.

    `inside` says which of the rows touch which unit. Of readings that are `removed`, and of `gaps` that were,
    the segment may have nothing inside any more: then it is looked for what follows, and from there back.
    """
    chains = _chains(units, [
        Mention(rows, inside),
        Mention(removed, units.touched_by("readings", removed)),
        Mention(gaps, units.with_gpu_of(gaps)),
    ])  # fmt: skip
    of_stretch = numbers([pa.array(units.start), pa.array(units.end)])
    found = [(rows.slice(0, 0), np.zeros(0, np.int64))]
    tied: dict[Gpu, set[date]] = {}
    for number in range(count_of(of_stretch)):
        mine = np.flatnonzero(of_stretch == number)
        stretch = units.stretches[mine[0]]
        unit_of = np.full(len(units.gpus), NO_GPU)
        unit_of[units.gpu[mine]] = mine
        which = of_stretch[chains.unit] == number
        at_last, at_first = (edges.are_in(stretch)[which] for edges in (chains.last, chains.first))
        later = neighbours.after(transaction, stretch, chains.wanted(chains.last).of(which).of(at_last))
        wanted = _from_later(chains.wanted(chains.first).of(which), later.near)
        earlier = neighbours.before(transaction, stretch, wanted.of(at_first))
        for each in (earlier, later):
            near = each.near
            first, last = (integers(each) for each in extents("readings", near))
            near = near.filter(pa.array((first > stretch.end) | (last < stretch.start)))  # else it is inside
            found.append((near, unit_of[units.gpu_of(near)]))
            for gpu, start, end in spans_tied(transaction, stretch, each):
                tied.setdefault(gpu, set()).update(days_between(start, end))
    unit = np.concatenate([unit for _, unit in found])
    return Found(pa.concat_tables([near for near, _ in found]), unit, tied)


def _from_later(wanted: Wanted, near: pa.Table) -> Wanted:
    """What is looked for before a stretch: where it has nothing, before what follows, if anything does."""
    near = near.filter(near["energy_millijoules"].is_valid())
    places, uptimes = wanted.places(near), integers(near["uptime_microseconds"])
    nearest = least(uptimes, places, len(wanted))
    is_nearest = uptimes == nearest[places]
    booted = least(boots(near)[is_nearest], places[is_nearest], len(wanted))
    has_none = wanted.edge == NO_INSTANT
    return Wanted(
        wanted.segments,
        np.where(has_none, booted, wanted.booted),
        np.where(has_none, nearest, wanted.edge),
    )


def _chains(units: Units, mentions: Sequence[Mention]) -> Chains:
    """The chains that are mentioned; of the first mention is what cuts their energy."""
    segments = numbers_across(["segment"], *(each.rows for each in mentions))
    segment = np.concatenate([of[each.pairs.row] for of, each in zip(segments, mentions, strict=True)])
    unit = np.concatenate([each.pairs.unit for each in mentions])
    chain = numbers([unit, segment])
    count = count_of(chain)
    one = one_of_each(np.arange(len(chain)), chain, count)
    gpus = pa.array(units.gpu[unit[one]])
    named = {
        name: pa.array([gpu[place] for gpu in units.gpus], pa.string()).take(gpus)
        for place, name in enumerate(GPU_COLUMNS)
    }
    every = np.concatenate(segments)
    with_name = one_of_each(np.arange(len(every)), every, count_of(every))
    names = pa.concat_tables([each.rows.select(["segment"]) for each in mentions])["segment"]
    where, uptime, at = _cuts(*mentions[0])
    found = chain[where], uptime, at, count
    return Chains(
        unit[one],
        pa.table({**named, "segment": names.take(pa.array(with_name[segment[one]]))}),
        _booted(*mentions[0], chain, count),
        _edges(least, *found),
        _edges(greatest, *found),
    )


def _booted(rows: pa.Table, inside: Pairs, chain: Numbers, count: int) -> Numbers:
    """When the node of each of so many chains booted, by its first boundary with a value."""
    pair = np.flatnonzero(mask(rows["energy_millijoules"].is_valid())[inside.row])
    uptime, chain = integers(rows["uptime_microseconds"])[inside.row[pair]], chain[pair]
    is_first = uptime == least(uptime, chain, count)[chain]
    return least(boots(rows)[inside.row[pair[is_first]]], chain[is_first], count)


def _edges(choose: Choose, chain: Numbers, uptime: Numbers, at: Numbers, count: int) -> Edges:
    """The least, or the greatest, of the instants of each of so many chains, by uptime."""
    nearest = choose(uptime, chain, count)
    is_nearest = uptime == nearest[chain]
    at_nearest = choose(at[is_nearest], chain[is_nearest], count)
    return Edges(np.where(np.isin(np.arange(count), chain), nearest, NO_INSTANT), at_nearest)


def _cuts(rows: pa.Table, inside: Pairs) -> tuple[Numbers, Numbers, Numbers]:
    """The instants at which the rows cut the energy of their chain: which pair, uptime, UTC."""
    at, since_at = integers(rows["at"]), integers(rows["since_at"])
    uptime, since = integers(rows["uptime_microseconds"]), integers(rows["since_uptime_microseconds"])
    is_known = mask(rows["energy_millijoules"].is_valid())
    has_figure = is_known & ~mask(pc.is_in(rows["kind"], OPENING_KINDS))
    for name in ("since_uptime_microseconds", "since_energy_millijoules"):
        has_figure &= mask(rows[name].is_valid())
    span = uptime - since
    start = np.where(np.abs(at - since_at - span) > CLOCK_STEP_MICROSECONDS, at - span, since_at)
    own, told = np.flatnonzero(is_known[inside.row]), np.flatnonzero(has_figure[inside.row])
    of_own, of_told = inside.row[own], inside.row[told]
    return (
        np.append(own, told),
        np.append(uptime[of_own], since[of_told]),
        np.append(at[of_own], start[of_told]),
    )
