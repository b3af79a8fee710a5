"""The boundaries beside each unit that a gap at its edge is measured from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Kind
from sam_cluster.energy.split import CLOCK_STEP_MICROSECONDS
from sam_cluster.store.commit import Transaction
from sam_cluster.store.numbers import (
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
from .neighbours import Wanted
from .touched import GPU_COLUMNS
from .units import NO_GPU, Pairs, Units

#: Of each of so many groups one value: of values, groups, and how many there are.
Choose = Callable[[Numbers, Numbers, int], Numbers]

OPENING_KINDS = pa.array([Kind.START, Kind.IDLE], pa.string())


@dataclass(frozen=True, slots=True)
class Edges:
    """The first, or the last, instants of some chains at which their energy is cut; `uptime` is NO_INSTANT
    where there is none."""

    uptime: Numbers
    at: Numbers


NO_INSTANT = -1


@dataclass(frozen=True, slots=True)
class Chains:
    """Every segment that has, had, or is said to have something in a unit; each once in a unit."""

    unit: Numbers
    segments: pa.Table  # SEGMENT_COLUMNS
    booted: Numbers  # when the node did, microseconds UTC, by its earliest word
    first: Edges
    last: Edges


class Mention(NamedTuple):
    """Rows with a segment, of which units they are said, and their columns of one instant on both clocks."""

    rows: pa.Table
    pairs: Pairs
    at: str
    uptime: str

    @property
    def booted(self) -> Numbers:
        """When the node did, by each pair; microseconds UTC."""
        return (integers(self.rows[self.at]) - integers(self.rows[self.uptime]))[self.pairs.row]


def beside(
    transaction: Transaction, units: Units, rows: pa.Table, inside: Pairs, removed: pa.Table, gaps: pa.Table
) -> tuple[pa.Table, Numbers]:
    """The readings beside the units, and of which unit each is.

    `inside` says which of the rows touch which unit. Of readings that are `removed`, and of `gaps` that were,
    the segment may have nothing inside any more.
    """
    chains = _chains(units, [
        Mention(rows, inside, "at", "uptime_microseconds"),
        Mention(removed, units.touched_by("readings", removed), "at", "uptime_microseconds"),
        Mention(gaps, units.with_gpu_of(gaps), "to_at", "to_uptime_microseconds"),
    ])  # fmt: skip
    of_stretch = numbers([pa.array(units.start), pa.array(units.end)])
    found = [(rows.slice(0, 0), np.zeros(0, np.int64))]
    for number in range(count_of(of_stretch)):
        mine = np.flatnonzero(of_stretch == number)
        stretch = units.stretches[mine[0]]
        unit_of = np.full(len(units.gpus), NO_GPU)
        unit_of[units.gpu[mine]] = mine
        for look, edge in ((neighbours.before, chains.first), (neighbours.after, chains.last)):
            is_near = (edge.uptime == NO_INSTANT) | ((stretch.start <= edge.at) & (edge.at <= stretch.end))
            which = is_near & (of_stretch[chains.unit] == number)
            wanted = Wanted(chains.segments, chains.booted, edge.uptime).of(which)
            near = look(transaction, stretch, wanted)
            first, last = (integers(each) for each in extents("readings", near))
            near = near.filter(pa.array((first > stretch.end) | (last < stretch.start)))  # else it is inside
            found.append((near, unit_of[units.gpu_of(near)]))
    return pa.concat_tables([near for near, _ in found]), np.concatenate([unit for _, unit in found])


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
    where, uptime, at = _cuts(*mentions[0][:2])
    found = chain[where], uptime, at, count
    return Chains(
        unit[one],
        pa.table({**named, "segment": names.take(pa.array(with_name[segment[one]]))}),
        least(np.concatenate([each.booted for each in mentions]), chain, count),
        _edges(least, *found),
        _edges(greatest, *found),
    )


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
