"""The tables `usage` and `gaps`, made anew for the days of the GPUs that new boundaries touch."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import empty, once

from .accounting import Asked
from .beside import beside
from .claims import shared_days
from .exact import divide_exactly
from .plain.gpus import divide_plainly
from .touched import Gpu, days_between, ends_elsewhere, read_touching, spans_set_back, touched_days
from .units import Pairs, Units


def redivide(
    transaction: Transaction, removed: pa.Table, added: pa.Table, jobs: pa.Table, asked: Asked
) -> tuple[pa.Table, pa.Table]:
    """Bring `usage` and `gaps` up to date with readings that came or went, and give the rows of `usage` that
    were and that are: of their jobs the hours may have changed. The readings themselves are in the
    transaction already.

    What was given of a shared GPU accounting knows, which may come later, or change: where runs of `jobs`, of
    which shards or accounting are new, share a GPU, it is divided anew."""
    again = shared_days(transaction, jobs)
    while True:
        days, inside = touched_days(transaction, (removed, added), again)
        if not days:
            return empty("usage"), empty("usage")
        units = Units.of(days)
        old_gaps = read_touching(transaction, "gaps", units.windows)
        old_gaps = old_gaps.take(pa.array(np.unique(units.touched_by("gaps", old_gaps).row)))
        rows, pairs, tied = _readings(transaction, units, inside, removed, old_gaps)
        if all(more <= days[gpu] for gpu, more in tied.items()):
            break
        again = {gpu: days[gpu] | tied.get(gpu, set()) for gpu in days}
    old_usage = read_touching(transaction, "usage", units.windows)
    old_usage = old_usage.take(pa.array(units.with_day_of(old_usage, "hour")))
    usage, gaps = divided(transaction, units, rows, pairs, asked)
    transaction.exchange("usage", removed=old_usage, added=usage)
    if len(units) > len(units.gpus):  # two of one GPU may have a gap in common
        gaps = once("gaps", gaps)
    transaction.exchange("gaps", removed=old_gaps, added=gaps)
    return old_usage, usage


def divided(
    transaction: Transaction, units: Units, rows: pa.Table, pairs: Pairs, asked: Asked
) -> tuple[pa.Table, pa.Table]:
    """Rows of `usage` and of `gaps` of units from the readings that touch them or lie beside them."""
    plain_usage, plain_gaps, is_plain = divide_plainly(units, rows, pairs)
    odd = np.flatnonzero(~is_plain[pairs.unit])
    if not len(odd):
        return plain_usage, plain_gaps
    usage, gaps = divide_exactly(transaction, units, rows, Pairs(pairs.row[odd], pairs.unit[odd]), asked)
    return pa.concat_tables([plain_usage, usage]), pa.concat_tables([plain_gaps, gaps])


def _readings(
    transaction: Transaction, units: Units, inside: pa.Table, removed: pa.Table, old_gaps: pa.Table
) -> tuple[pa.Table, Pairs, dict[Gpu, set[date]]]:
    """The readings that touch the units or lie beside them, which belongs to which, and the days that have to
    be divided with them."""
    pairs = units.touched_by("readings", inside)
    near, unit, tied = beside(transaction, units, inside, pairs, removed, old_gaps)
    row = np.append(pairs.row, len(inside) + np.arange(len(near)))
    rows = pa.concat_tables([inside, near])
    is_outside = np.ones(len(old_gaps), np.bool_)
    is_outside[units.with_day_of(old_gaps, "to_at")] = False
    outside = old_gaps.filter(pa.array(is_outside))
    for gpu, first, last in [*spans_set_back(old_gaps), *ends_elsewhere(outside, rows)]:
        tied.setdefault(gpu, set()).update(days_between(first, last))
    return rows, Pairs(row, np.append(pairs.unit, unit)), tied
