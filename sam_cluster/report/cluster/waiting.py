"""How long jobs waited for their GPUs, from eligible to their first start: what use alone does not tell.

It is of the jobs that began in the period. One that is still waiting, or was withdrawn, is in no table and
not in it: a lab that gave up waiting looks as if it had not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ...core.times import utc_microseconds
from ...core.units import MICROSECONDS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The waiting of some jobs in seconds; None where there is none to tell of, or too few people.

    `unknown` jobs have no time at which they became eligible, or one after their start.
    """

    jobs: int
    unknown: int
    median_seconds: float | None
    ninetieth_percentile_seconds: float | None
    is_withheld: bool = False


def waiting_of(
    jobs: pa.Table, start: datetime, end: datetime, least_people: int
) -> tuple[Waiting, dict[str, Waiting]]:
    """Of all jobs, and by lab."""
    begun = jobs["started_at"].cast(pa.int64())
    first, last = utc_microseconds(start), utc_microseconds(end)
    inside = pc.and_(pc.greater_equal(begun, first), pc.less(begun, last))
    rows = jobs.filter(pc.fill_null(inside, False)).select(["lab", "user", "eligible_at", "started_at"])
    waited = pc.subtract(rows["started_at"].cast(pa.int64()), rows["eligible_at"].cast(pa.int64()))
    rows = rows.append_column("waited", waited).sort_by([("lab", "ascending"), ("waited", "ascending")])
    found: dict[str, list[tuple[int | None, str | None]]] = {}
    columns = (rows["lab"].to_pylist(), rows["waited"].to_pylist(), rows["user"].to_pylist())
    for lab, each, user in zip(*columns, strict=True):
        if lab is not None:
            found.setdefault(lab, []).append((each, user))
    everyone = sorted(each for each in columns[1] if each is not None and each >= 0)
    return _waiting(everyone, len(rows)), {lab: _of_lab(ours, least_people) for lab, ours in found.items()}


def _of_lab(jobs: Sequence[tuple[int | None, str | None]], least_people: int) -> Waiting:
    known = [(each, user) for each, user in jobs if each is not None and each >= 0]
    if known and len({user for _, user in known}) < least_people:
        return Waiting(
            jobs=len(known),
            unknown=len(jobs) - len(known),
            median_seconds=None,
            ninetieth_percentile_seconds=None,
            is_withheld=True,
        )
    return _waiting([each for each, _ in known], len(jobs))


def _waiting(ascending: Sequence[int], of: int) -> Waiting:
    return Waiting(
        jobs=len(ascending),
        unknown=of - len(ascending),
        median_seconds=_quantile(ascending, 1, 2),
        ninetieth_percentile_seconds=_quantile(ascending, 9, 10),
    )


def _quantile(ascending: Sequence[int], numerator: int, denominator: int) -> float | None:
    """The least waiting that a part of the jobs did not exceed (nearest rank), in seconds."""
    if not ascending:
        return None
    rank = -(-len(ascending) * numerator // denominator)
    return ascending[rank - 1] / MICROSECONDS_PER_SECOND
