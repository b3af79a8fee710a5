"""The lines of a page's tables: by quality, day, ending, person, and what is missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from ...core.model import Flag, Quality
from .. import words
from ..ledger import Amount
from ..missing import missing_lines
from ..records import Job, Run
from ..spending import Spent, attempts
from ..view import JobLine, MissingLine, added, part
from .view import CoverageLine, DayLine, EndingLine, PersonLine

MOST_DAYS = 62


def coverage(listed: Sequence[JobLine]) -> tuple[CoverageLine, ...]:
    whole = sum(line.gpu_microseconds or 0 for line in listed)
    found = []
    for quality in Quality:
        ours = [line for line in listed if line.job.quality is quality]
        time = sum(line.gpu_microseconds or 0 for line in ours)
        share = time / whole if whole else None
        found.append(CoverageLine(quality=quality, jobs=len(ours), gpu_microseconds=time, gpu_share=share))
    return tuple(found)


def days(
    spent: Spent, every_day: Sequence[date], before: Spent, days_before: Sequence[date]
) -> tuple[str, tuple[DayLine, ...]]:
    """What a line is, and energy by local day, by month where that would be too many lines; also of those
    without any. `days_before` are the days of the period before, none where there is no such period."""
    step, name = ("day", "%Y-%m-%d %a") if len(every_day) <= MOST_DAYS else ("month", "%Y-%m")
    earlier = [amount for _, amount in _by_name(before, days_before, name)]
    return step, tuple(
        DayLine(label=label, amount=amount, before=earlier[place] if place < len(earlier) else None)
        for place, (label, amount) in enumerate(_by_name(spent, every_day, name))
    )


def _by_name(spent: Spent, every_day: Sequence[date], name: str) -> list[tuple[str, Amount]]:
    by_name: dict[str, list[Amount]] = {day.strftime(name): [] for day in every_day}
    for entry in sorted((e for entries in spent.values() for e in entries), key=lambda e: e.day):
        by_name.setdefault(entry.day.strftime(name), []).append(entry.amount)
    return [(label, added(amounts)) for label, amounts in sorted(by_name.items())]


def endings(listed: Sequence[JobLine], spent: Spent, idle: Spent, whole: Amount) -> tuple[EndingLine, ...]:
    """Where the energy went: each run by how it ended, and apart from all of them what was held idle."""
    found: dict[str, list[Amount]] = defaultdict(list)
    for line in listed:
        runs = [(run_id, begun) for run_id, begun, *_ in attempts(line.job)]
        for run in runs:
            key = (line.job.cluster, *run)
            entries = spent.get(key, [])
            if not entries and len(runs) > 1:
                continue  # an attempt that lies outside the period
            way = _ending(line.job) if run == runs[-1] else "requeued"
            amount = added(entry.amount for entry in entries)
            if key in idle:
                stood = added(entry.amount for entry in idle[key])
                found["held_idle"].append(stood)
                amount = amount.without(stood)
            found[way].append(amount)
    return tuple(
        EndingLine(
            ending=way, runs=len(found[way]), amount=added(found[way]), share=part(added(found[way]), whole)
        )
        for way in words.ENDING_WORDS
        if way in found
    )


def _ending(job: Job) -> str:
    return "running" if job.state is None and Flag.OPEN in job.flags else words.ending(job.state)


def people(listed: Sequence[JobLine], whole: Amount) -> tuple[PersonLine, ...]:
    by_user: dict[str | None, list[JobLine]] = defaultdict(list)
    for line in listed:
        by_user[line.job.user].append(line)
    people = [
        PersonLine(
            user=user,
            jobs=len(ours),
            gpu_microseconds=sum(line.gpu_microseconds or 0 for line in ours),
            amount=added(line.amount for line in ours),
            share=part(added(line.amount for line in ours), whole),
        )
        for user, ours in by_user.items()
    ]
    return tuple(sorted(people, key=lambda p: (-p.amount.known_millijoules, p.user or "")))


def flags_of(job: Job) -> set[str]:
    return {*job.flags, *(flag for run in job.runs for flag in run.flags)}


def missing(jobs: Sequence[Job]) -> tuple[MissingLine, ...]:
    flags = Counter(flag for job in jobs for flag in flags_of(job))
    reasons = Counter(reason for job in jobs for reason in {*job.reasons, *_reasons_of(job.runs)})
    return missing_lines(flags, reasons)


def _reasons_of(runs: Iterable[Run]) -> set[str]:
    return {reason for run in runs for reason in run.reasons}
