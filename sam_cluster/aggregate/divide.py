"""The tables `usage` and `gaps`, made anew for the days of the GPUs that new boundaries touch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from sam_cluster.store.commit import Transaction
from sam_cluster.store.rows import once

from .accounting import Asked
from .beside import beside
from .claims import shared_days
from .evidence import Job
from .exact import divide_exactly
from .plain.gpus import divide_plainly
from .touched import ends_of_set_back, read_touching, touched_days
from .units import Pairs, Units


def redivide(
    transaction: Transaction, removed: pa.Table, added: pa.Table, jobs: Collection[Job], asked: Asked
) -> set[Job]:
    """Bring `usage` and `gaps` up to date with readings that came or went, and say which jobs have hours that
    may have changed. The readings themselves are in the transaction already.

    What was given of a shared GPU accounting knows, which may come later, or change: where runs of `jobs`, of
    which shards or accounting are new, share a GPU, it is divided anew."""
    again = shared_days(transaction, jobs)
    while True:
        days, inside = touched_days(transaction, (removed, added), again)
        if not days:
            return set()
        units = Units.of(days)
        old_gaps = read_touching(transaction, "gaps", units.windows)
        old_gaps = old_gaps.take(pa.array(np.unique(units.touched_by("gaps", old_gaps).row)))
        ends = ends_of_set_back(old_gaps)
        if all(their_days <= days[gpu] for gpu, their_days in ends.items()):
            break
        again = {gpu: days[gpu] | ends.get(gpu, set()) for gpu in days}
    old_usage = read_touching(transaction, "usage", units.windows)
    old_usage = old_usage.take(pa.array(units.with_hours(old_usage)))
    rows, pairs = _readings(transaction, units, inside, removed, old_gaps)
    usage, gaps = divided(transaction, units, rows, pairs, asked)
    transaction.exchange("usage", removed=old_usage, added=usage)
    if len(units) > len(units.gpus):  # two of one GPU may have a gap in common
        gaps = once("gaps", gaps)
    transaction.exchange("gaps", removed=old_gaps, added=gaps)
    return _jobs_of(old_usage, usage)


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
) -> tuple[pa.Table, Pairs]:
    """The readings that touch the units or lie beside them, and which belongs to which."""
    pairs = units.touched_by("readings", inside)
    near, unit = beside(transaction, units, inside, pairs, removed, old_gaps)
    row = np.append(pairs.row, len(inside) + np.arange(len(near)))
    return pa.concat_tables([inside, near]), Pairs(row, np.append(pairs.unit, unit))


def _jobs_of(*tables: pa.Table) -> set[Job]:
    """The jobs that some rows are of."""
    rows = pa.concat_tables([table.select(["cluster", "raw_job_id"]) for table in tables])
    unique = rows.group_by(["cluster", "raw_job_id"]).aggregate([])
    return set(zip(unique["cluster"].to_pylist(), unique["raw_job_id"].to_pylist(), strict=True))
