"""From tables to the view of the page of the cluster.

The page's rules: energy counts in the hour it was used; a job belongs to the lab that owned its account on
the day it ended; shares and head counts are those in force when the period ended; waiting is of the jobs that
began in the period; a result counts in the period in which the last of its jobs ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ...core.config import Config
from ...core.model import Flag, Quality
from ...core.units import kwh_from_millijoules
from ..before import Change, Figure, change, period_before, reaches_back
from ..gpu_ledger import Ledger, idle_uncertainty, ledgers_of, total_of
from ..ledger import days_of
from ..missing import missing_lines
from ..records import Selection, TableReader
from ..results import Result, choose, read_results
from ..view import PeriodView, Provenance, Settings
from .evenness import Population, Used, WithinLabs, indices, weighting_of, within_labs
from .granted import from_sshare, granted_to
from .labs import LabFacts, lab_lines, people_lines, told_labs
from .people import naming
from .reached import reached
from .spent import LabSum, Spending, spending_of
from .view import Changes, ClusterView, CoverageLine, HeldIdle, LabLine, NoAccount, Totals
from .waiting import waiting_of


def cluster_view(
    tables: TableReader,
    config: Config,
    period: PeriodView,
    provenance: Provenance,
    salt: str | None,
    results: Sequence[Result] | None = None,
) -> ClusterView:
    """The view of the cluster over a period; `salt` is that of the tables, None where they have none yet.
    Results are those of all labs, where they were read already."""
    if results is None:
        results = read_results(tables, config, Selection(start=period.start, end=period.end))
    now = spending_of(tables, config, period, provenance.committed_at)
    ledgers = ledgers_of(tables, now.usage, period.start, period.end)
    ledger = total_of(ledgers.values())
    boundaries = now.whole.amount.uncertainty.boundary_millijoules
    days = days_of(period.start, period.end, ZoneInfo(period.timezone))
    snapshot = from_sshare(tables, config, period.start, period.end, days[-1])
    chosen = choose(results, Selection(start=period.start, end=period.end))
    counted = [result for result in chosen if result.counts]
    configured = {group.name for group in config.groups if config.group_as_of(group.name, days[-1])}
    names = {*configured, *snapshot.at_end, *(lab for lab in now.labs if lab is not None)}
    waiting, waiting_by_lab = waiting_of(now.jobs, period.start, period.end, config.least_people)
    labs = lab_lines(
        now,
        LabFacts(
            granted=granted_to(names, config, snapshot, days),
            results=Counter(result.group for result in counted if result.group is not None),
            waiting=waiting_by_lab,
            least_people=config.least_people,
        ),
    )
    used = {
        "energy": [_used(line, line.amount.energy_millijoules) for line in labs],
        "gpu_hours": [_used(line, line.gpu_microseconds) for line in labs],
    }
    weighting = weighting_of(used["energy"], config.least_people)
    evenness = tuple(
        indices(measure, each, population, weighting)
        for measure, each in used.items()
        for population in Population
    )
    return ClusterView(
        clusters=tuple(sorted(pc.unique(now.jobs["cluster"]).to_pylist())),
        period=period,
        provenance=provenance,
        settings=_settings(config),
        is_simulated=_bears(now.jobs, Flag.SIMULATED),
        totals=_totals(now, config, labs),
        changes=_changes(tables, config, now, ledger, period, provenance),
        coverage=_coverage(now.jobs),
        labs=labs,
        no_account=_no_account(now, config.least_people),
        shares_of=snapshot.day,
        weighting=weighting,
        evenness=evenness,
        within=_within(now, config.least_people),
        waiting=waiting,
        tasks=reached(counted, told_labs(now, config.least_people)),
        results_without_lab=sum(result.group is None for result in counted),
        ledger=ledger,
        idle_uncertainty_millijoules=idle_uncertainty(
            ledgers.values(), boundaries, config.calibration
        ).millijoules,
        held_idle=_held_idle(now),
        people=people_lines(now, naming(config.people, salt), config),
        missing=missing_lines(_words(now.jobs["flags"]), _words(now.jobs["reasons"])),
    )


def _settings(config: Config) -> Settings:
    return Settings(
        alpha=config.alpha,
        beta=config.beta,
        unit=config.unit,
        sam_scope=config.sam_scope,
        carbon_g_per_kwh=config.carbon_g_per_kwh,
        price_per_kwh=config.price_per_kwh,
        currency=config.currency,
        pue=config.pue,
        members=None,
        calibration=config.calibration,
    )


def _used(line: LabLine, amount: int | None) -> Used:
    return Used(
        amount=amount,
        is_active=line.is_active,
        members=line.granted.members,
        share=line.granted.share,
    )


def _within(now: Spending, least_people: int) -> tuple[WithinLabs, ...]:
    labs = {lab: people for lab, people in now.people.items() if lab is not None}
    energy = {lab: [person.amount.known_millijoules for person in people] for lab, people in labs.items()}
    time = {lab: [person.gpu_microseconds for person in people] for lab, people in labs.items()}
    return within_labs("energy", energy, least_people), within_labs("gpu_hours", time, least_people)


def _totals(now: Spending, config: Config, labs: Iterable[LabLine]) -> Totals:
    whole = now.whole
    known = whole.amount.energy_millijoules
    facility_kwh = None if known is None else kwh_from_millijoules(known) * (config.pue or 1.0)
    cost, carbon = (
        None if facility_kwh is None or per_kwh is None else facility_kwh * per_kwh
        for per_kwh in (config.price_per_kwh, config.carbon_g_per_kwh)
    )
    return Totals(
        amount=whole.amount,
        gpu_microseconds=whole.gpu_microseconds,
        jobs=whole.jobs,
        jobs_without_gpu_time=whole.jobs_without_gpu_time,
        labs_active=sum(line.is_active for line in labs),
        cost=cost,
        carbon_grams=carbon,
    )


def _changes(
    tables: TableReader, config: Config, now: Spending, ledger: Ledger, period: PeriodView, data: Provenance
) -> Changes:
    earlier = period_before(period)
    then: dict[str, Figure] = {}
    if reaches_back(tables, earlier.start) and earlier.end <= data.committed_at:
        before = spending_of(tables, config, earlier, data.committed_at)
        ledgers = ledgers_of(tables, before.usage, earlier.start, earlier.end)
        then = _figures(before.whole, total_of(ledgers.values()))
    figures = _figures(now.whole, ledger)

    def against(name: str) -> Change:
        return change(figures[name], then.get(name), is_preliminary=period.is_preliminary)

    return Changes(
        period=earlier,
        energy_millijoules=against("energy_millijoules"),
        gpu_microseconds=against("gpu_microseconds"),
        jobs=against("jobs"),
        idle_millijoules=against("idle_millijoules"),
        unattributed_millijoules=against("unattributed_millijoules"),
    )


def _figures(whole: LabSum, ledger: Ledger) -> dict[str, Figure]:
    return {
        "energy_millijoules": Figure(
            value=whole.amount.energy_millijoules, is_partial=whole.amount.is_partial
        ),
        "gpu_microseconds": Figure(value=whole.gpu_microseconds, is_partial=whole.jobs_without_gpu_time > 0),
        "jobs": Figure(value=whole.jobs),
        "idle_millijoules": Figure(value=ledger.idle_millijoules),
        "unattributed_millijoules": Figure(
            value=ledger.unattributed_millijoules, is_partial=bool(ledger.unknown)
        ),
    }


def _coverage(jobs: pa.Table) -> tuple[CoverageLine, ...]:
    summed = jobs.group_by(["quality"]).aggregate([("gpu_time", "sum"), ("quality", "count")])
    found = {row["quality"]: row for row in summed.to_pylist()}
    whole = sum(row["gpu_time_sum"] or 0 for row in found.values())
    lines = []
    for quality in Quality:
        row = found.get(quality.value, {"quality_count": 0, "gpu_time_sum": 0})
        time = row["gpu_time_sum"] or 0
        lines.append(
            CoverageLine(
                quality=quality,
                jobs=row["quality_count"],
                gpu_microseconds=time,
                gpu_share=time / whole if whole else None,
            )
        )
    return tuple(lines)


def _no_account(now: Spending, least_people: int) -> NoAccount:
    known = now.labs.get(None, LabSum())
    people = len({person.user for person in now.people.get(None, ())})
    return NoAccount(
        amount=known.amount,
        gpu_microseconds=known.gpu_microseconds,
        jobs=known.jobs,
        people=None if 0 < people < least_people else people,
    )


def _held_idle(now: Spending) -> HeldIdle:
    whole = now.whole
    held, known = whole.amount.held_microseconds, whole.amount.known_millijoules
    return HeldIdle(
        energy_millijoules=whole.idle.known_millijoules,
        uncertainty_millijoules=whole.idle.uncertainty.millijoules,
        share=whole.idle.known_millijoules / known if known else None,
        judged_share=now.judged_microseconds / held if held else None,
    )


def _bears(jobs: pa.Table, flag: Flag) -> bool:
    return flag.value in _words(jobs["flags"])


def _words(lists: pa.ChunkedArray) -> dict[str, int]:
    """How many of the lists have each word; none has one twice."""
    counted = pc.value_counts(pc.list_flatten(lists))
    return {row["values"]: row["counts"] for row in counted.to_pylist()}
