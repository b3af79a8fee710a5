"""What accounting says of one run of a job, from whatever source."""

from __future__ import annotations

from dataclasses import dataclass

#: Slurm counts in 32 bits, and so do the columns that such numbers go to.
LARGEST_ID = 2**32 - 1
LARGEST_COUNT = 2**31 - 1
#: The first microsecond of the year 2100.
LATEST_INSTANT = 4_102_444_800_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One row of Slurm's accounting: a run of a job, or the part of one from a resize to the next.

    Instants are UTC microseconds since 1970; None is unknown, or (`start`, `end`) not yet. `raw_job_id` is
    the number that Slurm's hooks see. `restart_count` counts requeues; `source.settle` says where it
    comes from when the source does not say it. `nodes` are the allocated ones, `node_count` how many.
    """

    cluster: str
    job_id: str
    raw_job_id: int
    array_job_id: int | None
    array_task_id: int | None
    het_job_id: int | None
    het_offset: int | None
    job_name: str
    user: str | None
    uid: int | None
    account: str | None
    partition: str | None
    qos: str | None
    state: str
    exit_code: str | None
    restart_count: int | None
    sluid: str | None
    submit: int | None
    eligible: int | None
    start: int | None
    end: int | None
    suspended_seconds: int | None
    node_count: int | None
    nodes: tuple[str, ...]
    gpus: int | None
    gpu_shards: int | None
    gpu_mps: int | None
    alloc_tres: str | None

    def __post_init__(self) -> None:
        """Raises ValueError for a number that Slurm does not have: no table could hold it."""
        for largest, names in (
            (LARGEST_ID, ("raw_job_id", "array_job_id", "array_task_id", "het_job_id", "uid")),
            (LARGEST_COUNT, ("het_offset", "restart_count", "node_count", "gpus", "gpu_shards", "gpu_mps")),
            (LATEST_INSTANT, ("submit", "eligible", "start", "end", "suspended_seconds")),
        ):
            for name in names:
                if (getattr(self, name) or 0) > largest:
                    raise ValueError(f"{name} is {getattr(self, name)}, and nothing of Slurm's is so large")

    @property
    def key(self) -> tuple[str, int, int | None]:
        """What no other row has: slurmdbd keeps (job id, time of submission) unique in a cluster."""
        return self.cluster, self.raw_job_id, self.submit

    def overlaps(self, start_microseconds: int, end_microseconds: int) -> bool:
        """Whether `sacct -S start -E end` selects it: eligible before the end, not over before the start."""
        begin = self.eligible if self.eligible is not None else self.start
        return (
            begin is not None
            and begin < end_microseconds
            and (self.end is None or self.end >= start_microseconds)
        )
