"""Which days hang together because a node's wall clock was set back: they are divided at once.

By the days that boundaries are filed under, one may seem to lie before another that was before it. All that
a clock showed twice is therefore looked at together, in the order of the clock that is never set.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.units import MICROSECONDS_PER_DAY
from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import day_of, day_start

from .neighbours import Beside
from .touched import Gpu, Stretch, days_between, spans, spans_over_midnight, spans_set_back

Span = tuple[Gpu, int, int]  # with a first and a last instant


def spans_tied(transaction: Transaction, stretch: Stretch, beside: Beside) -> Iterator[Span]:
    """What has to be divided together with a stretch, by what was found beside it: all up to the boundaries
    that are astray, and up to the end of any time shown twice that one of its neighbours lies in."""
    tied = list(spans(beside.astray, beside.astray["at"], beside.astray["at"]))
    near = beside.near["at"].cast(pa.int64())
    for number in pc.unique(pc.divide(near, MICROSECONDS_PER_DAY)).to_pylist():
        day = day_of(number * MICROSECONDS_PER_DAY)
        shown_twice = list(_shown_twice(transaction, day))
        if shown_twice:
            of_day = beside.near.filter(pc.equal(pc.divide(near, MICROSECONDS_PER_DAY), number))
            gpus = {gpu for gpu, *_ in spans(of_day, of_day["at"], of_day["at"])}
            tied += [each for each in shown_twice if each[0] in gpus and day in days_between(*each[1:])]
    for gpu, first, last in tied:
        yield gpu, min(first, stretch.start), max(last, day_start(stretch.last))


def _shown_twice(transaction: Transaction, day: date) -> Iterator[Span]:
    """What was shown twice on a day and days before it."""
    yield from spans_set_back(transaction.overhanging("gaps", day))
    yield from spans_over_midnight(transaction.overhanging("readings", day))
