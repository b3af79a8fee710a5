"""Rows of the table `readings` as values, for what is divided one GPU at a time."""

from __future__ import annotations

import pyarrow as pa

from sam_cluster.core.model import Flag, Kind
from sam_cluster.energy.split import Holder, Reading
from sam_cluster.store.rows import to_rows

#: What the division of a GPU's energy needs of a reading, and what its row is known by.
READING_COLUMNS = (
    "cluster", "node", "gpu_uuid", "run_id", "raw_job_id", "started_at", "part", "kind", "at",
    "uptime_microseconds", "segment", "energy_millijoules", "uncertainty_millijoules", "since_at",
    "since_uptime_microseconds", "since_energy_millijoules", "previous_at", "previous_segment",
    "previous_uptime_microseconds", "previous_energy_millijoules", "since_power_millijoules",
    "since_power_uncertainty_millijoules", "since_idle_microseconds", "since_idle_millijoules",
    "gap_microseconds", "bridged_millijoules", "gpu_model", "mig_slices", "gpus_held", "flags",
)  # fmt: skip
KINDS = {kind.value: kind for kind in Kind}


def to_readings(rows: pa.Table) -> list[Reading]:
    """The readings of some rows, in their order."""
    return [
        Reading(
            holder=Holder(row["run_id"], row["started_at"], row["raw_job_id"]),
            kind=KINDS[row["kind"]],
            at_microseconds=row["at"],
            uptime_microseconds=row["uptime_microseconds"],
            segment=row["segment"],
            energy_millijoules=row["energy_millijoules"],
            uncertainty_millijoules=row["uncertainty_millijoules"],
            since_at_microseconds=row["since_at"],
            since_uptime_microseconds=row["since_uptime_microseconds"],
            since_energy_millijoules=row["since_energy_millijoules"],
            previous_at_microseconds=row["previous_at"],
            previous_segment=row["previous_segment"],
            previous_uptime_microseconds=row["previous_uptime_microseconds"],
            previous_energy_millijoules=row["previous_energy_millijoules"],
            since_power_millijoules=row["since_power_millijoules"],
            since_power_uncertainty_millijoules=row["since_power_uncertainty_millijoules"],
            since_idle_microseconds=row["since_idle_microseconds"],
            since_idle_millijoules=row["since_idle_millijoules"],
            gap_microseconds=row["gap_microseconds"],
            bridged_millijoules=row["bridged_millijoules"],
            gpu_model=row["gpu_model"],
            mig_slices=row["mig_slices"],
            gpus_held=row["gpus_held"],
            flags=frozenset(map(Flag, row["flags"])),
        )
        for row in to_rows(rows.select(READING_COLUMNS))
    ]


def readings_by_gpu(rows: pa.Table) -> dict[tuple[str, str, str], list[Reading]]:
    """The readings of some rows by cluster, node and GPU."""
    found: dict[tuple[str, str, str], list[Reading]] = {}
    gpus = zip(*(rows[name].to_pylist() for name in ("cluster", "node", "gpu_uuid")), strict=True)
    for gpu, reading in zip(gpus, to_readings(rows), strict=True):
        found.setdefault(gpu, []).append(reading)
    return found
