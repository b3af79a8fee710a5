"""Many shards as Arrow columns, without a Python object for each GPU and boundary.

A shard that is not certainly of the types that `core.model` says is left out, for the exact way,
`shards.parse_footer`, to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, TypeAlias, get_args, get_origin

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Boundary, GpuHeld, Shard

from .document import IN_COLUMNS
from .footers import HINTS, LARGEST_TEXT, without_none
from .short import (
    COUNTER,
    COVERED,
    ENERGY,
    LONGEST_ONCE,
    PLACE,
    PREVIOUS_UPTIME,
    SEGMENT,
    SINCE,
    SINCE_UPTIME,
    TOGETHER,
    UPTIME,
    UUID,
)

#: So that no column comes to more than a footer may have as text. A day of sixteen GPUs has a fifth of it.
MOST_PLAIN_ROWS = LARGEST_TEXT // LONGEST_ONCE
#: One truth a row.
Mask: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.int64]

NO_GPU = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """The GPUs or boundaries of some shards, one after the other."""

    columns: dict[str, pa.Array]
    counts: Integers  # of each shard
    parents: Integers  # the number of the shard that each is of
    told: dict[str, Mask]  # of each column: the shards that do not leave it out

    def per_shard(self, rows: Mask) -> Mask:
        """Which shards have only rows that are true."""
        return none_of(self.parents[~rows], len(self.counts))


@dataclass(frozen=True, slots=True)
class Footers:
    """Some shards: a column for each field, and their GPUs and boundaries."""

    shards: dict[str, pa.Array]
    gpus: Rows
    boundaries: Rows
    #: A number for each GPU's name, the same wherever that stands; NO_GPU where there is none.
    gpu_of_gpu: Integers
    gpu_of_boundary: Integers

    def __len__(self) -> int:
        return len(self.gpus.counts)


@dataclass(frozen=True, slots=True)
class Lists:
    """The GPUs or boundaries of some shards as they are told: of each column a list a shard."""

    lists: dict[str, pa.ListArray]
    lengths: npt.NDArray[np.int32]  # of each shard in each column, a row a column; 0 where it is left out
    counts: Integers  # of each shard: the longest

    @classmethod
    def of(cls, columns: pa.StructArray) -> Lists:
        """Of objects of lists."""
        lists = struct_fields(columns)
        lengths = np.stack([_differences(each.offsets.to_numpy()) for each in lists.values()])
        return cls(lists, lengths, lengths.max(axis=0).astype(np.int64))

    def are_even(self) -> Mask:
        """Which shards have as many values in each column that they do not leave out, or a short one for
        all."""
        there = np.stack([is_known(each) for each in self.lists.values()])
        once = (self.lengths == 1) & (self.counts > 1)
        even: Mask = ((self.lengths == self.counts) | once | ~there).all(axis=0)
        even &= self.counts <= MOST_PLAIN_ROWS
        for column, length, is_once in zip(self.lists.values(), self.lengths, once, strict=True):
            if _may_be_long(column.type.value_type) and is_once.any():
                values = column.flatten().take(pa.array((np.cumsum(length) - 1)[is_once]))
                even[is_once] &= _bytes(values) <= LONGEST_ONCE
        return even

    def rows(self) -> Rows:
        """Where they are even: one shard's values after the other's, null where a shard leaves one out."""
        counts = self.counts
        parents = np.repeat(np.arange(len(counts)), counts)
        nth = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        found, told = {}, {}
        for (name, column), length in zip(self.lists.items(), self.lengths, strict=True):
            values, told[name] = column.flatten(), is_known(column)
            if not len(values):
                values = pa.nulls(len(parents), values.type)
            elif (length != counts).any():
                first = np.cumsum(length) - length
                at = first[parents] + np.where(length[parents] == 1, 0, nth)
                values = values.take(pa.array(at, mask=None if told[name].all() else ~told[name][parents]))
            found[name] = values
        return Rows(found, counts, parents, told)


def columns_of(table: pa.Table) -> tuple[Footers, Integers]:
    """Of what was parsed the shards whose values have their types and are as many in each column; and which
    of the rows these are."""
    shards = _columns(table)
    lists = {name: Lists.of(shards[name]) for name in IN_COLUMNS}
    even = all_of([each.are_even() for each in lists.values()])
    if not even.all():
        shards = _columns(table.filter(pa.array(even)))
        lists = {name: Lists.of(shards[name]) for name in IN_COLUMNS}
    found = _named(shards, lists["gpus"].rows(), lists["boundaries"].rows())
    found = replace(found, boundaries=_with_what_follows(found))
    typed = all_of([
        *(_has_type(shards[name], hint) for name, hint in HINTS[Shard].items() if name not in IN_COLUMNS),
        *(is_known(shards[name]) for name in IN_COLUMNS),
        found.gpus.per_shard(_fields_have_types(found.gpus.columns, GpuHeld)),
        found.boundaries.per_shard(_fields_have_types(found.boundaries.columns, Boundary)),
    ])  # fmt: skip
    return kept(found, typed), np.flatnonzero(even)[typed]


def kept(found: Footers, which: Mask) -> Footers:
    """Some of the shards."""
    if which.all():
        return found
    gpus, boundaries = which[found.gpus.parents], which[found.boundaries.parents]

    def of(rows: Rows, its: Mask) -> Rows:
        chosen = pa.array(its)
        columns = {name: column.filter(chosen) for name, column in rows.columns.items()}
        told = {name: told[which] for name, told in rows.told.items()}
        return Rows(columns, rows.counts[which], (np.cumsum(which) - 1)[rows.parents[its]], told)

    return Footers(
        {name: column.filter(pa.array(which)) for name, column in found.shards.items()},
        of(found.gpus, gpus),
        of(found.boundaries, boundaries),
        found.gpu_of_gpu[gpus],
        found.gpu_of_boundary[boundaries],
    )


def struct_fields(column: pa.StructArray) -> dict[str, pa.Array]:
    """The fields of objects; null where there is no object."""
    return {each.name: values for each, values in zip(column.type, column.flatten(), strict=True)}


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    return {name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            for name, column in zip(table.column_names, table.columns, strict=True)}  # fmt: skip


def _differences(values: Integers) -> Integers:
    found: Integers = values[1:] - values[:-1]
    return found


def _may_be_long(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_list(kind)


def _bytes(column: pa.Array) -> Integers:
    """Of each text its bytes; of each list of texts theirs, and one more for each."""
    if pa.types.is_list(column.type):
        within = _bytes(column.flatten()) + 1
        return np.bincount(integers(pc.list_parent_indices(column)), within, len(column)).astype(np.int64)
    return integers(pc.binary_length(column)).astype(np.int64)


def _named(shards: dict[str, pa.Array], gpus: Rows, boundaries: Rows) -> Footers:
    """With the names of the GPUs that boundaries tell by their places; null where there is no such GPU."""
    uuids, of_shard = gpus.columns["uuid"], boundaries.parents
    columns = dict(boundaries.columns)
    place = integers(columns.pop(PLACE), unknown=-1)
    at = (np.cumsum(gpus.counts) - gpus.counts)[of_shard] + place
    is_there = (place >= 0) & (place < gpus.counts[of_shard])
    # A name of any length would be spread over many boundaries.
    is_short = np.append(_bytes(uuids) <= LONGEST_ONCE, False)
    at = np.where(is_there, at, len(uuids))
    is_there = is_short[at]
    named = uuids.take(pa.array(at, mask=~is_there))
    by_place = boundaries.told[PLACE]
    if by_place.all():
        numbers = integers(uuids.dictionary_encode().indices, unknown=NO_GPU)
        of_gpu, of_boundary = numbers, np.where(is_there, np.append(numbers, NO_GPU)[at], NO_GPU)
    else:
        named = pc.if_else(pa.array(by_place[of_shard]), named, columns[UUID])
        both = pa.concat_arrays([uuids, named]).dictionary_encode().indices
        of_gpu, of_boundary = np.split(integers(both, unknown=NO_GPU), [len(uuids)])
    columns[UUID] = named
    return Footers(shards, gpus, replace(boundaries, columns=columns), of_gpu, of_boundary)


def _with_what_follows(found: Footers) -> Rows:
    """Boundaries with the columns that are left out because others say them, as `short.py` has it."""
    rows = found.boundaries
    columns = dict(rows.columns)
    before: pa.Array | None = None
    for names in TOGETHER:
        left_out = ~np.logical_or.reduce([rows.told[name] for name in names])
        if not left_out.any():
            continue
        which = None if left_out.all() else pa.array(left_out[rows.parents])
        if names[0] in SINCE:
            before = _places_before(found)
        for name in names:
            follows = _following(name, columns, before)
            columns[name] = follows if which is None else pc.if_else(which, follows, columns[name])
    return replace(rows, columns=columns)


def _following(name: str, columns: dict[str, pa.Array], before: pa.Array | None) -> pa.Array:
    if name in SINCE:
        return columns[SINCE[name]].take(before)
    if name == COUNTER:
        return columns[ENERGY]
    if name == COVERED:
        return pc.subtract(columns[UPTIME], columns[SINCE_UPTIME])
    return pc.if_else(columns[PREVIOUS_UPTIME].is_valid(), columns[SEGMENT], None)


def _places_before(found: Footers) -> pa.Array:
    """Where the boundary before each of its shard's is, of the same GPU; null of the first."""
    rows, gpus = found.boundaries, found.gpu_of_boundary
    gpu_of_shard = rows.parents * (gpus.max(initial=NO_GPU) + 2) + gpus + 1
    order = np.argsort(gpu_of_shard, kind="stable")
    is_same = gpu_of_shard[order[1:]] == gpu_of_shard[order[:-1]]
    before = np.full(len(order), -1)
    before[order[1:][is_same]] = order[:-1][is_same]
    return pa.array(before, mask=before < 0)


