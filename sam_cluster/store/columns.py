"""Many shards as Arrow columns, without a Python object for each GPU and boundary.

A shard that is not certainly of the types that `core.model` says is left out, for the exact way,
`shards.parse_footer`, to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Boundary, GpuHeld, Shard

from .document import IN_COLUMNS
from .footers import HINTS, without_none
from .lists import Integers, Lists, Mask, Rows, all_of, integers, is_known, mask, none_of, struct_fields
from .unsaid import with_names, with_what_follows


@dataclass(frozen=True, slots=True)
class Footers:
    """Some shards: a column for each field, and their GPUs and boundaries."""

    shards: dict[str, pa.Array]
    gpus: Rows
    boundaries: Rows
    names: pa.Array  # of GPUs, each once
    name_of_gpu: Integers  # the place of each one's among them; -1 where there is none
    name_of_boundary: Integers

    def __len__(self) -> int:
        return len(self.gpus.counts)


def columns_of(table: pa.Table) -> tuple[Footers, Integers]:
    """Of what was parsed the shards whose values have their types and are as many in each column; and which
    of the rows these are."""
    shards = _columns(table)
    lists = {name: Lists.of(shards[name]) for name in IN_COLUMNS}
    even = all_of([each.are_even() for each in lists.values()])
    if not even.all():
        shards = _columns(table.filter(pa.array(even)))
        lists = {name: Lists.of(shards[name]) for name in IN_COLUMNS}
    gpus = lists["gpus"].rows()
    named = with_names(gpus, lists["boundaries"].rows())
    boundaries = with_what_follows(named.boundaries, named.of_boundary)
    found = Footers(shards, gpus, boundaries, named.names, named.of_gpu, named.of_boundary)
    hints = {name: hint for name, hint in HINTS[Shard].items() if name not in IN_COLUMNS}
    typed = all_of(
        [
            _have_types(shards, hints),
            *(is_known(shards[name]) for name in IN_COLUMNS),
            gpus.per_shard(_have_types(gpus.columns, HINTS[GpuHeld])),
            boundaries.per_shard(_have_types(boundaries.columns, HINTS[Boundary])),
        ]
    )
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
        found.names,
        found.name_of_gpu[gpus],
        found.name_of_boundary[boundaries],
    )


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    return {name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            for name, column in zip(table.column_names, table.columns, strict=True)}  # fmt: skip


def _have_types(columns: Mapping[str, pa.Array], hints: Mapping[str, Any]) -> Mask:
    """Which rows have values of these types in all columns."""
    right = np.ones(len(next(iter(columns.values()))), np.bool_)
    for name, hint in hints.items():
        if (found := _has_type(columns[name], hint)) is not None:
            right &= found
    return right


def _has_type(column: pa.Array, hint: Any) -> Mask | None:
    """Which values are of the type, as far as Arrow's own does not say so: words of a closed list, and null
    only where that may be. None: all of them."""
    plain = without_none(hint)
    may_be_null = plain is not hint
    right: Mask | None = None
    if column.null_count < len(column):
        if get_origin(plain) is tuple:
            within = _has_type(column.flatten(), get_args(plain)[0])
            if within is not None:
                right = none_of(integers(pc.list_parent_indices(column))[~within], len(column))
        elif is_dataclass(plain):
            right = _have_types(struct_fields(column), HINTS[plain])
        elif issubclass(plain, Enum):
            right = mask(pc.is_in(column, _words(plain)))
    if not column.null_count or (right is None and may_be_null):
        return right
    known = is_known(column)
    return known if right is None else np.where(known, right, may_be_null)


@cache
def _words(kind: type[Enum]) -> pa.Array:
    return pa.array([each.value for each in kind], pa.string())
