"""What a lab spent in a period: its jobs, the hours of each run, and which of them the GPUs stood idle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ...core.config import Config
from ...core.units import MICROSECONDS_PER_HOUR, kwh_from_millijoules
from ..cluster.columns import gpu_time_of_all
from ..idle import idle_powers, judged
from ..ledger import Amount, entries_of, total_of, usage_of
from ..reading import read_jobs
from ..records import Job, Selection, TableReader
from ..spending import Spent, by_run, job_line, spent_in
from ..view import JobLine, PeriodView, Provenance, added, part
from .view import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpending:
    """The jobs of a lab in a period, the most energy first, and their runs' entries."""

    jobs: tuple[Job, ...]
    listed: tuple[JobLine, ...]
    spent: Spent
    usage: pa.Table  # of all labs
    whole: Amount
    totals: Totals


def group_spending(
    tables: TableReader, config: Config, group: str, period: PeriodView, provenance: Provenance
) -> GroupSpending:
    """What a lab spent in a period, as far as the data reach."""
    until = min(period.end, provenance.committed_at)
    jobs = tuple(
        job
        for job in read_jobs(tables, config, Selection(group=group, start=period.start, end=period.end))
        if job.gpus != 0 or job.runs  # a job without GPUs is nothing that could be metered
    )
    usage = usage_of(tables, period.start, period.end)
    spent = spent_in(usage, jobs, period, until, config.calibration)
    listed = sorted(
        (job_line(job, spent, period, until) for job in jobs),
        key=lambda line: (-line.amount.known_millijoules, line.job.cluster, line.job.raw_job_id),
    )
    whole = added(line.amount for line in listed)
    return GroupSpending(
        jobs=jobs,
        listed=tuple(listed),
        spent=spent,
        usage=usage,
        whole=whole,
        totals=_totals(
            listed,
            whole,
            total_of(usage, config.calibration),
            gpu_time_of_all(tables, period.start, period.end, until),
            config,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleSpending:
    """The entries of runs in hours in which their GPUs were held idle, and in all that could be judged."""

    idle: Spent
    judged: Spent

    @property
    def judged_microseconds(self) -> int:
        """The GPU time of which it could be told."""
        return sum(e.amount.held_microseconds for entries in self.judged.values() for e in entries)

    def beside(self, line: JobLine) -> JobLine:
        """A job with what each of its runs held idle; None of a run of which no hour could be judged."""
        keys = [(line.job.cluster, run.run_id, run.started_at) for run in line.job.runs]
        found = tuple(
            added(entry.amount for entry in self.idle.get(key, ())) if self.judged.get(key) else None
            for key in keys
        )
        return replace(line, idle_of_runs=found)


def idle_spending(
    tables: TableReader, spending: GroupSpending, period: PeriodView, calibration: Mapping[str, float]
) -> IdleSpending:
    """Which of a lab's hours were held idle, by the rule of `idle`."""
    zone = ZoneInfo(period.timezone)
    run_ids = {run.run_id for job in spending.jobs for run in job.runs}
    ours = spending.usage.filter(pc.is_in(spending.usage["run_id"], pa.array(sorted(run_ids), pa.string())))
    gpus = ours["gpu_uuid"].drop_null().unique().to_pylist()
    hours = judged(ours, idle_powers(tables, gpus, period.start, period.end))
    idle, seen = (
        by_run(spending.jobs, entries_of(hours.filter(chosen), zone, run_ids, calibration))
        for chosen in (hours["is_idle"], pc.is_valid(hours["is_idle"]))
    )
    return IdleSpending(idle=idle, judged=seen)


def _totals(
    listed: Sequence[JobLine], whole: Amount, cluster: Amount, cluster_gpu_microseconds: int, config: Config
) -> Totals:
    known = whole.energy_millijoules
    facility_kwh = None if known is None else kwh_from_millijoules(known) * (config.pue or 1.0)
    gpu_microseconds = sum(line.gpu_microseconds or 0 for line in listed)
    gpu_hours = whole.held_microseconds / MICROSECONDS_PER_HOUR
    return Totals(
        amount=whole,
        jobs=len(listed),
        gpu_microseconds=gpu_microseconds,
        jobs_without_gpu_time=sum(line.gpu_microseconds is None for line in listed),
        energy_share=part(whole, cluster),
        is_share_partial=whole.is_partial or cluster.is_partial,
        gpu_share=gpu_microseconds / cluster_gpu_microseconds if cluster_gpu_microseconds else None,
        kwh_per_gpu_hour=kwh_from_millijoules(known) / gpu_hours if known is not None and gpu_hours else None,
        cost=_times(facility_kwh, config.price_per_kwh),
        carbon_grams=_times(facility_kwh, config.carbon_g_per_kwh),
    )


def _times(energy_kwh: float | None, per_kwh: float | None) -> float | None:
    return None if energy_kwh is None or per_kwh is None else energy_kwh * per_kwh
