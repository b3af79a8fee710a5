"""Many shards as Arrow columns, without a Python object for each GPU and boundary.

A shard that is not certainly of the types that `core.model` says is left out, for the exact way,
`shards.parse_footer`, to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Any, TypeAlias, get_args, get_origin

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Boundary, GpuHeld, Shard

from .footers import HINTS, IN_COLUMNS, without_none

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


def footers(table: pa.Table) -> tuple[Footers, Integers]:
    """Of what was parsed the shards whose values have their types and are as many in each column; and which
    of the rows these are."""
    shards = _columns(table)
    even = all_of([_is_even(shards[name]) for name in IN_COLUMNS])
    if not even.all():
        shards = _columns(table.filter(pa.array(even)))
    found = Footers(shards, _rows(shards["gpus"]), _rows(shards["boundaries"]))
    typed = all_of([
        *(_has_type(shards[name], hint) for name, hint in HINTS[Shard].items() if name not in IN_COLUMNS),
        *(mask(shards[name].is_valid()) for name in IN_COLUMNS),
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


def _lengths(columns: pa.StructArray) -> npt.NDArray[Any]:
    """How many values each shard has in each column, a row a column; 0 where it was left out."""
    lists = struct_fields(columns).values()
    return np.stack([pc.fill_null(pc.list_value_length(each), 0).to_numpy(False) for each in lists])


def _is_even(columns: pa.StructArray) -> Mask:
    """Which shards have as many values in each column that they do not leave out."""
    lengths = _lengths(columns)
    there = np.stack([mask(each.is_valid()) for each in struct_fields(columns).values()])
    return all_of(list((lengths == lengths.max(axis=0)) | ~there))


def _rows(columns: pa.StructArray) -> Rows:
    """Columns of even length, one shard's values after the other's, null where a shard leaves one out."""
    counts = _lengths(columns).max(axis=0).astype(np.int64)
    found = {}
    for name, lists in struct_fields(columns).items():
        values = lists.flatten()
        if len(values) < counts.sum():
            told = np.repeat(mask(lists.is_valid()), counts)
            values = values.take(pa.array(np.cumsum(told) - 1, mask=~told))
        found[name] = values
    return Rows(found, counts)


def _fields_have_types(columns: dict[str, pa.Array], kind: Any) -> Mask:
    return all_of([_has_type(columns[name], hint) for name, hint in HINTS[kind].items()])


def _has_type(column: pa.Array, hint: Any) -> Mask:
    """Which values are of the type, as far as Arrow's own does not say so: words of a closed list, and null
    only where that may be."""
    is_null, plain = mask(column.is_null()), without_none(hint)
    if get_origin(plain) is tuple:
        within = _has_type(column.flatten(), get_args(plain)[0])
        of = pc.list_parent_indices(column).to_numpy(False)
        right = none_of(of[~within], len(column))
    elif is_dataclass(plain):
        right = _fields_have_types(struct_fields(column), plain)
    elif issubclass(plain, Enum):
        right = mask(pc.is_in(column, pa.array([each.value for each in plain])))
    else:
        right = np.ones(len(column), np.bool_)
    return np.where(is_null, plain is not hint, right)


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
