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
from .short import ENERGY, LONGEST_ONCE, SINCE, TOGETHER

#: So that no column comes to more than a footer may have as text. A day of sixteen GPUs has a fifth of it.
MOST_PLAIN_ROWS = LARGEST_TEXT // LONGEST_ONCE
#: One truth a row.
Mask: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The GPUs or boundaries of some shards, one after the other."""

    columns: dict[str, pa.Array]
    counts: Integers  # of each shard
    told: dict[str, Mask]  # of each column: the shards that do not leave it out

    @property
    def parents(self) -> Integers:
        """The number of the shard that each is of."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def per_shard(self, rows: Mask) -> Mask:
        """Which shards have only rows that are true."""
        return none_of(self.parents[~rows], len(self.counts))


@dataclass(frozen=True, slots=True)
class Footers:
    """Some shards: a column for each field, and their GPUs and boundaries."""

    shards: dict[str, pa.Array]
    gpus: Rows
    boundaries: Rows

    def __len__(self) -> int:
        return len(self.gpus.counts)


def columns_of(table: pa.Table) -> tuple[Footers, Integers]:
    """Of what was parsed the shards whose values have their types and are as many in each column; and which
    of the rows these are."""
    shards = _columns(table)
    even = all_of([_is_even(shards[name]) for name in IN_COLUMNS])
    if not even.all():
        shards = _columns(table.filter(pa.array(even)))
    found = Footers(shards, _rows(shards["gpus"]), _with_what_follows(_rows(shards["boundaries"])))
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
    chosen = pa.array(which)

    def of(rows: Rows) -> Rows:
        its = pa.array(which[rows.parents])
        columns = {name: column.filter(its) for name, column in rows.columns.items()}
        return Rows(columns, rows.counts[which], {name: told[which] for name, told in rows.told.items()})

    shards = {name: column.filter(chosen) for name, column in found.shards.items()}
    return Footers(shards, of(found.gpus), of(found.boundaries))


def struct_fields(column: pa.StructArray) -> dict[str, pa.Array]:
    """The fields of objects; null where there is no object."""
    return {each.name: values for each, values in zip(column.type, column.flatten(), strict=True)}


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    return {name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            for name, column in zip(table.column_names, table.columns, strict=True)}  # fmt: skip


def _lengths(lists: dict[str, pa.ListArray]) -> npt.NDArray[np.int32]:
    """How many values each shard has in each column, a row a column; 0 where it was left out."""
    return np.stack([np.diff(each.offsets.to_numpy()) for each in lists.values()])


def _is_even(columns: pa.StructArray) -> Mask:
    """Which shards have as many values in each column that they do not leave out, or a short one for all."""
    lists = struct_fields(columns)
    lengths = _lengths(lists)
    counts = lengths.max(axis=0)
    there = np.stack([is_known(each) for each in lists.values()])
    once = (lengths == 1) & (counts > 1)
    even = all_of([counts <= MOST_PLAIN_ROWS, *((lengths == counts) | once | ~there)])
    for column, is_once in zip(lists.values(), once, strict=True):
        even[is_once] &= _bytes(column.filter(pa.array(is_once))) <= LONGEST_ONCE
    return even


def _bytes(column: pa.Array) -> Integers:
    """Of each value the bytes of its texts, and one more for each text and list within."""
    if pa.types.is_list(column.type):
        within = _bytes(column.flatten()) + 1
        return np.bincount(integers(pc.list_parent_indices(column)), within, len(column)).astype(np.int64)
    if pa.types.is_string(column.type):
        return integers(pc.binary_length(column)).astype(np.int64)
    return np.zeros(len(column), np.int64)


def _rows(columns: pa.StructArray) -> Rows:
    """Columns of even length, one shard's values after the other's, null where a shard leaves one out."""
    lists = struct_fields(columns)
    lengths = _lengths(lists)
    counts = lengths.max(axis=0).astype(np.int64)
    parents = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    found, told = {}, {}
    for (name, column), length in zip(lists.items(), lengths, strict=True):
        values, told[name] = column.flatten(), is_known(column)
        if not len(values):
            values = pa.nulls(len(parents), values.type)
        elif (length != counts).any():
            first = np.cumsum(length) - length
            at = first[parents] + np.where(length[parents] == 1, 0, nth)
            values = values.take(pa.array(at, mask=None if told[name].all() else ~told[name][parents]))
        found[name] = values
    return Rows(found, counts, told)


def _with_what_follows(rows: Rows) -> Rows:
    """Boundaries with the columns that are left out because others say them, as `short.py` has it."""
    columns = dict(rows.columns)
    before: pa.Array | None = None
    for names in TOGETHER:
        left_out = ~np.logical_or.reduce([rows.told[name] for name in names])
        if not left_out.any():
            continue
        which = None if left_out.all() else pa.array(left_out[rows.parents])
        for name in names:
            if name in SINCE:
                before = _places_before(rows) if before is None else before
                follows = rows.columns[SINCE[name]].take(before)
            else:
                follows = rows.columns[ENERGY]
            columns[name] = follows if which is None else pc.if_else(which, follows, columns[name])
    return replace(rows, columns=columns)


def _places_before(rows: Rows) -> pa.Array:
    """Where the boundary before each of its shard's is, of the same GPU; null of the first."""
    gpus = integers(rows.columns["gpu_uuid"].dictionary_encode().indices, unknown=-1)
    gpu_of_shard = rows.parents * (gpus.max(initial=-1) + 2) + gpus + 1
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
