"""The rows of `runs` and `jobs` of plain jobs, all at once, in columns.

`summarise`, `join`, `sums` and `host` say what the rows are, and make those of all other jobs. Here are the
jobs in which each of their choices has one outcome: one run that all its nodes sent whole, every GPU with a
figure, and one row of accounting that overlaps it, or none. A Python object a row costs ten times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Flag
from sam_cluster.energy.plain.columns import BIT, FLAGS
from sam_cluster.energy.quality import quality
from sam_cluster.store.numbers import Mask, Numbers, integers, mask, one_of_each
from sam_cluster.store.schemas import INSTANT, JOBS, RUNS, WORDS

from ..evidence import Evidence
from ..job_keys import JOB_KEY
from ..join import SLACK_MICROSECONDS
from .host import host_figures
from .hours import figures
from .runs import LATEST, SAME_IN_ALL, Outlines, outlines

#: The time of fewer GPUs, up to LATEST, is far from the end of an int64.
MANY_GPUS = 1 << 10

HAD_GPUS_COLUMNS = ("gpus", "gpu_shards", "gpu_mps", "started_at", "ended_at")
AS_TOLD = ("job_name", "partition", "qos", "state", "submitted_at", "eligible_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Which of the jobs are plain, and the rows of these."""

    is_plain: Mask
    runs: pa.Table
    jobs: pa.Table


def plain(evidence: Evidence, calibration: Mapping[str, float]) -> Plain:
    """The plain jobs, and those of which there is nothing: no shard came, and no GPU was allocated."""
    shown = outlines(evidence)
    metered = figures(evidence, shown, calibration)
    told = _told(evidence, shown)
    flags = shown.flags | metered.flags
    beside = host_figures(evidence, flags)
    kept = pa.array(shown.is_plain & metered.is_plain & told.is_plain & beside.is_plain)
    qualities = _by_flags(flags, lambda each: quality(each, known=True), pa.string())
    runs = {
        **_of_run(evidence, shown, told), **metered.columns, **beside.columns,
        "quality": qualities, "flags": _by_flags(flags, list, WORDS),
    }  # fmt: skip
    flags = np.where(told.is_there, flags, flags | BIT[Flag.NO_ACCOUNTING])
    jobs = {**runs, **_of_job(evidence, runs, told), "flags": _by_flags(flags, list, WORDS)}
    return Plain(
        is_plain=mask(kept) | _is_nothing(evidence),
        runs=pa.Table.from_arrays([runs[name] for name in RUNS.names], schema=RUNS).filter(kept),
        jobs=pa.Table.from_arrays([jobs[name] for name in JOBS.names], schema=JOBS).filter(kept),
    )


