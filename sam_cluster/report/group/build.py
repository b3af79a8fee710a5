"""From tables to the view of a lab's page.

The page's rules: the energy ledger counts what was used inside the period; the jobs listed are those
that overlap it; a result counts in the period in which the last of its jobs ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ...core.config import Config
from ...core.model import Flag
from ..before import Change, Figure, change, period_before, reaches_back
from ..idle import MOST_OF_IDLE_POWER
from ..ledger import days_of
from ..reading import read_jobs
from ..records import Selection, TableReader
from ..results import (
    Result,
    choose,
    jobs_without_result,
    read_results,
    union_of_jobs,
    without_energy,
)
from ..view import PeriodView, Provenance, Settings, added, part
from . import lines
from .spent import GroupSpending, group_spending, idle_spending
from .tasks import left_out, tasks
from .view import Changes, GroupView, ResultsView, Totals


def group_view(
    tables: TableReader,
    config: Config,
    group: str,
    period: PeriodView,
    provenance: Provenance,
    results: Sequence[Result] | None = None,
) -> GroupView:
    """The view of a lab over a period. Results are those of all labs, where they were read already."""
    chosen = Selection(group=group, start=period.start, end=period.end)
    if results is None:
        results = read_results(tables, config, chosen)
    now = group_spending(tables, config, group, period, provenance)
    earlier = period_before(period)
    before = (
        group_spending(tables, config, group, earlier, provenance)
        if reaches_back(tables, earlier.start) and earlier.end <= provenance.committed_at
        else None
    )
    idle = idle_spending(tables, now, period, config.calibration)
    step, days = lines.days(
        now.spent,
        _days(period, min(period.end, provenance.committed_at)),
        before.spent if before else {},
        _days(earlier, earlier.end) if before else (),
    )
    held = now.whole.held_microseconds
    return GroupView(
        group=group,
        clusters=tuple(sorted({job.cluster for job in now.jobs})),
        period=period,
        provenance=provenance,
        settings=_settings(config, group, period),
        is_simulated=any(Flag.SIMULATED in lines.flags_of(job) for job in now.jobs),
        totals=now.totals,
        changes=_changes(now.totals, before.totals if before else None, earlier, period.is_preliminary),
        coverage=lines.coverage(now.listed),
        step=step,
        days=days,
        endings=lines.endings(now.listed, now.spent, idle.idle, now.whole),
        idle_factor=MOST_OF_IDLE_POWER,
        judged_share=idle.judged_microseconds / held if held else None,
        people=lines.people(now.listed, now.whole),
        jobs=tuple(idle.beside(line) for line in now.listed),
        results=_results(tables, config, choose(results, chosen), now, chosen),
        missing=lines.missing(now.jobs),
    )


def _days(period: PeriodView, until: datetime) -> tuple[date, ...]:
    return days_of(period.start, until, ZoneInfo(period.timezone)) if period.start < until else ()


def _settings(config: Config, group: str, period: PeriodView) -> Settings:
    last = days_of(period.start, period.end, ZoneInfo(period.timezone))[-1]
    latest = config.group_as_of(group, last)
    return Settings(
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
        carbon_g_per_kwh=config.carbon_g_per_kwh,
        price_per_kwh=config.price_per_kwh,
        currency=config.currency,
        pue=config.pue,
        sam_scope=config.sam_scope,
        members=latest.members if latest else None,
        calibration=config.calibration,
    )


def _changes(now: Totals, before: Totals | None, earlier: PeriodView, is_preliminary: bool) -> Changes:
    then = _figures(before) if before else {}

    def against(name: str) -> Change:
        return change(_figures(now)[name], then.get(name), is_preliminary=is_preliminary)

    return Changes(
        period=earlier,
        energy_millijoules=against("energy_millijoules"),
        gpu_microseconds=against("gpu_microseconds"),
        jobs=against("jobs"),
        energy_share=against("energy_share"),
        kwh_per_gpu_hour=against("kwh_per_gpu_hour"),
        cost=against("cost"),
        carbon_grams=against("carbon_grams"),
    )


def _figures(totals: Totals) -> dict[str, Figure]:
    partial = totals.amount.is_partial
    return {
        "energy_millijoules": Figure(value=totals.amount.energy_millijoules, is_partial=partial),
        "gpu_microseconds": Figure(
            value=totals.gpu_microseconds, is_partial=totals.jobs_without_gpu_time > 0
        ),
        "jobs": Figure(value=totals.jobs),
        "energy_share": Figure(value=totals.energy_share, is_partial=totals.is_share_partial),
        # Of the metered time alone: what is missing is missing from energy and time.
        "kwh_per_gpu_hour": Figure(value=totals.kwh_per_gpu_hour),
        "cost": Figure(value=totals.cost, is_partial=partial),
        "carbon_grams": Figure(value=totals.carbon_grams, is_partial=partial),
    }


def _results(
    tables: TableReader, config: Config, results: Sequence[Result], now: GroupSpending, chosen: Selection
) -> ResultsView:
    counted = [result for result in results if result.counts]
    unnamed = {
        (job.cluster, job.raw_job_id, job.started_at) for job in jobs_without_result(now.jobs, counted)
    }
    ours = [
        line
        for line in now.listed
        if (line.job.cluster, line.job.raw_job_id, line.job.started_at) not in unnamed
    ]
    union = union_of_jobs(counted)
    return ResultsView(
        tasks=tasks(counted, _outsiders(tables, config, counted, now, chosen)),
        left_out=left_out(results),
        jobs_named=len(ours),
        energy_share=part(added(line.amount for line in ours), now.whole),
        without_energy=len(without_energy(counted)),
        union_jobs=len(union.jobs) + len(union.jobs_unknown),
        union_energy_millijoules=union.electricity.energy_millijoules,
        union_uncertainty_millijoules=union.electricity.uncertainty_millijoules,
        union_quality=union.electricity.quality,
    )


def _outsiders(
    tables: TableReader, config: Config, results: Sequence[Result], now: GroupSpending, chosen: Selection
) -> dict[str | None, str | None]:
    """The authors that ran no job of this lab in the period, with the lab for which they ran most."""
    outside = {result.user for result in results} - {job.user for job in now.jobs} - {None}
    if not outside:
        return {}
    users = tuple(sorted(user for user in outside if user is not None))
    labs: dict[str | None, Counter[str]] = {user: Counter() for user in users}
    for job in read_jobs(tables, config, Selection(users=users, start=chosen.start, end=chosen.end)):
        if job.group is not None:
            labs[job.user][job.group] += 1
    return {
        user: min(counts, key=lambda lab: (-counts[lab], lab)) if counts else None
        for user, counts in labs.items()
    }
