"""Energy beside the GPUs of plain runs, as columns. Which part of it is a run's is said in `host`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Quality, Reason
from sam_cluster.energy.plain.columns import BIT
from sam_cluster.store.numbers import Mask, Numbers, integers, mask, total, uneven
from sam_cluster.store.schemas import WORDS

from ..evidence import Evidence
from ..host import NOT_WHOLE

#: Energy times CPUs, of values below these, is within an int64.
LARGEST_MILLIJOULES = 1 << 44
MOST_CPUS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """The host's columns of each job's run, where it `is_plain`: known of all its nodes, or off on them."""

    is_plain: Mask
    columns: dict[str, pa.Array]


def host_figures(evidence: Evidence, flags: Numbers) -> HostFigures:
    """The host's columns of `runs`, and of jobs that have one run each; `flags` are these runs'."""
    shards, job, count = evidence.shards, evidence.job_of_shard, len(evidence.jobs)
    domains = shards["host_domains"].combine_chunks()
    is_metered = mask(domains.is_valid())
    energy, is_known = _drawn(domains)
    cpus, of = integers(shards["cpus"]), integers(shards["node_cpus"])
    is_alone = mask(shards["is_exclusive"])
    has_share = (cpus > 0) & (cpus < MOST_CPUS) & (of > 0) & (of < MOST_CPUS)
    share = np.where(is_alone, energy, energy * np.minimum(cpus, of) // np.where(has_share, of, 1))
    is_odd = np.zeros(count, np.bool_)
    is_odd[uneven(is_metered.astype(np.int64), job, count)] = True
    is_odd[job[is_metered & ~(is_known & (is_alone | has_share))]] = True
    on = np.zeros(count, np.bool_)
    on[job[is_metered]] = True
    is_odd |= on & (flags & sum(BIT[flag] for flag in NOT_WHOLE) != 0)
    said = pa.array(on)
    return HostFigures(
        is_plain=~is_odd,
        columns={
            "host_energy_millijoules": pa.array(total(share, job, count), mask=~on),
            "host_quality": pc.if_else(said, Quality.ESTIMATED, Quality.UNKNOWN),
            "host_reasons": pa.array([[Reason.HOST_OFF], []], WORDS).take(said.cast(pa.int8())),
        },
    )


def _drawn(domains: pa.ListArray) -> tuple[Numbers, Mask]:
    """What each shard's domains drew together, and whether that is known of all that count: not of memory
    without a counter of its own."""
    shard = pc.list_parent_indices(domains).to_numpy()
    name, energy, reason = (
        pc.struct_field(domains.flatten(), field) for field in ("name", "energy_millijoules", "reason")
    )
    is_absent = mask(pc.and_(pc.equal(name, "dram"), pc.equal(reason, Reason.HOST_ABSENT)))
    values = integers(energy)
    is_known = np.ones(len(domains), np.bool_)
    is_known[shard[~(mask(energy.is_valid()) | is_absent) | (np.abs(values) >= LARGEST_MILLIJOULES)]] = False
    return total(values, shard, len(domains)), is_known
