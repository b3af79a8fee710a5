"""A pyslurm.db.Job as the same record that sacct gives.

What its releases do, as read in their sources and seen at 22.5: before 25.11 a job has no allocated
resources, no requeue count, no ids of heterogeneous jobs (whose components then go by their own numbers),
and gives its elapsed time as the suspended one. All of them show a 0 as None, task 0 of an array too, take
the user's name from this host, and leave the tasks of a waiting array in the database's hexadecimal mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sam_cluster.core.units import MICROSECONDS_PER_SECOND

from . import hostlist, job_ids, tres
from .records import JobRecord
from .source import EARLIER_RUNS

_SINCE_25_11 = {
    "allocated_tres": ("gpus", "gpu_shards", "gpu_mps", "alloc_tres", "suspended_seconds"),
    "requeue_count": ("restart_count",),
    "heterogeneous_id": ("het_job_id", "het_offset"),
}
_SLUID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def lacks(job_class: type) -> frozenset[str]:
    """What this release's pyslurm.db.Job cannot say."""
    missing = [
        field
        for attribute, fields in _SINCE_25_11.items()
        if not hasattr(job_class, attribute)
        for field in fields
    ]
    return frozenset([EARLIER_RUNS, *missing])


def record(job: Any, lacking: frozenset[str]) -> JobRecord:
    """A job of pyslurm's as a record. Raises ValueError where its nodes or resources cannot be read."""
    job_id = _job_id(job, lacking)
    start = _instant(job.start_time)
    alloc_tres = None if "alloc_tres" in lacking else _alloc_tres(job.allocated_tres)
    nodes = hostlist.expand(job.nodelist or "")
    return JobRecord(
        cluster=job.cluster,
        job_id=job_id.text,
        raw_job_id=job.id,
        array_job_id=job_id.array_job_id,
        array_task_id=job_id.array_task_id,
        het_job_id=job_id.het_job_id,
        het_offset=job_id.het_offset,
        job_name=_name(job),
        user=None if job.user_name == str(job.user_id) else job.user_name,
        uid=job.user_id,
        account=job.account,
        partition=job.partition,
        qos=job.qos,
        state=job.state.partition(" ")[0],
        exit_code=f"{job.exit_code}:{job.exit_code_signal}",
        restart_count=None if "restart_count" in lacking else job.requeue_count or 0,
        sluid=_sluid(job.db_index),
        submit=_instant(job.submit_time),
        eligible=_instant(job.eligible_time),
        start=start,
        end=_instant(job.end_time),
        suspended_seconds=None if "suspended_seconds" in lacking else job.suspended_time or 0,
        node_count=len(nodes),
        nodes=nodes,
        gpus=None if "gpus" in lacking else tres.gpus(alloc_tres or "", started=start is not None),
        gpu_shards=tres.gpu_shards(alloc_tres or ""),
        gpu_mps=tres.gpu_mps(alloc_tres or ""),
        alloc_tres=alloc_tres,
    )


def _instant(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * MICROSECONDS_PER_SECOND


def _name(job: Any) -> str:
    """pyslurm decodes strictly, when the attribute is asked for."""
    try:
        return job.name or ""
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "replace")


def _job_id(job: Any, lacking: frozenset[str]) -> job_ids.JobId:
    if job.array_id and job.array_tasks_waiting:
        return job_ids.parse(f"{job.array_id}_[{_ranges(job.array_tasks_waiting)}]")
    if job.array_id:
        return job_ids.parse(f"{job.array_id}_{job.array_task_id or 0}")
    if "het_job_id" not in lacking and job.heterogeneous_id:
        return job_ids.parse(f"{job.heterogeneous_id}+{job.heterogeneous_offset or 0}")
    return job_ids.parse(str(job.id))


def _ranges(mask: str) -> str:
    """The bits of `0x1c2` as `1,6-8`; text of any other form as it is."""
    if not mask.startswith("0x"):
        return mask
    bits = int(mask, 16)
    tasks = [task for task in range(bits.bit_length()) if bits >> task & 1]
    firsts = [task for task in tasks if task == 0 or not bits >> (task - 1) & 1]
    lasts = [task for task in tasks if not bits >> (task + 1) & 1]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))


def _sluid(db_index: int | None) -> str | None:
    """The id that sacct calls SLUID: the row's 64-bit number in 13 digits of Crockford's base 32."""
    if not db_index:
        return None
    return "s" + "".join(_SLUID_DIGITS[db_index >> 5 * place & 31] for place in range(12, -1, -1))


def _alloc_tres(resources: Any) -> str | None:
    """As sacct writes it, of a pyslurm.db.TrackableResources."""
    return ",".join(sorted(_entries(resources))) if resources else None


def _entries(resources: Any) -> Iterator[str]:
    for name in ("billing", "cpu", "energy", "mem", "node"):
        if (resource := getattr(resources, name)) is not None:
            yield f"{name}={resource.count}{'M' if name == 'mem' else ''}"
    for name, resource in resources.gres.items():
        yield f"gres/{name}={resource.count}"
