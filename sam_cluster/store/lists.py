"""GPUs and boundaries of many shards, each an object of lists, as columns with one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .footers import LARGEST_TEXT
from .short import LONGEST_ONCE

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
    parents: Integers  # the number of the shard that each is of
    told: dict[str, Mask]  # of each column: the shards that do not leave it out

    def per_shard(self, rows: Mask) -> Mask:
        """Which shards have only rows that are true."""
        return none_of(self.parents[~rows], len(self.counts))


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
                even[is_once] &= bytes_of(values) <= LONGEST_ONCE
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


def struct_fields(column: pa.StructArray) -> dict[str, pa.Array]:
    """The fields of objects; null where there is no object."""
    return {each.name: values for each, values in zip(column.type, column.flatten(), strict=True)}


def _differences(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return values[1:] - values[:-1]


def _may_be_long(kind: pa.DataType) -> bool:
    found: bool = pa.types.is_string(kind) or pa.types.is_list(kind)
    return found


def bytes_of(column: pa.Array) -> Integers:
    """Of each text its bytes; of each list of texts theirs, and one more for each."""
    if pa.types.is_list(column.type):
        within = bytes_of(column.flatten()) + 1
        return np.bincount(integers(pc.list_parent_indices(column)), within, len(column)).astype(np.int64)
    return integers(pc.binary_length(column)).astype(np.int64)


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
