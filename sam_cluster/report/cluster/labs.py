"""The lines of the page's tables: labs with what they used beside what they were granted, and people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...core.config import Config
from ...metrics import Undefined, level_fs
from ..view import part
from .granted import Granted
from .spent import LabSum, Spending
from .view import Heads, LabLine, People, PersonLine
from .waiting import Waiting

NOBODY_WAITED = Waiting(jobs=0, unknown=0, median_seconds=None, ninetieth_percentile_seconds=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFacts:
    """What is known of labs beside their use; `granted` has every lab that is shown."""

    granted: Mapping[str, Granted]
    results: Mapping[str, int]
    waiting: Mapping[str, Waiting]
    least_people: int


def lab_lines(spending: Spending, facts: LabFacts) -> tuple[LabLine, ...]:
    """A line for each lab, the most energy first."""
    sums = {lab: spending.labs.get(lab, LabSum()) for lab in facts.granted}
    # Of all jobs, also those of no known lab: a lab's own page has the same shares.
    energy, time = spending.whole.amount.known_millijoules, spending.whole.gpu_microseconds
    # As among siblings in Slurm: of the labs with a share, parts of their sums.
    sharing = {lab: granted.share for lab, granted in facts.granted.items() if granted.share is not None}
    granted_sum = math.fsum(sharing.values())  # rounded once, so that the order of the labs is of no account
    sharing_energy = sum(sums[lab].amount.known_millijoules for lab in sharing)
    sharing_time = sum(sums[lab].gpu_microseconds for lab in sharing)
    lines = []
    for lab, granted in facts.granted.items():
        ours = sums[lab]
        known = ours.amount.energy_millijoules
        active = len(spending.people.get(lab, ()))
        share = sharing[lab] / granted_sum if lab in sharing and granted_sum else None
        lines.append(
            LabLine(
                lab=lab,
                amount=ours.amount,
                gpu_microseconds=ours.gpu_microseconds,
                jobs=ours.jobs,
                jobs_without_gpu_time=ours.jobs_without_gpu_time,
                share_of_energy=_over(known, energy),
                share_of_gpu_time=_over(ours.gpu_microseconds, time),
                granted=granted,
                share_granted=share,
                level_fs_energy=_level_fs(share, _over(known, sharing_energy)),
                level_fs_gpu_time=_level_fs(share, _over(ours.gpu_microseconds, sharing_time)),
                heads=_heads(ours, granted, active, facts.least_people),
                active_people=active if active == 0 or active >= facts.least_people else None,
                results=facts.results.get(lab, 0),
                idle=ours.idle,
                waiting=facts.waiting.get(lab, NOBODY_WAITED),
            )
        )
    return tuple(sorted(lines, key=lambda line: (-line.amount.known_millijoules, line.lab)))


def _over(amount: int | None, whole: int) -> float | None:
    return None if amount is None or not whole else amount / whole


def _level_fs(share: float | None, used: float | None) -> float | Undefined | None:
    return None if share is None or used is None else level_fs(share, used)


def _heads(ours: LabSum, granted: Granted, active: int, least_people: int) -> Heads:
    count = active if granted.members is None else granted.members
    known = ours.amount.energy_millijoules
    told = count >= least_people
    return Heads(
        count=count if told else None,
        are_members=granted.members is not None,
        energy_millijoules=known / count if told and known is not None else None,
        gpu_microseconds=ours.gpu_microseconds / count if told else None,
        is_withheld=0 < count < least_people,
    )


def told_labs(spending: Spending, least_people: int) -> set[str | None]:
    """The labs of which so many people ran jobs that figures about them may be told."""
    return {lab for lab, people in spending.people.items() if len(people) >= least_people}


def people_lines(spending: Spending, name: Callable[[str], str] | None, config: Config) -> People:
    """The people of each lab that has enough of them, the most energy first."""
    whole = spending.whole.amount
    shown = told_labs(spending, config.least_people)
    lines = [
        PersonLine(
            name="unknown" if person.user is None else name(person.user),
            lab=lab,
            jobs=person.jobs,
            gpu_microseconds=person.gpu_microseconds,
            amount=person.amount,
            share=part(person.amount, whole),
        )
        for lab, people in spending.people.items()
        for person in people
        if lab in shown and name is not None
    ]
    return People(
        lines=tuple(sorted(lines, key=lambda p: (-p.amount.known_millijoules, p.lab or "", p.name))),
        are_pseudonyms=config.people != "names",
        are_named=name is not None,
        least_people=config.least_people,
        withheld_labs=len([lab for lab in spending.people if lab is not None and lab not in shown]),
    )