def had_gpus(records: pa.Table) -> Mask:
    """As `summarise.had_gpus`, of many rows of accounting."""
    gpus, shards, mps, started, ended = (records[name] for name in HAD_GPUS_COLUMNS)
    held = mask(pc.greater(gpus, 0)) | mask(pc.greater(shards, 0)) | mask(pc.greater(mps, 0))
    return held & mask(pc.greater(ended, started))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What accounting says of each job; nulls where it `is_there` not."""

    is_plain: Mask
    is_there: Mask
    records: pa.Table
    started_at: Numbers  # 0 where it is not there, as all of these
    ended_at: Numbers
    gpus: Numbers
    nodes_expected: Numbers


def _told(evidence: Evidence, shown: Outlines) -> _Told:
    job, count = evidence.job_of_record, len(evidence.jobs)
    at = one_of_each(np.arange(len(job)), job, count)
    is_there = at >= 0
    records = evidence.records.take(pa.array(at, mask=~is_there)).combine_chunks()
    start, end, gpus, nodes = (
        integers(records[name]) for name in ("started_at", "ended_at", "gpus", "node_count")
    )
    until = np.where(end == 0, LATEST, end)
    overlap = np.minimum(shown.ended_at, until) - np.maximum(shown.started_at, start)
    matches = (start > 0) & (np.maximum(start, end) < LATEST) & (overlap >= -SLACK_MICROSECONDS)
    nodes_expected = np.where(nodes == 0, shown.nodes_expected, nodes)
    is_plain = (matches | ~is_there) & (np.bincount(job, minlength=count) < 2) & (np.abs(gpus) < MANY_GPUS)
    is_whole = (nodes_expected <= shown.nodes) | ((gpus != 0) & (shown.gpus >= gpus))
    return _Told(
        is_plain=is_plain & is_whole,
        is_there=is_there, records=records, started_at=start, ended_at=end, gpus=gpus,
        nodes_expected=nodes_expected,
    )  # fmt: skip


def _of_run(evidence: Evidence, shown: Outlines, told: _Told) -> dict[str, Any]:
    """The columns of `runs` that say what it was."""
    a_shard = pa.array(shown.shard, mask=shown.shard < 0)
    count = len(evidence.jobs)
    return {
        **{name: evidence.jobs[name] for name in JOB_KEY},
        **{name: evidence.shards[name].take(a_shard) for name in SAME_IN_ALL},
        "started_at": pa.array(shown.started_at).cast(INSTANT),
        "ended_at": pa.array(shown.ended_at).cast(INSTANT),
        "nodes_expected": _counts(told.nodes_expected, told.nodes_expected == 0),
        "nodes_metered": _counts(shown.nodes),
        "gpus": _counts(shown.gpus),
        "gpus_metered": _counts(shown.gpus),
        "held_microseconds": pa.array(shown.held_microseconds),
        "reasons": pa.array([[]], WORDS).take(pa.array(np.zeros(count, np.int64))),
    }


def _of_job(evidence: Evidence, runs: Mapping[str, Any], told: _Told) -> dict[str, Any]:
    """The columns of `jobs` in which it is not as its run."""
    records, is_there = told.records, pa.array(told.is_there)
    numbers = evidence.jobs["raw_job_id"].cast(pa.string())
    ended = np.where(told.ended_at == 0, integers(runs["ended_at"]), told.ended_at)
    allocated = told.gpus * np.maximum(ended - told.started_at, 0)
    return {
        **{name: records[name] for name in AS_TOLD},
        "job_id": pc.if_else(is_there, records["job_id"], numbers),
        **{
            name: pc.if_else(pa.array(mask(pc.not_equal(records[name], ""))), records[name], runs[name])
            for name in ("user", "account")
        },
        "started_at": pc.if_else(is_there, records["started_at"], runs["started_at"]),
        "ended_at": pa.array(ended).cast(INSTANT),
        "nodes": runs["nodes_expected"],
        "gpus": _counts(np.where(told.gpus == 0, integers(runs["gpus"]), told.gpus)),
        "gpu_microseconds": pa.array(np.where(told.gpus == 0, integers(runs["gpu_microseconds"]), allocated)),
        "run_ids": pa.ListArray.from_arrays(
            np.arange(len(ended) + 1, dtype=np.int32), runs["run_id"].combine_chunks()
        ),
    }


def _is_nothing(evidence: Evidence) -> Mask:
    """The jobs of which no shard came, where none was due."""
    found = np.ones(len(evidence.jobs), np.bool_)
    found[evidence.job_of_shard] = False
    found[evidence.job_of_record[had_gpus(evidence.records)]] = False
    return found


def _by_flags(flags: Numbers, of_list: Callable[[list[Flag]], Any], kind: pa.DataType) -> pa.Array:
    """What is said of each set of flags."""
    distinct, at = np.unique(flags, return_inverse=True)
    lists = [sorted(flag for flag in FLAGS if bits & BIT[flag]) for bits in distinct.tolist()]
    return pa.array([of_list(each) for each in lists], kind).take(pa.array(at))


def _counts(values: Numbers, is_null: Mask | None = None) -> pa.Array:
    return pa.array(values.astype(np.int32), mask=is_null)
