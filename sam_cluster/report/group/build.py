"""From tables to the view of a lab's page.

The page's rules: the energy ledger counts what was used inside the period; the jobs listed are those
that overlap it; a result counts in the period in which the last of its jobs ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from ...core.config import Config
from ...core.model import Flag
from ...core.units import MICROSECONDS_PER_HOUR, kwh_from_millijoules
from ..ledger import Amount, days_of, total_of, usage_of
from ..reading import read_jobs
from ..records import Selection, TableReader, base_id
from ..results import Result, choose, read_results
from ..spending import job_line, spent_in
from ..view import JobLine, PeriodView, Provenance, Settings, added, part
from . import lines
from .view import GroupView, ResultsView, Totals


def group_view(
    tables: TableReader, config: Config, group: str, period: PeriodView, provenance: Provenance
) -> GroupView:
    """The view of a lab over a period."""
    until = min(period.end, provenance.committed_at)
    chosen = Selection(group=group, start=period.start, end=period.end)
    jobs = [
        job
        for job in read_jobs(tables, config, chosen)
        if job.gpus != 0 or job.runs  # a job without GPUs is nothing that could be metered
    ]
    usage = usage_of(tables, period.start, period.end)
    spent = spent_in(usage, jobs, period, until)
    listed = sorted(
        (job_line(job, spent, period, until) for job in jobs),
        key=lambda line: (-line.amount.known_millijoules, line.job.cluster, line.job.raw_job_id),
    )
    whole = added(line.amount for line in listed)
    days = days_of(period.start, until, ZoneInfo(period.timezone)) if period.start < until else ()
    results = choose(read_results(tables, config), chosen)
    return GroupView(
        group=group,
        clusters=tuple(sorted({job.cluster for job in jobs})),
        period=period,
        provenance=provenance,
        settings=_settings(config, group, period),
        is_simulated=any(Flag.SIMULATED in lines.flags_of(job) for job in jobs),
        totals=_totals(listed, whole, total_of(usage), config),
        coverage=lines.coverage(listed),
        days=lines.days(spent, days),
        endings=lines.endings(listed, spent, whole),
        people=lines.people(listed, whole),
        jobs=tuple(listed),
        results=_results(results, listed, whole),
        missing=lines.missing(jobs),
    )


def _settings(config: Config, group: str, period: PeriodView) -> Settings:
    ours = [g for g in config.groups if g.name == group and (g.since is None or g.since < period.end.date())]
    latest = max(ours, key=lambda g: g.since or date.min, default=None)
    return Settings(
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
        carbon_g_per_kwh=config.carbon_g_per_kwh,
        price_per_kwh=config.price_per_kwh,
        pue=config.pue,
        members=latest.members if latest else None,
    )


def _totals(listed: Sequence[JobLine], whole: Amount, cluster: Amount, config: Config) -> Totals:
    known = whole.energy_millijoules
    facility_kwh = None if known is None else kwh_from_millijoules(known) * (config.pue or 1.0)
    gpu_hours = whole.held_microseconds / MICROSECONDS_PER_HOUR
    return Totals(
        amount=whole,
        jobs=len(listed),
        gpu_microseconds=sum(line.gpu_microseconds or 0 for line in listed),
        jobs_without_gpu_time=sum(line.gpu_microseconds is None for line in listed),
        energy_share=part(whole, cluster),
        gpu_share=whole.held_microseconds / cluster.held_microseconds if cluster.held_microseconds else None,
        kwh_per_gpu_hour=kwh_from_millijoules(known) / gpu_hours if known is not None and gpu_hours else None,
        cost=_times(facility_kwh, config.price_per_kwh),
        carbon_grams=_times(facility_kwh, config.carbon_g_per_kwh),
    )


def _times(energy_kwh: float | None, per_kwh: float | None) -> float | None:
    return None if energy_kwh is None or per_kwh is None else energy_kwh * per_kwh


def _results(results: Sequence[Result], listed: Sequence[JobLine], whole: Amount) -> ResultsView:
    counted = [result for result in results if result.counts]
    named = {(result.cluster, job_id) for result in counted for job_id in result.job_ids}
    ours = [
        line
        for line in listed
        if named & {(line.job.cluster, line.job.job_id), (line.job.cluster, base_id(line.job.job_id))}
    ]
    return ResultsView(
        tasks=lines.tasks(counted),
        left_out=lines.left_out(results),
        jobs_named=len(ours),
        energy_share=part(added(line.amount for line in ours), whole),
    )
