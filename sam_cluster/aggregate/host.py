"""Energy of nodes beside their GPUs: which part of it is a run's. Estimated, and never a part of GPU energy.

A run that has a node to itself has all of it; else its part is that of the node's CPUs that it held: as its
prolog says, else as accounting does, which knows them of all its nodes together. Where a part of a run is
not known there is no figure, for half of one would pass for the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sam_cluster.accounting import tres
from sam_cluster.core.model import Flag, Quality, Reason

from .shard_rows import Row

#: Of a run with one of these, something was not metered.
NOT_WHOLE = {Flag.NODE_MISSING, Flag.PART_MISSING, Flag.OPEN, Flag.NO_START}


def run_host(shards: Sequence[Row], record: Row | None, flags: Iterable[str]) -> Row:
    """The host's columns of a row of `runs`, from its shards and its row of accounting."""
    figures = [_share_of(shard, record) for shard in shards]
    reasons = {figure for figure in figures if isinstance(figure, Reason)}
    if reasons != {Reason.HOST_OFF} and NOT_WHOLE & set(flags):
        reasons.add(Reason.NO_SHARD)
    known = [figure for figure in figures if not isinstance(figure, Reason)]
    return _columns(sum(known) if known and not reasons else None, reasons)


def job_host(runs: Sequence[Row], *, is_unheard: bool) -> Row:
    """The host's columns of a row of `jobs`, from its rows of `runs`; `is_unheard`: a run sent nothing."""
    unknown = [run for run in runs if run["host_energy_millijoules"] is None]
    reasons = {Reason(reason) for run in unknown for reason in run["host_reasons"] or [Reason.HOST_OFF]}
    if is_unheard:
        reasons.add(Reason.NO_SHARD)
    is_whole = bool(runs) and not reasons
    return _columns(sum(run["host_energy_millijoules"] for run in runs) if is_whole else None, reasons)


def _columns(energy_millijoules: int | None, reasons: Iterable[Reason]) -> Row:
    quality = Quality.UNKNOWN if energy_millijoules is None else Quality.ESTIMATED
    return {
        "host_energy_millijoules": energy_millijoules,
        "host_quality": quality,
        "host_reasons": sorted(reasons),
    }


def _share_of(shard: Row, record: Row | None) -> int | Reason:
    """The run's part of what one node drew over one part of it, or why it is not known. Memory without a
    counter of its own is left out; one of which its node says neither figure nor reason was not read."""
    domains: Sequence[Mapping[str, object]] | None = shard["host_domains"]
    if domains is None:
        return Reason.HOST_OFF
    energy = 0
    for domain in domains:
        if domain["energy_millijoules"] is not None:
            energy += int(str(domain["energy_millijoules"]))
        elif domain["name"] != "dram" or domain["reason"] != Reason.HOST_ABSENT:
            return Reason(str(domain["reason"] or Reason.HOST_UNREADABLE))
    if shard["is_exclusive"]:
        return energy
    cpus: int | None = shard["cpus"] or _accounted_cpus(record)
    of: int | None = shard["node_cpus"]
    if not cpus or not of:
        return Reason.HOST_SHARE_UNKNOWN
    return energy * min(cpus, of) // of


def _accounted_cpus(record: Row | None) -> int | None:
    """CPUs on each node of a job that has as many on all of them, rounded up; None where it is not known."""
    cpus = tres.cpus(record["alloc_tres"] or "") if record else None
    if not record or not cpus or not record["node_count"]:
        return None
    return -(-cpus // int(record["node_count"]))
