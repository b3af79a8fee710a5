"""Many plain shards as rows of the tables `shards` and `readings`, as `shard_rows.py` has them of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Flag, Kind
from sam_cluster.energy.quality import BOUNDARY_FLAGS, OUTER_KINDS
from sam_cluster.store.columns import Footers
from sam_cluster.store.lists import Integers, Rows, integers, is_known, mask, struct_fields
from sam_cluster.store.plainness import run_ids
from sam_cluster.store.schemas import READINGS, SHARDS

#: In the order in which a row has them.
SORTED_FLAGS = pa.array(sorted(Flag), pa.string())
NUMBER_OF_FLAG = {Flag(word): number for number, word in enumerate(SORTED_FLAGS.to_pylist())}
#: Columns that are named otherwise where instants are integers.
INSTANTS = {
    "at": "at_microseconds",
    "since_at": "since_at_microseconds",
    "previous_at": "previous_at_microseconds",
    "started_at": "started_at_microseconds",
    "ended_at": "ended_at_microseconds",
}


def rows_of(found: Footers, digests: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The rows of `shards` and of `readings` of shards that are sound and plain, with these digests."""
    shards = _shard_columns(found, digests)
    return _table(SHARDS, shards), _table(READINGS, _reading_columns(found, shards))


def _table(schema: pa.Schema, columns: dict[str, pa.Array]) -> pa.Table:
    named = [columns[INSTANTS.get(each.name, each.name)] for each in schema]
    typed = [
        values if values.type == each.type else values.cast(each.type)
        for each, values in zip(schema, named, strict=True)
    ]
    return pa.Table.from_arrays(typed, schema=schema)


def _shard_columns(found: Footers, digests: Sequence[str]) -> dict[str, pa.Array]:
    key, cost = struct_fields(found.shards["key"]), struct_fields(found.shards["agent_cost"])
    host = struct_fields(found.shards["host"])
    return {
        **found.shards,
        "cluster": key["cluster"],
        "run_id": run_ids(found),
        "raw_job_id": key["job_id"],
        "restart": key["restart"],
        "sluid": key["sluid"],
        "gpus": _gpus(found.gpus),
        "flags": _run_flags(found),
        "agent_cpu_microseconds": cost["cpu_microseconds"],
        "agent_resident_bytes": cost["resident_bytes"],
        **{name: cost[name] for name in cost if name in SHARDS.names},
        "node_cpus": host["cpus"],
        "host_domains": host["domains"],
        "shard_digest": pa.array(digests, pa.string()),
    }


def _gpus(gpus: Rows) -> pa.ListArray:
    kind = SHARDS.field("gpus").type.value_type
    values = pa.StructArray.from_arrays([gpus.columns[each.name] for each in kind], fields=list(kind))
    return pa.ListArray.from_arrays(_offsets(gpus.counts), values)


def _run_flags(found: Footers) -> pa.ListArray:
    """As `energy.quality.run_flags`."""
    own, its = _numbered(found.shards["flags"])
    of_boundaries = np.isin(its, [NUMBER_OF_FLAG[flag] for flag in BOUNDARY_FLAGS])
    rows, parents = found.boundaries.columns, found.boundaries.parents
    outer = mask(pc.is_in(rows["kind"], pa.array(sorted(OUTER_KINDS))))
    of, theirs = _numbered(rows["flags"])
    counts = outer[of]
    opens = mask(pc.equal(rows["kind"], Kind.SEGMENT)) & ~is_known(rows["since_uptime_microseconds"])
    reset = np.where(
        is_known(rows["bridged_millijoules"]),
        NUMBER_OF_FLAG[Flag.BRIDGED],
        NUMBER_OF_FLAG[Flag.COUNTER_RESET],
    )
    shards = np.concatenate([own[~of_boundaries], parents[of[counts]], parents[opens]])
    flags = np.concatenate([its[~of_boundaries], theirs[counts], reset[opens]])
    # Each flag of a shard once, by shard and flag.
    of, each = np.divmod(np.unique(shards * len(SORTED_FLAGS) + flags), len(SORTED_FLAGS))
    return _lists_of_flags(of, each, len(found))


