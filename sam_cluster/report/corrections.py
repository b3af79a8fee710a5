"""Which result counts where one corrects another, and that in turn. What is hidden is not erased."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a result says of another, and what became of it."""

    submission_id: str
    supersedes: str | None
    user: str
    submitted_at: datetime
    is_accepted: bool


def superseded(stated: Collection[Stated]) -> dict[str, str]:
    """By the id of each result that is superseded, the one that stands in its place.

    Only what is accepted hides another: what it corrects, what that was itself a correction of, and earlier
    corrections of the same, so that of all corrections of a result one counts, the last that was handed in.
    A correction that was not accepted passes that on to what it corrects where both are of one author, for
    it may be a slip of theirs that is corrected; of two authors it was not theirs to correct.
    """
    by_id = {each.submission_id: each for each in stated}
    corrects = {
        each.submission_id: corrected.submission_id
        for each in by_id.values()
        if (corrected := by_id.get(each.supersedes or "")) is not None
        and corrected is not each
        and (each.is_accepted or each.user == corrected.user)
    }
    accepted = sorted((each for each in by_id.values() if each.is_accepted), key=_when)
    hidden: set[str] = set()
    for each in accepted:
        above = corrects.get(each.submission_id)
        while above is not None and above not in hidden:
            hidden.add(above)
            above = corrects.get(above)
    first = _firsts(corrects)
    standing: dict[str, str] = {}
    # Where results correct one another in a circle all are hidden, and the last of them stands.
    for each in sorted(accepted, key=lambda a: a.submission_id not in hidden):
        standing[first.get(each.submission_id, each.submission_id)] = each.submission_id
    direct = {each.supersedes: each.submission_id for each in accepted}
    in_place = {}
    for name in [*hidden, *(each.submission_id for each in accepted)]:
        stands = standing[first.get(name, name)]
        if name != stands:
            in_place[name] = direct.get(name, stands)
    return in_place


def _firsts(corrects: Mapping[str, str]) -> dict[str, str]:
    """The first result of the chain that each correction ends; of a circle one of it, the same for all."""
    first: dict[str, str] = {}
    for name in corrects:
        if name in first:
            continue
        chain: dict[str, None] = {}
        above: str | None = name
        while above is not None and above not in first and above not in chain:
            chain[above] = None
            above = corrects.get(above)
        if above is None:
            end = next(reversed(chain))
        elif above in first:
            end = first[above]
        else:
            passed = list(chain)
            end = min(passed[passed.index(above) :])
        first.update(dict.fromkeys(chain, end))
    return first


def _when(each: Stated) -> tuple[datetime, str]:
    return each.submitted_at, each.submission_id
