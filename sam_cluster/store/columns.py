"""Many shards as Arrow columns, without a Python object for each GPU and boundary.

A shard that is not certainly of the types that `core.model` says is left out, for the exact way,
`shards.parse_footer`, to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeAlias, get_args, get_origin

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Boundary, GpuHeld, Shard

from .document import IN_COLUMNS
from .footers import HINTS, without_none

#: One truth a row.
Mask: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The GPUs or boundaries of some shards, one after the other."""

    columns: dict[str, pa.Array]
    counts: Integers  # of each shard

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
    found = Footers(shards, _rows(shards["gpus"]), _rows(shards["boundaries"]))
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
        return Rows({name: column.filter(its) for name, column in rows.columns.items()}, rows.counts[which])

    shards = {name: column.filter(chosen) for name, column in found.shards.items()}
    return Footers(shards, of(found.gpus), of(found.boundaries))


def struct_fields(column: pa.StructArray) -> dict[str, pa.Array]:
    """The fields of objects; null where there is no object."""
    return {each.name: values for each, values in zip(column.type, column.flatten(), strict=True)}


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    return {name: pa.concat_arrays(table[name].chunks) if len(table) else pa.array([], table.field(name).type)
            for name in table.column_names}  # fmt: skip


def _lengths(lists: dict[str, pa.ListArray]) -> npt.NDArray[np.int32]:
    """How many values each shard has in each column, a row a column; 0 where it was left out."""
    return np.stack([np.diff(each.offsets.to_numpy()) for each in lists.values()])


def _is_even(columns: pa.StructArray) -> Mask:
    """Which shards have as many values in each column that they do not leave out."""
    lists = struct_fields(columns)
    lengths = _lengths(lists)
    there = np.stack([is_known(each) for each in lists.values()])
    return all_of(list((lengths == lengths.max(axis=0)) | ~there))


def _rows(columns: pa.StructArray) -> Rows:
    """Columns of even length, one shard's values after the other's, null where a shard leaves one out."""
    lists = struct_fields(columns)
    counts = _lengths(lists).max(axis=0).astype(np.int64)
    total = int(counts.sum())
    found = {}
    for name, column in lists.items():
        values = column.flatten()
        if not len(values):
            values = pa.nulls(total, values.type)
        elif len(values) < total:
            told = np.repeat(is_known(column), counts)
            values = values.take(pa.array(np.cumsum(told) - 1, mask=~told))
        found[name] = values
    return Rows(found, counts)


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
