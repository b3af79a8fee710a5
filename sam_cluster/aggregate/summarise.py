"""A run from its shards and hours, a job from its runs and accounting. Pure: rows in, a row out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sam_cluster.core.model import Flag, Quality, Reason, quality_of_sum
from sam_cluster.core.units import MICROSECONDS_PER_HOUR
from sam_cluster.energy.quality import quality

from .host import job_host, run_host
from .join import Attempt, overlap
from .shard_rows import Row
from .sums import job_figures, run_figures, sum_of_known

#: How long after a job's end its shards are waited for, before it is said that none came.
SHARD_MARGIN_MICROSECONDS = MICROSECONDS_PER_HOUR


def outline(shards: Sequence[Row]) -> Row:
    """What tells one run from another: the columns of `runs` that its shards alone give."""
    begun = [shard for shard in shards if Flag.NO_START not in shard["flags"]] or shards
    return {
        **{name: begun[0][name] for name in ("cluster", "run_id", "raw_job_id", "restart")},
        "started_at": min(shard["started_at"] for shard in begun),
        "ended_at": max(shard["ended_at"] for shard in shards),
        "user": _first(begun, "user"),
        "account": _first(begun, "account"),
    }


def run_row(
    shards: Sequence[Row], hours: Sequence[Row], record: Row | None, calibration: Mapping[str, float]
) -> Row:
    """The row of `runs` of one run: from its shards, its rows of `usage` and its row of accounting."""
    flags: set[str] = set()
    reasons: set[str] = set()
    gpus = gpus_metered = nodes_metered = held = 0
    nodes = {shard["node"] for shard in shards}
    for node in nodes:
        metered = {row["gpu_uuid"] for row in hours if row["node"] == node and _known(row)}
        mine = [shard for shard in shards if shard["node"] == node]
        if metered:  # an end without its start only confirms what is known, unless it says all there is
            mine = [shard for shard in mine if Flag.NO_START not in shard["flags"]] or mine
        nodes_metered += bool(metered)
        given = _gpus(mine)
        gpus += len(given)
        held += len(given) * (max(s["ended_at"] for s in mine) - min(s["started_at"] for s in mine))
        gpus_metered += len(given.keys() & metered)
        for shard in mine:
            flags.update(shard["flags"])
        missing = {name: reason for name, reason in given.items() if name not in metered}
        if missing or not metered:
            flags.add(Flag.GPU_MISSING)
            reasons.update(missing.values() or {_first(mine, "reason") or Reason.NO_READING})
        if part := _missing_part(mine, record):
            flags.add(part)
            reasons.update({Reason.NO_SHARD} if part is Flag.PART_MISSING else ())
    flags.update(flag for row in hours for flag in row["flags"] if flag != Flag.INTERPOLATED)
    expected = _expected(shards, record)
    allocated = record["gpus"] if record else None
    if expected is not None and expected > len(nodes) and not (allocated and gpus >= allocated):
        flags.add(Flag.NODE_MISSING)
        reasons.add(Reason.NO_SHARD)
    models = {gpu["uuid"]: gpu["name"] for shard in shards for gpu in shard["gpus"] if gpu["name"]}
    figures = run_figures(hours, models, calibration)
    whole = {(row["node"], row["gpu_uuid"]) for row in hours if _known(row)}
    return {
        **outline(shards),
        "nodes_expected": expected,
        "nodes_metered": nodes_metered,
        "gpus": gpus,
        "gpus_metered": gpus_metered,
        "gpu_microseconds": sum(
            row["held_microseconds"] for row in hours if (row["node"], row["gpu_uuid"]) in whole
        ),
        "held_microseconds": held,
        "device_energy_millijoules": sum_of_known(row["device_energy_millijoules"] for row in hours),
        **figures,
        **run_host(shards, record, flags),
        "quality": quality(map(Flag, flags), known=figures["energy_millijoules"] is not None),
        "flags": sorted(flags),
        "reasons": sorted(reasons),
    }


def job_row(
    attempts: Sequence[Attempt], now_microseconds: int, calibration: Mapping[str, float]
) -> Row | None:
    """The row of `jobs` of one job; None for one that had no GPUs and sent nothing."""
    runs = [run for attempt in attempts for run in attempt.runs]
    unheard = [attempt for attempt in attempts if _is_unheard(attempt, runs, now_microseconds)]
    if not runs and not unheard:
        return None
    records = [attempt.record for attempt in attempts if attempt.record]
    record = records[-1] if records else None
    flags = {flag for run in runs for flag in run["flags"]}
    reasons = {reason for run in runs for reason in run["reasons"]}
    if any(attempt.record is None for attempt in attempts):
        flags.add(Flag.NO_ACCOUNTING)
    if unheard:
        flags.add(Flag.NO_SHARD)
        reasons.add(Reason.NO_SHARD)
    last = runs[-1] if runs else {}
    heard = max((run["ended_at"] for run in runs), default=None)
    ended = attempts[-1].record["ended_at"] if attempts[-1].record else None
    qualities = [Quality(run["quality"]) for run in runs] + [Quality.UNKNOWN] * len(unheard)
    whole = record or {}
    return {
        "cluster": (record or last)["cluster"],
        "job_id": record["job_id"] if record else str(last["raw_job_id"]),
        "raw_job_id": (record or last)["raw_job_id"],
        "job_name": whole.get("job_name"),
        "user": whole.get("user") or last.get("user"),
        "account": whole.get("account") or last.get("account"),
        "partition": whole.get("partition"),
        "qos": whole.get("qos"),
        "state": whole.get("state"),
        "submitted_at": records[0]["submitted_at"] if records else None,
        "eligible_at": records[0]["eligible_at"] if records else None,
        "started_at": attempts[0].start,
        "ended_at": ended or heard,
        "nodes": whole.get("node_count") or last.get("nodes_expected"),
        "gpus": whole.get("gpus") or last.get("gpus"),
        "gpu_microseconds": sum(_gpu_microseconds(attempt) for attempt in attempts),
        "held_microseconds": sum(run["held_microseconds"] for run in runs)
        + sum(_gpu_microseconds(attempt) for attempt in unheard),
        **job_figures(runs, calibration),
        **job_host(runs, is_unheard=bool(unheard)),
        "quality": quality_of_sum(qualities),
        "flags": sorted(flags),
        "reasons": sorted(reasons),
        "run_ids": [run["run_id"] for run in runs],
    }


def had_gpus(record: Row) -> bool:
    """Whether accounting says that a job had GPUs, or shares of one, for any time."""
    held = any((record[name] or 0) > 0 for name in ("gpus", "gpu_shards", "gpu_mps"))
    start, end = record["started_at"], record["ended_at"]
    return held and start is not None and end is not None and end > start


def _is_unheard(attempt: Attempt, runs: Iterable[Row], now_microseconds: int) -> bool:
    """Whether GPUs were allocated, and nothing was heard of them though the time to wait is over."""
    if attempt.runs or not attempt.record or not had_gpus(attempt.record):
        return False
    if attempt.end > now_microseconds - SHARD_MARGIN_MICROSECONDS:
        return False
    # A run that goes on over a resize is in several rows of accounting.
    return not any(overlap(run["started_at"], run["ended_at"], attempt) > 0 for run in runs)


def _missing_part(shards: Sequence[Row], record: Row | None) -> Flag | None:
    """What is to say of the parts that a node should have sent."""
    parts = {shard["part"] for shard in shards}
    is_over = any(shard["final"] for shard in shards)
    if parts and len(parts) <= max(parts):
        return Flag.PART_MISSING
    if parts and not is_over:
        return Flag.PART_MISSING if record and record["ended_at"] is not None else Flag.OPEN
    return None


def _gpus(shards: Iterable[Row]) -> dict[str, str]:
    """The GPUs that a run was given on a node, and why each has no figure where it has none."""
    told: dict[str, list[str | None]] = {}
    for shard in shards:
        for gpu in shard["gpus"]:
            told.setdefault(gpu["uuid"] or gpu["requested"], []).extend((gpu["reason"], shard["reason"]))
    return {name: next(filter(None, reasons), Reason.NO_READING) for name, reasons in told.items()}


def _expected(shards: Iterable[Row], record: Row | None) -> int | None:
    told = [shard["nodes_expected"] for shard in shards if shard["nodes_expected"] is not None]
    counted = record["node_count"] if record else None
    return counted or max(told, default=None)


def _gpu_microseconds(attempt: Attempt) -> int:
    """GPUs times time as allocated; where accounting cannot say, as metered."""
    metered = sum(run["gpu_microseconds"] for run in attempt.runs)
    record = attempt.record
    if not record or not record["gpus"] or record["started_at"] is None:
        return int(metered)
    heard = max((run["ended_at"] for run in attempt.runs), default=record["started_at"])
    return int(record["gpus"] * max((record["ended_at"] or heard) - record["started_at"], 0))


def _known(row: Row) -> bool:
    return row["energy_millijoules"] is not None


def _first(rows: Iterable[Row], name: str) -> str | None:
    return next((row[name] for row in rows if row[name] is not None), None)
