"""What `short.py` leaves out of boundaries because others say it, for columns of many shards."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .lists import Integers, Rows, bytes_of, integers
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

NO_GPU = -1


class Named(NamedTuple):
    """Boundaries with the names of their GPUs; all names, and the place of each one's among them, NO_GPU
    where there is none."""

    boundaries: Rows
    names: pa.Array
    of_gpu: Integers
    of_boundary: Integers


def with_names(gpus: Rows, boundaries: Rows) -> Named:
    """With the names of the GPUs that boundaries tell by their places; null where there is no such GPU."""
    uuids, of_shard = gpus.columns["uuid"], boundaries.parents
    columns = dict(boundaries.columns)
    place = integers(columns.pop(PLACE), unknown=-1)
    at = (np.cumsum(gpus.counts) - gpus.counts)[of_shard] + place
    is_there = (place >= 0) & (place < gpus.counts[of_shard])
    # A name of any length would be spread over many boundaries.
    is_short = np.append(bytes_of(uuids) <= LONGEST_ONCE, False)
    at = np.where(is_there, at, len(uuids))
    is_there = is_short[at]
    named = uuids.take(pa.array(at, mask=~is_there))
    by_place = boundaries.told[PLACE]
    if by_place.all():
        every = uuids.dictionary_encode()
        of_gpu = integers(every.indices, unknown=NO_GPU)
        of_boundary = np.where(is_there, np.append(of_gpu, NO_GPU)[at], NO_GPU)
    else:
        named = pc.if_else(pa.array(by_place[of_shard]), named, columns[UUID])
        every = pa.concat_arrays([uuids, named]).dictionary_encode()
        of_gpu, of_boundary = np.split(integers(every.indices, unknown=NO_GPU), [len(uuids)])
    columns[UUID] = named
    return Named(replace(boundaries, columns=columns), every.dictionary, of_gpu, of_boundary)


def with_what_follows(rows: Rows, gpus: Integers) -> Rows:
    """Boundaries with the columns that follow from others; `gpus` are the numbers of their GPUs' names."""
    columns = dict(rows.columns)
    before: pa.Array | None = None
    for names in TOGETHER:
        left_out = ~np.logical_or.reduce([rows.told[name] for name in names])
        if not left_out.any():
            continue
        which = None if left_out.all() else pa.array(left_out[rows.parents])
        if names[0] in SINCE:
            before = _places_before(rows, gpus)
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


def _places_before(rows: Rows, gpus: Integers) -> pa.Array:
    """Where the boundary before each of its shard's is, of the same GPU; null of the first."""
    gpu_of_shard = rows.parents * (gpus.max(initial=NO_GPU) + 2) + gpus + 1
    order = np.argsort(gpu_of_shard, kind="stable")
    is_same = gpu_of_shard[order[1:]] == gpu_of_shard[order[:-1]]
    before = np.full(len(order), -1)
    before[order[1:][is_same]] = order[:-1][is_same]
    return pa.array(before, mask=before < 0)
