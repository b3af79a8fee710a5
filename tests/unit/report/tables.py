"""Tables in memory with the store's own selection, and rows that are right but for what a test names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from sam_cluster.core.model import Quality
from sam_cluster.core.times import utc_microseconds
from sam_cluster.core.uncertainty import Uncertainty
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.store.named import least_and_greatest
from sam_cluster.store.rows import from_rows
from sam_cluster.store.schemas import TABLES
from sam_cluster.store.tables import Where

Row = dict[str, Any]

MODEL = "NVIDIA A100-SXM4-80GB"


class MemoryTables:
    """What the reports ask of a snapshot, answered from rows in memory."""

    def __init__(self, rows: Mapping[str, Iterable[Row]]) -> None:
        self.tables = {name: from_rows(name, rows.get(name, ())) for name in TABLES}

    def read(
        self,
        table: str,
        *,
        start_microseconds: int | None = None,
        end_microseconds: int | None = None,
        raw_job_ids: Collection[int] | None = None,
        run_ids: Collection[str] | None = None,
        job_ids: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
        in_any_order: bool = False,
    ) -> pa.Table:
        where = Where(table, start_microseconds, end_microseconds, raw_job_ids, run_ids, job_ids)
        rows = where.selected([self.tables[table]], columns, in_any_order)
        # Whoever takes them in any order must get on with the worst one.
        return rows.take(pa.array(range(len(rows))[::-1], pa.int64())) if in_any_order else rows

    def job_numbers(self, start_microseconds: int, end_microseconds: int) -> list[tuple[int, int]] | None:
        rows = self.read("jobs", start_microseconds=start_microseconds, end_microseconds=end_microseconds)
        least, greatest = least_and_greatest(rows["job_id"])
        if least is None or greatest is None:
            return None if len(rows) else []
        return [(least, greatest)]


def at(text: str) -> datetime:
    """An instant of UTC: `2026-10-03 14:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def job_rows(
    raw_job_id: int,
    start: str,
    hours: int,
    kwh: float | None,
    *,
    job_id: str | None = None,
    user: str = "ada",
    account: str = "vision",
    state: str = "COMPLETED",
    gpus: int = 1,
    quality: Quality = Quality.MEASURED,
    **more: Any,
) -> dict[str, list[Row]]:
    """A job of one run, its run and its hours, all of which use the same; `more` changes the job's row."""
    begun = at(start)
    ended = begun + timedelta(hours=hours)
    energy = None if kwh is None else millijoules_from_kwh(kwh)
    run_id = f"{raw_job_id}.0"
    common = {
        "cluster": "lab",
        "raw_job_id": raw_job_id,
        "started_at": begun,
        "user": user,
        "account": account,
    }
    figures = {"energy_millijoules": energy, "quality": quality.value, **sure(energy)}
    words = {"flags": more.pop("flags", []), "reasons": more.pop("reasons", [])}
    job = {
        **common, **figures, **words, "ended_at": ended, "job_id": job_id or str(raw_job_id),
        "job_name": "train", "state": state, "nodes": 1, "gpus": gpus,
        "gpu_microseconds": gpus * hours * 3_600_000_000, "run_ids": [run_id],
    }  # fmt: skip
    run = {
        **common, **figures, **words, "ended_at": ended, "run_id": run_id, "restart": 0, "nodes_expected": 1,
        "nodes_metered": 1, "gpus": gpus, "gpus_metered": gpus,
    }  # fmt: skip
    usage = hour_rows(run_id, begun, hours, energy, gpus=gpus, quality=quality)
    return {"jobs": [{**job, **more}], "runs": [run], "usage": usage}


def sure(energy: int | None, boundary: int = 0, *, gpu_model: str | None = MODEL) -> Row:
    """How sure a job on GPUs of one model is, in millijoules, as its row has it."""
    whole = Uncertainty.of({gpu_model: energy or 0}, boundary, {})
    return {
        "uncertainty_millijoules": None if energy is None else whole.millijoules,
        "boundary_uncertainty_millijoules": None if energy is None else boundary,
        "energy_by_model": None
        if energy is None
        else [{"gpu_model": gpu_model, "energy_millijoules": energy}],
    }


def hour_rows(
    run_id: str,
    begun: datetime,
    hours: int,
    energy: int | None,
    *,
    gpus: int = 1,
    quality: Quality = Quality.MEASURED,
) -> list[Row]:
    """An energy in millijoules over whole hours, the same in each but for what is left over in the first."""
    whole, rest = divmod(energy or 0, max(hours, 1))
    return [
        {
            "cluster": "lab", "run_id": run_id, "node": "n1", "gpu_uuid": "GPU-1", "started_at": begun,
            "hour": begun + timedelta(hours=n), "held_microseconds": gpus * 3_600_000_000,
            "gpu_model": MODEL, "uncertainty_millijoules": None if energy is None else 0,
            "energy_millijoules": None if energy is None else whole + (rest if n == 0 else 0),
            "device_energy_millijoules": None if energy is None else whole + (rest if n == 0 else 0),
            "quality": quality.value, "flags": [],
        }
        for n in range(hours)
    ]  # fmt: skip


def gap_row(gpu_uuid: str, begun: datetime, minutes: int, watts: float, **more: Any) -> Row:
    """A stretch in which nobody held a GPU, which drew the same power all the time."""
    ended = begun + timedelta(minutes=minutes)
    return {
        "cluster": "lab", "node": "n1", "gpu_uuid": gpu_uuid, "segment": "s", "kind": "idle",
        "from_at": begun, "from_uptime_microseconds": utc_microseconds(begun),
        "to_at": ended, "to_uptime_microseconds": utc_microseconds(ended),
        "energy_millijoules": watt_hours(watts * minutes / 60), **more,
    }  # fmt: skip


def watt_hours(energy_wh: float) -> int:
    """Millijoules."""
    return millijoules_from_kwh(energy_wh / 1_000)


def result_row(number: int, accuracy: float | None, job_ids: Sequence[str], **more: Any) -> Row:
    """An accepted result on CIFAR-10."""
    return {
        "submission_id": f"{number:032x}", "cluster": "lab", "submitted_at": at("2026-10-30 12:00"),
        "uid": 1000, "user": "ada", "accuracy": accuracy, "task": "cifar-10", "model": f"model {number}",
        "job_ids": list(job_ids), "verdict": "accepted", "author_by": "munge",
        "digest": f"{number:064x}", **more,
    }  # fmt: skip


def together(*parts: Mapping[str, Iterable[Row]]) -> dict[str, list[Row]]:
    """The rows of several parts, table by table."""
    rows: dict[str, list[Row]] = {}
    for part in parts:
        for table, some in part.items():
            rows.setdefault(table, []).extend(some)
    return rows