def _fields_have_types(columns: dict[str, pa.Array], kind: Any) -> Mask:
    return all_of([_has_type(columns[name], hint) for name, hint in HINTS[kind].items()])


def _has_type(column: pa.Array, hint: Any) -> Mask:
    """Which values are of the type, as far as Arrow's own does not say so: words of a closed list, and null
    only where that may be."""
    right, plain = np.ones(len(column), np.bool_), without_none(hint)
    may_be_null = plain is not hint
    if column.null_count < len(column):
        if get_origin(plain) is tuple:
            within = _has_type(column.flatten(), get_args(plain)[0])
            right = none_of(integers(pc.list_parent_indices(column))[~within], len(column))
        elif is_dataclass(plain):
            right = _fields_have_types(struct_fields(column), plain)
        elif issubclass(plain, Enum):
            right = mask(pc.is_in(column, _words(plain)))
        elif may_be_null:
            return right
    return np.where(is_known(column), right, may_be_null) if column.null_count else right


@cache
def _words(kind: type[Enum]) -> pa.Array:
    return pa.array([each.value for each in kind], pa.string())


def integers(column: pa.Array, unknown: int = 0) -> Integers:
    """Numbers, with one in place of what is not known."""
    filled: Integers = (pc.fill_null(column, unknown) if column.null_count else column).to_numpy()
    return filled


def is_known(column: pa.Array) -> Mask:
    """Where there is a value."""
    if column.null_count in (0, len(column)):
        return np.full(len(column), column.null_count == 0)
    return mask(column.is_valid())


def mask(truths: pa.Array) -> Mask:
    """Truths, none of which is null, for numpy."""
    values: Mask = truths.to_numpy(zero_copy_only=False)
    return values


def all_of(truths: Sequence[Mask]) -> Mask:
    """Where all of them are true."""
    together: Mask = np.logical_and.reduce(truths)
    return together


def none_of(bad: Integers, length: int) -> Mask:
    """Which of so many are not among the bad ones."""
    good: Mask = np.bincount(bad, minlength=length) == 0
    return good
