"""Rows by number: those that are alike have one, and what is of a group is a sum over integers.

A Python object a row costs more than all else that is done with it. Here a row's group is a number from 0
on, and each figure of all groups is one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.cores import on_all_cores

Numbers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: A product of the numbers of values in some columns that an int64 holds.
PRODUCT_LIMIT = 1 << 62


def numbers(columns: Sequence[pa.Array | pa.ChunkedArray | Numbers]) -> Numbers:
    """A number a row: rows that are alike in all columns have the same. They count from 0; null is like null.
    A column may be such numbers."""
    (found, values), *others = on_all_cores(_coded, columns, len(columns[0]))
    for codes, more in others:
        if values * more >= PRODUCT_LIMIT:
            found, values = _coded(pa.array(found))
        found, values = found * more + codes, values * more
    return found if len(columns) == 1 else _coded(pa.array(found))[0]


def numbers_across(names: Sequence[str], *tables: pa.Table) -> list[Numbers]:
    """As `numbers`, of the rows of several tables in one count."""
    columns = [
        pa.chunked_array([chunk for table in tables for chunk in table[name].chunks], tables[0][name].type)
        for name in names
    ]
    ends = np.cumsum([0, *map(len, tables)])
    found = numbers(columns)
    return [found[begin:end] for begin, end in pairwise(ends)]


def order_of(columns: Sequence[pa.ChunkedArray | Numbers], first: int | None = None) -> Numbers:
    """The rows sorted by some columns, ascending, nulls last: as `pa.Table.sort_by` has them where no two are
    alike, in a third of its time. Where few rows are alike in so many of the `first` columns, the others are
    looked at for these rows only."""
    ranks = _ranks(columns[:first])
    order = np.argsort(ranks)
    rest = [] if first is None else columns[first:]
    ranks = ranks[order]
    is_alike = ranks[1:] == ranks[:-1]
    if not rest or not is_alike.any():
        return order
    among = np.flatnonzero(np.append(is_alike, False) | np.append(False, is_alike))
    rows = order[among]
    order[among] = rows[order_of([ranks[among], *(each.take(pa.array(rows)) for each in rest)])]
    return order


def _ranks(columns: Sequence[pa.ChunkedArray | Numbers]) -> Numbers:
    """A number a row, in the order of the rows by some columns."""
    (found, values), *others = on_all_cores(_ranked, columns, len(columns[0]))
    for ranks, more in others:
        if len(found) and np.all(found[1:] > found[:-1]):
            break
        if values * more >= PRODUCT_LIMIT:
            found, values = _dense(found)
            if values == len(found):  # the rows differ already
                break
        if values * more >= PRODUCT_LIMIT:
            ranks, more = _dense(ranks)
        found, values = found * more + ranks, values * more
    return found


def count_of(*several: Numbers) -> int:
    """How many groups there are, of which these are the numbers."""
    return 1 + max((int(each.max(initial=-1)) for each in several), default=-1)


def alike(one: pa.Table, other: pa.Table) -> Mask:
    """Which rows of two tables of as many rows are the same in all columns of the first."""
    same = np.ones(len(one), np.bool_)
    for name in one.column_names:
        of_one, of_other = numbers_across([name], one, other)
        same &= of_one == of_other
    return same


def integers(column: pa.Array | pa.ChunkedArray) -> Numbers:
    """A column of integers or instants (microseconds); 0 where it is null."""
    plain = column.cast(pa.int64())
    return np.asarray((plain.fill_null(0) if plain.null_count else plain).to_numpy(), np.int64)


def mask(column: pa.Array | pa.ChunkedArray) -> Mask:
    """A column of truths; false where it is null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def total(values: Numbers, groups: Numbers, count: int) -> Numbers:
    """The sum of each of so many groups."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, values)
    return sums


def least(values: Numbers, groups: Numbers, count: int) -> Numbers:
    """The least value of each group; the greatest integer of a group without rows."""
    found = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(found, groups, values)
    return found


def greatest(values: Numbers, groups: Numbers, count: int) -> Numbers:
    """The greatest value of each group; the least integer of a group without rows."""
    found = np.full(count, np.iinfo(np.int64).min)
    np.maximum.at(found, groups, values)
    return found


def one_of_each(values: Numbers, groups: Numbers, count: int) -> Numbers:
    """Of each group the value of its last row; -1 of a group without rows."""
    found = np.full(count, -1)
    found[groups] = values
    return found


def uneven(values: Numbers, groups: Numbers, count: int) -> Numbers:
    """The groups in which not all values are the same."""
    differs: Mask = one_of_each(values, groups, count)[groups] != values
    return groups[differs]


def _coded(column: pa.Array | pa.ChunkedArray | Numbers) -> tuple[Numbers, int]:
    """A number a value, and how many values there are."""
    if isinstance(column, np.ndarray):
        return column, count_of(column)
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_nested(array.type):  # of which Arrow makes no dictionary
        array = pa.array(map(str, array.to_pylist()), pa.string())
    coded = pc.dictionary_encode(array, null_encoding="encode")
    return coded.indices.to_numpy().astype(np.int64), len(coded.dictionary)


def _ranked(column: pa.ChunkedArray | Numbers) -> tuple[Numbers, int]:
    """A number a value, in the order of the values, null the last, and below how much all of them are."""
    if isinstance(column, np.ndarray):
        return _from_zero(column)
    array = column.combine_chunks()
    if not pa.types.is_string(array.type):
        known = array.is_valid()
        ranks, values = _from_zero(integers(array.drop_null()))
        if not array.null_count:
            return ranks, values
        found = np.full(len(array), values)
        found[mask(known)] = ranks
        return found, values + 1
    coded = pc.dictionary_encode(array, null_encoding="encode")
    rank = np.empty(len(coded.dictionary), np.int64)
    rank[pc.array_sort_indices(coded.dictionary).to_numpy()] = np.arange(len(rank))
    return rank[coded.indices.to_numpy()], len(rank)


def _from_zero(values: Numbers) -> tuple[Numbers, int]:
    least, greatest = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if greatest - least >= PRODUCT_LIMIT:
        return _dense(values)
    return values - least, greatest - least + 1


def _dense(values: Numbers) -> tuple[Numbers, int]:
    """Their ranks, without those that no value has."""
    distinct, ranks = np.unique(values, return_inverse=True)
    return ranks, len(distinct)
