"""Which of many shards are certainly sound: what `soundness.py` says of one, for columns.

A shard of which this is not certain here is judged by `soundness.complaint`, which has the words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import SLUID, Kind
from sam_cluster.core.units import MICROSECONDS_PER_SECOND

from .columns import Footers
from .lists import Integers, Mask, Rows, all_of, integers, is_known, mask, none_of, struct_fields
from .numbers import total
from .paths import SAFE_NAME
from .soundness import (
    ADDED_UP,
    DEVICE,
    ENERGIES,
    INSTANTS,
    INT64,
    LARGEST_COUNT,
    LARGEST_MILLIJOULES,
    LAST_INSTANT,
    LONGEST_GPU_NAME,
    LONGEST_INTERVAL,
    LONGEST_TOGETHER,
    MOST_SLICES,
    RUN_ID,
    UPTIMES,
)


def are_plain(found: Footers, nodes: Sequence[str], names: Sequence[str]) -> Mask:
    """Which shards are sound where they lie, in the directories of these nodes under these file names, and
    leave no instant to be counted back."""
    shards, host = found.shards, struct_fields(found.shards["host"])
    key = struct_fields(shards["key"])
    start = integers(shards["started_at_microseconds"])
    counts = (shards["part"], key["restart"], shards["nodes_expected"], shards["cpus"], host["cpus"])
    cost = struct_fields(shards["agent_cost"]).values()
    slices = integers(found.gpus.columns["mig_slices"], unknown=1)
    gpu_name = integers(pc.binary_length(found.gpus.columns["name"]))
    boundaries = found.boundaries
    return all_of([
        _are(shards["node"], nodes),
        _are_named(SAFE_NAME, shards["node"], key["cluster"]),
        ~is_known(key["sluid"]) | _matches(SLUID, key["sluid"]),
        _matches(RUN_ID, run_ids(found)),
        _are(_file_names(found, start), names),
        _within(LAST_INSTANT, shards["started_at_microseconds"], shards["ended_at_microseconds"]),
        _within(LARGEST_COUNT, *counts),
        _within(INT64, *cost),
        _domains_are_sound(host["domains"]),
        found.gpus.per_shard((slices > 0) & (slices <= MOST_SLICES) & (gpu_name <= LONGEST_GPU_NAME)),
        boundaries.per_shard(_gpus_are_named(found) & _are_named(DEVICE, boundaries.columns["segment"])),
        boundaries.per_shard(_boundaries_are_sound(boundaries) & _has_all_instants(boundaries)),
        boundaries.per_shard(~_may_come_again(found)),
        _adds_up(found, host["domains"]),
    ])  # fmt: skip


def run_ids(found: Footers) -> pa.Array:
    """As `RunKey.run_id`."""
    key = struct_fields(found.shards["key"])
    numbered = pc.binary_join_element_wise(
        key["job_id"].cast(pa.string()), key["restart"].cast(pa.string()), "."
    )
    has_sluid = pc.greater(pc.fill_null(pc.binary_length(key["sluid"]), 0), 0)
    return pc.if_else(has_sluid, key["sluid"], numbered)


def _file_names(found: Footers, start: Integers) -> pa.Array:
    """As `shard_name`, of shards that have no other beside them."""
    seconds = pa.array(start // MICROSECONDS_PER_SECOND).cast(pa.string())
    begin = pc.binary_join_element_wise(run_ids(found), seconds, "-")
    return pc.binary_join_element_wise(begin, found.shards["part"].cast(pa.string()), "parquet", ".")


def _boundaries_are_sound(rows: Rows) -> Mask:
    columns = rows.columns
    uptime, since = columns["uptime_microseconds"], columns["since_uptime_microseconds"]
    energy, before = columns["energy_millijoules"], columns["since_energy_millijoules"]
    gap, kind = columns["gap_microseconds"], columns["kind"]
    lag = integers(columns["lag_microseconds"])
    span = integers(uptime) - integers(since)
    opens = _holds(pc.equal(kind, Kind.SEGMENT)) & ~is_known(since)
    return all_of([
        _within(LAST_INSTANT, *(columns[name] for name in INSTANTS)),
        _within(LAST_INSTANT, *(columns[name] for name in UPTIMES)),
        (lag >= -LAST_INSTANT) & (lag <= LAST_INSTANT),
        _within(LARGEST_MILLIJOULES, *(columns[name] for name in ENERGIES)),
        ~is_known(since) | ((span >= 0) & (span <= LONGEST_INTERVAL)),
        ~is_known(since) | ~_holds(pc.equal(kind, Kind.START)),
        _within(LONGEST_INTERVAL, gap),
        ~is_known(columns["bridged_millijoules"]) | (opens & (integers(gap) > 0)),
        ~is_known(energy) | ~is_known(before) | (integers(energy) >= integers(before)),
    ])  # fmt: skip


def _has_all_instants(rows: Rows) -> Mask:
    """Whether no instant has to be counted back from the one after it."""
    columns = rows.columns
    since_is_told = is_known(columns["since_at_microseconds"]) | ~is_known(
        columns["since_uptime_microseconds"]
    )
    previous_is_told = is_known(columns["previous_at_microseconds"]) | ~is_known(
        columns["previous_uptime_microseconds"]
    )
    return since_is_told & previous_is_told


def _may_come_again(found: Footers) -> Mask:
    """Which boundaries are of the same GPU and instant as another of their shard, as all are whose
    BOUNDARY_KEY is the same."""
    rows, gpus = found.boundaries, found.name_of_boundary
    gpu = rows.parents * (gpus.max(initial=0) + 1) + gpus
    uptime = integers(rows.columns["uptime_microseconds"])
    order = np.lexsort([uptime, gpu])
    again = np.zeros(len(order), np.bool_)
    again[order[1:]] = all_of([key[order[1:]] == key[order[:-1]] for key in (gpu, uptime)])
    return again


def _adds_up(found: Footers, domains: pa.ListArray) -> Mask:
    """Whether the times and energies of a shard add up to what may be; the energies to no more than as many
    times the greatest."""
    rows = found.boundaries
    uptime, since = rows.columns["uptime_microseconds"], rows.columns["since_uptime_microseconds"]
    span = np.where(is_known(since), integers(uptime) - integers(since), 0)
    energy, before = rows.columns["energy_millijoules"], rows.columns["since_energy_millijoules"]
    spent = np.where(is_known(before), integers(energy) - integers(before), 0)
    greatest = np.maximum.reduce([spent, *(integers(rows.columns[name]) for name in ADDED_UP)])
    drawn = integers(struct_fields(domains.flatten())["energy_millijoules"])
    of_domain = integers(pc.list_parent_indices(domains))
    return all_of([
        total(span, rows.parents, len(found)) <= LONGEST_TOGETHER,
        _times_greatest_fits(greatest, rows.parents, len(found)),
        _times_greatest_fits(drawn, of_domain, len(found)),
    ])  # fmt: skip


def _times_greatest_fits(values: Integers, of: Integers, length: int) -> Mask:
    greatest, count = np.zeros(length, np.int64), np.bincount(of, minlength=length)
    np.maximum.at(greatest, of, values)
    fits: Mask = greatest <= LARGEST_MILLIJOULES // np.maximum(count, 1)
    return fits


def _domains_are_sound(domains: pa.ListArray) -> Mask:
    energy = struct_fields(domains.flatten())["energy_millijoules"]
    of = integers(pc.list_parent_indices(domains))
    return none_of(of[~_within(LARGEST_MILLIJOULES, energy)], len(domains))


def _within(largest: int, *columns: pa.Array) -> Mask:
    """Whether the numbers that are known are from 0 to the largest."""
    every = integers(pa.concat_arrays(columns)).reshape(len(columns), -1)
    return all_of(list((every >= 0) & (every <= largest)))


def _gpus_are_named(found: Footers) -> Mask:
    """Whether the GPU of each boundary has a device's name."""
    return np.append(_matches(DEVICE, found.names), False)[found.name_of_boundary]


def _are_named(pattern: re.Pattern[str], *columns: pa.Array) -> Mask:
    """Whether the texts in all columns match; there are few, and each comes often."""
    texts = pa.concat_arrays(columns).dictionary_encode()
    known = np.append(_matches(pattern, texts.dictionary), False)
    return all_of(list(known[integers(texts.indices, unknown=-1)].reshape(len(columns), -1)))


def _are(texts: pa.Array, names: Sequence[str]) -> Mask:
    """Whether each text is the name in its place; a file's name can be any bytes."""
    encoded = [name.encode(errors="surrogateescape") for name in names]
    return _holds(pc.equal(texts.cast(pa.binary()), pa.array(encoded, pa.binary())))


def _matches(pattern: re.Pattern[str], column: pa.Array) -> Mask:
    if column.null_count == len(column):
        return np.zeros(len(column), np.bool_)
    # The whole of the text: Python's fullmatch in the words of RE2.
    return _holds(pc.match_substring_regex(column, rf"\A(?:{pattern.pattern})\z"))


def _holds(truths: pa.Array) -> Mask:
    """What is not known does not hold."""
    return mask(pc.fill_null(truths, False))
