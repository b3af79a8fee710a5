"""Jobs whose shards leave nothing to choose, as columns: one run, that each of its nodes sent whole.

What a run is made of its shards is said in `join` and `summarise`, which make those of all other jobs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Flag
from sam_cluster.energy.plain.columns import BIT, FLAGS
from sam_cluster.store.numbers import (
    Mask,
    Numbers,
    count_of,
    greatest,
    integers,
    least,
    mask,
    numbers,
    one_of_each,
    total,
    uneven,
)

from ..evidence import Evidence
from ..join import SLACK_MICROSECONDS

#: What all shards of a plain job's run agree on.
SAME_IN_ALL = ("run_id", "restart", "user", "account")
#: Instants from here on (in the year 2255) are left to integers without an end.
LATEST = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """What the shards of each job say, where it `is_plain`; a job without shards is not."""

    is_plain: Mask
    shard: Numbers  # one of its run, with what is the same in all of them
    started_at: Numbers
    ended_at: Numbers
    nodes: Numbers
    nodes_expected: Numbers  # 0 where no shard says it
    gpus: Numbers
    held_microseconds: Numbers
    flags: Numbers  # one BIT each, those of the shards only
    job_of_hour: Numbers
    gpu_of_hour: Numbers


def outlines(evidence: Evidence) -> Outlines:
    """The outline of each job's run."""
    shards, job, count = evidence.shards, evidence.job_of_shard, len(evidence.jobs)
    started, ended = integers(shards["started_at"]), integers(shards["ended_at"])
    node = numbers([job, shards["node"]])
    nodes = count_of(node)
    job_of_node = one_of_each(job, node, nodes)
    begin, end = least(started, node, nodes), greatest(ended, node, nodes)
    flags, is_odd = flag_bits(shards["flags"], job, count)
    is_odd |= (flags & BIT[Flag.NO_START]) != 0
    is_odd |= np.bincount(job, minlength=count) == 0
    for name in SAME_IN_ALL:
        is_odd[uneven(numbers([shards[name]]), job, count)] = True
    begun = least(started, job, count)
    is_odd[job[started - SLACK_MICROSECONDS > begun[job]]] = True
    is_odd[job[(np.minimum(started, ended) <= 0) | (np.maximum(started, ended) >= LATEST)]] = True
    expected = integers(shards["nodes_expected"])
    is_odd[job[mask(pc.less_equal(shards["nodes_expected"], 0))]] = True
    # Each part of it has come, and the last.
    parts = np.bincount(node, minlength=nodes)
    missing = greatest(integers(shards["part"]), node, nodes) + 1 != parts
    is_over = total(integers(shards["final"]), node, nodes) > 0
    is_odd[job_of_node[missing | ~is_over]] = True
    is_odd[job_of_node[uneven(started, node, nodes)]] = True
    given, gpu_of_hour, without = _gpus(evidence, node, nodes)
    is_odd[job_of_node[without]] = True
    return Outlines(
        is_plain=~is_odd,
        shard=one_of_each(np.arange(len(shards)), job, count),
        started_at=begun,
        ended_at=greatest(ended, job, count),
        nodes=np.bincount(job_of_node, minlength=count),
        nodes_expected=np.maximum(greatest(expected, job, count), 0),
        gpus=total(given, job_of_node, count),
        held_microseconds=total(given * (end - begin), job_of_node, count),
        flags=flags,
        job_of_hour=job[evidence.shard_of_hour],
        gpu_of_hour=gpu_of_hour,
    )


def flag_bits(flags: pa.ChunkedArray, job: Numbers, count: int) -> tuple[Numbers, Mask]:
    """The flags of each job, and the jobs with one that is not in the list."""
    lists = flags.combine_chunks()
    of_flag = job[pc.list_parent_indices(lists).to_numpy()]
    at = integers(pc.fill_null(pc.index_in(lists.flatten(), pa.array(FLAGS, pa.string())), -1))
    is_odd = np.zeros(count, np.bool_)
    is_odd[of_flag[at < 0]] = True
    bits = np.zeros(count, np.int64)
    np.bitwise_or.at(bits, of_flag, np.int64(1) << np.maximum(at, 0))
    return bits, is_odd


def _gpus(evidence: Evidence, node: Numbers, nodes: int) -> tuple[Numbers, Numbers, Mask]:
    """How many GPUs a run was given on each of its nodes, the GPU of each hour, and the nodes of which one
    has no name or no hour, or which have none."""
    lists = evidence.shards["gpus"].combine_chunks()
    names = pc.struct_field(lists.flatten(), "uuid")
    node_of_given = node[pc.list_parent_indices(lists).to_numpy()]
    node_of_hour = node[evidence.shard_of_hour]
    both = np.concatenate([node_of_given, node_of_hour])
    gpu = numbers([both, pa.concat_arrays([names, evidence.hours["gpu_uuid"].combine_chunks()])])
    given, metered = gpu[: len(names)], gpu[len(names) :]
    count = count_of(gpu)
    node_of_gpu = one_of_each(both, gpu, count)
    is_given, is_metered = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    is_given[given] = True
    is_metered[metered] = True
    without = np.bincount(node_of_gpu[is_metered], minlength=nodes) == 0
    without[node_of_gpu[is_given & ~is_metered]] = True
    without[node_of_given[~mask(pc.not_equal(names, ""))]] = True
    return np.bincount(node_of_gpu[is_given], minlength=nodes), metered, without
