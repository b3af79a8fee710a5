"""One shard as rows of the tables `shards` and `readings`, in full: the way for all that is not plain."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sam_cluster.core.model import AgentCost, Boundary, GpuHeld, Shard
from sam_cluster.energy.quality import run_flags
from sam_cluster.energy.split import counted_back
from sam_cluster.store.soundness import key_of

Row = dict[str, Any]

GPU_FIELDS = tuple(each.name for each in fields(GpuHeld))


def shard_row(shard: Shard, digest: str) -> Row:
    """A shard as a row of the table `shards`."""
    return {
        "cluster": shard.key.cluster,
        "run_id": shard.key.run_id,
        "raw_job_id": shard.key.job_id,
        "restart": shard.key.restart,
        "sluid": shard.key.sluid,
        "node": shard.node,
        "part": shard.part,
        "final": shard.final,
        "boot_id": shard.boot_id,
        "started_at": shard.started_at_microseconds,
        "ended_at": shard.ended_at_microseconds,
        "uid": shard.uid,
        "user": shard.user,
        "account": shard.account,
        "partition": shard.partition,
        "nodes_expected": shard.nodes_expected,
        "het_job_id": shard.het_job_id,
        "gpus": [{name: getattr(gpu, name) for name in GPU_FIELDS} for gpu in shard.gpus],
        "flags": sorted(run_flags(shard.flags, shard.boundaries)),
        "reason": shard.reason,
        "agent_version": shard.agent_version,
        "driver_version": shard.driver_version,
        **_cost_columns(shard.agent_cost),
        "cpus": shard.cpus,
        "is_exclusive": shard.is_exclusive,
        "node_cpus": shard.host.cpus if shard.host else None,
        "host_domains": [asdict(domain) for domain in shard.host.domains] if shard.host else None,
        "shard_digest": digest,
    }


def _cost_columns(cost: AgentCost | None) -> Row:
    """What the agent cost; null where that was not kept."""
    return {
        "agent_cpu_microseconds": cost.cpu_microseconds if cost else None,
        "agent_resident_bytes": cost.resident_bytes if cost else None,
        "nvml_calls": cost.nvml_calls if cost else None,
        "nvml_microseconds": cost.nvml_microseconds if cost else None,
        "nvml_longest_microseconds": cost.nvml_longest_microseconds if cost else None,
        "missed_ticks": cost.missed_ticks if cost else None,
    }


def reading_rows(shard: Shard, digest: str) -> list[Row]:
    """A shard's boundaries as rows of the table `readings`, each instant on both clocks."""
    boundaries = {key_of(boundary): boundary for boundary in shard.boundaries}.values()
    at = {(b.gpu_uuid, b.segment, b.uptime_microseconds): b.at_microseconds for b in boundaries}
    models = {gpu.uuid: gpu.name for gpu in shard.gpus}
    slices = _slices(shard)
    held = len({gpu.uuid or gpu.requested for gpu in shard.gpus})
    return [
        {
            **_reading_row(shard, boundary, at, digest),
            "gpu_model": models.get(boundary.gpu_uuid),
            "mig_slices": slices.get(boundary.gpu_uuid),
            "gpus_held": held,
        }
        for boundary in boundaries
    ]


def _slices(shard: Shard) -> dict[str | None, int | None]:
    """The compute slices that a run holds of each GPU; None where it is not known of all it holds there."""
    found: dict[str | None, int | None] = {}
    for gpu in shard.gpus:
        before = found.get(gpu.uuid, 0)
        found[gpu.uuid] = None if before is None or gpu.mig_slices is None else before + gpu.mig_slices
    return found


def _reading_row(
    shard: Shard, boundary: Boundary, known_at: dict[tuple[str, str, int], int], digest: str
) -> Row:
    since_at, since = boundary.since_at_microseconds, boundary.since_uptime_microseconds
    if since_at is None and since is not None:
        since_at = known_at.get((boundary.gpu_uuid, boundary.segment, since))
        if since_at is None:
            since_at = counted_back(boundary.at_microseconds, boundary.uptime_microseconds - since)
    previous_at, previous = boundary.previous_at_microseconds, boundary.previous_uptime_microseconds
    if previous_at is None and previous is not None and boundary.previous_segment == boundary.segment:
        previous_at = counted_back(boundary.at_microseconds, boundary.uptime_microseconds - previous)
    return {
        "cluster": shard.key.cluster,
        "run_id": shard.key.run_id,
        "raw_job_id": shard.key.job_id,
        "node": shard.node,
        "gpu_uuid": boundary.gpu_uuid,
        "started_at": shard.started_at_microseconds,
        "part": shard.part,
        "kind": boundary.kind,
        "at": boundary.at_microseconds,
        "uptime_microseconds": boundary.uptime_microseconds,
        "segment": boundary.segment,
        "energy_millijoules": boundary.energy_millijoules,
        "counter_millijoules": boundary.counter_millijoules,
        "lag_microseconds": boundary.lag_microseconds,
        "uncertainty_millijoules": boundary.uncertainty_millijoules,
        "since_at": since_at,
        "since_uptime_microseconds": since,
        "since_energy_millijoules": boundary.since_energy_millijoules,
        "previous_at": previous_at,
        "previous_segment": boundary.previous_segment,
        "previous_uptime_microseconds": previous,
        "previous_energy_millijoules": boundary.previous_energy_millijoules,
        "since_power_millijoules": boundary.since_power_millijoules,
        "since_power_uncertainty_millijoules": boundary.since_power_uncertainty_millijoules,
        "since_covered_microseconds": boundary.since_covered_microseconds,
        "since_idle_microseconds": boundary.since_idle_microseconds,
        "since_idle_millijoules": boundary.since_idle_millijoules,
        "gap_microseconds": boundary.gap_microseconds,
        "bridged_millijoules": boundary.bridged_millijoules,
        "flags": sorted(boundary.flags),
        "shard_digest": digest,
    }
