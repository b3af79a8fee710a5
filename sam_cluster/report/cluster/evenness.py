"""How evenly the cluster was used: indices between labs, and between people, each with whom it is about.

An index says how unequal use is and not whether that is fair: use is not access, and little use may be little
demand. So each comes with its population and its weights, and is undefined, in words, where it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ...metrics import TheilParts, Undefined, gini, hoover, jain, lorenz, theil_parts, theil_t

#: Below so many labs an index says less than the shares themselves, which are then in front.
LEAST_LABS = 5


class Weighting(StrEnum):
    """What use is divided by before labs are compared: a policy, and no statistic."""

    MEMBERS = "members"  # the same use per head counts as equal
    SHARE = "share"  # the same use per share granted counts as equal
    NONE = "none"  # the same use per lab counts as equal


class Population(StrEnum):
    """Which labs an index is about."""

    ELIGIBLE = "eligible"  # every lab configured, with a share, or with a job; also those without any use
    ACTIVE = "active"  # those with a GPU job in the period


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one lab used of something; the weights are None where they are not known, and so is `amount`."""

    amount: int | None
    is_active: bool
    members: int | None
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Indices:
    """The indices of one population; `left_out` labs have no known figure and are in none of them."""

    measure: str  # energy or gpu_hours
    population: Population
    n: int
    left_out: int
    gini: float | Undefined
    jain: float | Undefined
    hoover: float | Undefined
    theil_t: float | Undefined
    corners: tuple[tuple[float, float], ...]  # of the Lorenz curve; none where it is undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinLabs:
    """Theil's T over people, split into between and within their labs, and its part within each lab.

    It is about the people of labs with enough active ones; of the others nothing is in it, so that no
    difference of two figures tells of them.
    """

    measure: str
    people: int
    parts: TheilParts | Undefined
    by_lab: Mapping[str, float | Undefined]


def weighting_of(labs: Sequence[Used], least_people: int) -> Weighting:
    """By head where every lab's head count may be told, else by share where every lab has one, else by lab.

    From an index by heads, and from a corner of its curve, a head count that is withheld could be reckoned.
    """
    if labs and all(lab.members is not None and lab.members >= least_people for lab in labs):
        return Weighting.MEMBERS
    if labs and all(lab.share for lab in labs):
        return Weighting.SHARE
    return Weighting.NONE


def indices(measure: str, labs: Sequence[Used], population: Population, weighting: Weighting) -> Indices:
    """The indices of what labs used, over all or over the active ones."""
    meant = [lab for lab in labs if population is Population.ELIGIBLE or lab.is_active]
    known = [(lab.amount, _weight(lab, weighting)) for lab in meant if lab.amount is not None]
    values, weights = [amount for amount, _ in known], [weight for _, weight in known]
    corners = lorenz(values, weights)
    return Indices(
        measure=measure,
        population=population,
        n=len(known),
        left_out=len(meant) - len(known),
        gini=gini(values, weights),
        jain=jain(values, weights),
        hoover=hoover(values, weights),
        theil_t=theil_t(values, weights),
        corners=() if isinstance(corners, Undefined) else tuple(corners),
    )


def _weight(lab: Used, weighting: Weighting) -> float:
    weights = {Weighting.MEMBERS: lab.members, Weighting.SHARE: lab.share, Weighting.NONE: 1}
    weight = weights[weighting]
    assert weight is not None  # weighting_of has seen to it
    return float(weight)


def within_labs(measure: str, people: Mapping[str, Sequence[int]], least_people: int) -> WithinLabs:
    """The split over the people of each lab that has at least so many."""
    shown = {lab: used for lab, used in sorted(people.items()) if len(used) >= least_people}
    return WithinLabs(
        measure=measure,
        people=sum(map(len, shown.values())),
        parts=theil_parts(list(shown.values())),
        by_lab={lab: theil_t(used) for lab, used in shown.items()},
    )