def _reading_columns(found: Footers, shards: dict[str, pa.Array]) -> dict[str, pa.Array]:
    rows, parents = found.boundaries, pa.array(found.boundaries.parents)
    of_shard = ("cluster", "run_id", "raw_job_id", "node", "part", "shard_digest", "started_at_microseconds")
    of, flags = _numbered(rows.columns["flags"])
    order = np.lexsort([flags, of])
    return {
        **rows.columns,
        **{name: shards[name].take(parents) for name in of_shard},
        **_of_gpus(found),
        "flags": _lists_of_flags(of, flags[order], len(parents)),
    }


def _of_gpus(found: Footers) -> dict[str, pa.Array]:
    """What the run holds of the GPU of each boundary: its name, the compute slices of it where all are
    known, and how many GPUs it holds in all."""
    gpus, rows = found.gpus, found.boundaries
    uuid = gpus.columns["uuid"]
    is_named = pc.greater(pc.fill_null(pc.binary_length(uuid), 0), 0)
    names = found.name_of_gpu
    if not pc.all(is_named).as_py():
        asked_for = pc.if_else(is_named, uuid, gpus.columns["requested"])
        names = integers(asked_for.dictionary_encode().indices)
    # A GPU of a shard as one number; -1 where it is not known which one it is.
    many = max(int(each.max(initial=0)) for each in (names, found.name_of_gpu, found.name_of_boundary)) + 1
    held = np.unique(gpus.parents * many + names)
    mine = np.where(is_known(uuid), gpus.parents * many + found.name_of_gpu, -1)
    asked = rows.parents * many + found.name_of_boundary
    return {
        "gpu_model": gpus.columns["name"].take(_last(mine, asked)),
        "mig_slices": _sums(gpus.columns["mig_slices"], mine, asked),
        "gpus_held": pa.array(np.bincount(held // many, minlength=len(found))[rows.parents]),
    }


def _last(keys: Integers, asked: Integers) -> pa.Array:
    """Where in the keys each that is asked for stands last; null where it does not."""
    order = np.append(np.argsort(keys, kind="stable"), -1)  # the last is where one is that is not there
    at = np.searchsorted(keys[order[:-1]], asked, side="right") - 1
    last = order[at]
    return pa.array(last, mask=(last < 0) | (keys[last] != asked) if len(keys) else last < 0)


def _sums(values: pa.Array, keys: Integers, asked: Integers) -> pa.Array:
    """The sum of the values of each key that is asked for; null where one of them is not known, or none."""
    if values.null_count == len(values):
        return pa.nulls(len(asked), pa.int64())
    every, at = np.unique(keys, return_inverse=True)
    sums = np.bincount(at, weights=integers(values), minlength=len(every))
    known = np.bincount(at[~is_known(values)], minlength=len(every)) == 0
    found = np.searchsorted(every, asked)
    is_there = np.isin(asked, every[known])
    chosen = sums[np.where(is_there, found, 0)] if len(every) else found
    return pa.array(chosen.astype(np.int64), mask=~is_there)


def _numbered(flags: pa.ListArray) -> tuple[Integers, Integers]:
    """Each flag in the lists: in which list it is, and its number."""
    numbers: Integers = pc.index_in(flags.flatten(), SORTED_FLAGS).to_numpy(zero_copy_only=False)
    return integers(pc.list_parent_indices(flags)), numbers


def _lists_of_flags(of: Integers, flags: Integers, length: int) -> pa.ListArray:
    """Flags, which are sorted by the list they belong to, as the lists."""
    counts = np.bincount(of, minlength=length)
    return pa.ListArray.from_arrays(_offsets(counts), SORTED_FLAGS.take(pa.array(flags)))


def _offsets(counts: Integers) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
