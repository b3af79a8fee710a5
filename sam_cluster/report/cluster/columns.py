"""The jobs of a period and the hours that they held GPUs, as columns with the lab that each belongs to."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...core.config import Config
from ...core.times import utc_microseconds
from ...store.rows import joined
from ..ledger import summed
from ..reading import groups_of, rows_between
from ..records import TableReader

JOB_COLUMNS = (
    "cluster", "user", "account", "eligible_at", "started_at", "ended_at", "gpus", "gpu_microseconds",
    "quality", "flags", "reasons", "run_ids",
)  # fmt: skip

HOUR = timedelta(hours=1)
EPOCH_START = np.iinfo(np.int64).min


def jobs_of(tables: TableReader, config: Config, start: datetime, end: datetime) -> pa.Table:
    """The GPU jobs of a period with their `lab`, and whether each `overlaps` the period; beside them those
    that began in the hour in which a period ends that ends inside one, for that hour is the period's."""
    rows = tables.read(
        "jobs",
        start_microseconds=utc_microseconds(start),
        end_microseconds=utc_microseconds(end + HOUR),
        columns=JOB_COLUMNS,
    )
    rows = _with_gpus(rows)
    return rows.append_column("lab", groups_of(rows, config)).append_column(
        "overlaps", _overlaps(rows, start, end)
    )


def gpu_time_of_all(tables: TableReader, start: datetime, end: datetime, until: datetime) -> int:
    """GPU-microseconds of all labs inside a period, as allocated; of jobs of which it is known."""
    rows = _with_gpus(rows_between(tables, start, end))
    inside = gpu_time_inside(rows.filter(_overlaps(rows, start, end)), start, end, until)
    return pc.sum(inside).as_py() or 0


def _with_gpus(rows: pa.Table) -> pa.Table:
    """A job without GPUs is nothing that could be metered."""
    return rows.filter(pc.or_(pc.fill_null(pc.not_equal(rows["gpus"], 0), True), _has_words(rows["run_ids"])))


def _has_words(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.greater(pc.fill_null(pc.list_value_length(lists), 0), 0)


def _overlaps(rows: pa.Table, start: datetime, end: datetime) -> pa.ChunkedArray:
    """As `records.overlaps` has it."""
    kind = rows.schema.field("started_at").type
    first, last = pa.scalar(start, kind), pa.scalar(end, kind)
    begun = pc.coalesce(rows["started_at"], rows["ended_at"])
    is_after = pc.or_(
        pc.fill_null(pc.greater(rows["ended_at"], first), True),
        pc.fill_null(pc.greater_equal(begun, first), False),
    )
    return pc.and_(pc.fill_null(pc.less(begun, last), False), is_after)


def gpu_time_inside(jobs: pa.Table, start: datetime, end: datetime, until: datetime) -> pa.Array:
    """GPU-microseconds of each job inside the period, as allocated; over its border apportioned by time, as
    `spending.job_line` does. Null where unknown. A job that still runs reaches up to `until`."""
    begun, ended = _instants(jobs["started_at"], start), _instants(jobs["ended_at"], until)
    ended = np.maximum(ended, begun)
    first, last = utc_microseconds(start), utc_microseconds(end)
    lasted = np.maximum(ended - begun, 1)
    inside = np.clip(np.minimum(ended, last) - np.maximum(begun, first), 0, None)
    is_whole = ((begun >= first) & (ended <= last)) | jobs["started_at"].is_null().to_numpy()
    given = pc.fill_null(jobs["gpu_microseconds"], 0).to_numpy()
    part = np.where(is_whole, given, np.rint(given * (inside / lasted))).astype(np.int64)
    return pa.array(part, mask=jobs["gpu_microseconds"].is_null().to_numpy())


def _instants(column: pa.ChunkedArray, where_null: datetime) -> np.ndarray:
    return np.asarray(pc.fill_null(column.cast(pa.int64()), utc_microseconds(where_null)))


def attributed(usage: pa.Table, jobs: pa.Table) -> pa.Table:
    """The hours of `idle.judged`, `summed` by run and `is_idle`, with `lab` and `user` of their job; null
    where no job is known. A run's id may come again: then the job is meant that began last."""
    runs = summed(usage, ["cluster", "run_id", "started_at", "is_idle"])
    place = _job_of(runs, jobs)
    runs = runs.append_column("lab", jobs["lab"].take(place))
    return runs.append_column("user", jobs["user"].take(place))


def _job_of(runs: pa.Table, jobs: pa.Table) -> pa.Array:
    """The row of the job of each run; null where there is none."""
    owner = pc.list_parent_indices(jobs["run_ids"].combine_chunks())
    parts = pa.table({
        "cluster": jobs["cluster"].take(owner),
        "run_id": pc.list_flatten(jobs["run_ids"]),
    })  # fmt: skip
    keys = joined(parts, ["cluster", "run_id"]).combine_chunks()
    known = keys.unique()
    code = np.asarray(pc.index_in(keys, value_set=known))
    begun = np.asarray(pc.fill_null(jobs["started_at"].cast(pa.int64()), EPOCH_START))[np.asarray(owner)]
    order = np.lexsort((begun, code))
    code, begun, owner_row = code[order], begun[order], np.asarray(owner)[order]

    wanted = pc.index_in(joined(runs, ["cluster", "run_id"]), value_set=known)
    is_unknown = np.asarray(wanted.is_null())
    wanted = np.asarray(pc.fill_null(wanted, 0))
    if not len(code):
        return pa.nulls(len(runs), pa.int64())
    low, high = np.searchsorted(code, wanted), np.searchsorted(code, wanted, side="right")
    place = low.copy()
    at = np.asarray(pc.fill_null(runs["started_at"].cast(pa.int64()), EPOCH_START))
    for row in np.flatnonzero(high - low > 1):
        first, after = low[row], high[row]
        place[row] = max(first, first + np.searchsorted(begun[first:after], at[row], side="right") - 1)
    return pa.array(owner_row[place], pa.int64(), mask=is_unknown)
