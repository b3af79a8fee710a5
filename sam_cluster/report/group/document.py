"""The figures of a lab's page as JSON and its jobs as CSV, in base units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from ...core.units import MICROSECONDS_PER_SECOND
from ..documents import JOB_KEYS, amount_object, job_object, period_object, result_object, tables_object
from ..view import MissingLine
from .view import GroupView

CSV_KEYS = (*JOB_KEYS, "gpu_seconds_in_period", "energy_millijoules_in_period", "energy_kwh_in_period")


def group_object(view: GroupView) -> dict[str, Any]:
    """Every figure of the page, in base units."""
    zone = ZoneInfo(view.period.timezone)
    totals = view.totals
    return {
        "group": view.group,
        "clusters": list(view.clusters),
        "period": period_object(view.period),
        "tables": tables_object(view.provenance, zone),
        "settings": asdict(view.settings),
        "simulated": view.is_simulated,
        "totals": {
            **amount_object(totals.amount),
            "jobs": totals.jobs,
            "gpu_seconds": totals.gpu_microseconds / MICROSECONDS_PER_SECOND,
            "jobs_without_gpu_time": totals.jobs_without_gpu_time,
            "energy_share": totals.energy_share,
            "gpu_share": totals.gpu_share,
            "kwh_per_gpu_hour": totals.kwh_per_gpu_hour,
            "cost": totals.cost,
            "carbon_grams": totals.carbon_grams,
        },
        "coverage": [
            {
                "quality": line.quality.value,
                "jobs": line.jobs,
                "gpu_seconds": line.gpu_microseconds / MICROSECONDS_PER_SECOND,
            }
            for line in view.coverage
        ],
        "energy_over_time": [{"label": line.label, **amount_object(line.amount)} for line in view.days],
        "endings": [
            {"ending": line.ending, "runs": line.runs, **amount_object(line.amount)} for line in view.endings
        ],
        "people": [
            {
                "user": line.user,
                "jobs": line.jobs,
                "gpu_seconds": line.gpu_microseconds / MICROSECONDS_PER_SECOND,
                **amount_object(line.amount),
            }
            for line in view.people
        ],
        "jobs": [
            {**job, "runs": job_object(line.job, zone)["runs"]}
            for job, line in zip(job_rows(view), view.jobs, strict=True)
        ],
        "results": [result_object(result, zone) for result in view.results.all],
        "results_left_out": _counts(view.results.left_out),
        "missing": _counts(view.missing),
    }


def job_rows(view: GroupView) -> list[dict[str, Any]]:
    zone = ZoneInfo(view.period.timezone)
    rows = []
    for line in view.jobs:
        inside, time = amount_object(line.amount), line.gpu_microseconds
        job = job_object(line.job, zone)
        rows.append(
            {
                **{key: job[key] for key in JOB_KEYS},
                "gpu_seconds_in_period": None if time is None else time / MICROSECONDS_PER_SECOND,
                "energy_millijoules_in_period": inside["energy_millijoules"],
                "energy_kwh_in_period": inside["energy_kwh"],
            }
        )
    return rows


def _counts(lines: Iterable[MissingLine]) -> dict[str, int]:
    return {line.word: line.count for line in lines}
