"""The figures of a lab's page as JSON and its jobs as CSV, in base units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from ...core.units import MICROSECONDS_PER_SECOND
from ...metrics import OrderAt, Undefined
from ..documents import (
    JOB_KEYS,
    amount_object,
    changes_object,
    job_object,
    period_object,
    result_object,
    tables_object,
)
from ..view import MissingLine
from .view import GroupView, ResultLine, TaskView

#: Of each of the document's jobs.
CSV_KEYS = (
    *JOB_KEYS,
    "gpu_seconds_in_period",
    "energy_millijoules_in_period",
    "energy_kwh_in_period",
    "uncertainty_millijoules_in_period",
    "held_idle_millijoules_in_period",
)


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
            "energy_share_is_partial": totals.is_share_partial,
            "gpu_share": totals.gpu_share,
            "kwh_per_gpu_hour": totals.kwh_per_gpu_hour,
            "cost": totals.cost,
            "carbon_grams": totals.carbon_grams,
        },
        "before": changes_object(view.changes),
        "coverage": [
            {
                "quality": line.quality.value,
                "jobs": line.jobs,
                "gpu_seconds": line.gpu_microseconds / MICROSECONDS_PER_SECOND,
                "gpu_share": line.gpu_share,
            }
            for line in view.coverage
        ],
        "energy_over_time": [
            {
                "label": line.label,
                **amount_object(line.amount),
                "before": None if line.before is None else amount_object(line.before),
            }
            for line in view.days
        ],
        "endings": [
            {"ending": line.ending, "runs": line.runs, "share": line.share, **amount_object(line.amount)}
            for line in view.endings
        ],
        "idle_factor": view.idle_factor,
        "judged_share": view.judged_share,
        "people": [
            {
                "user": line.user,
                "jobs": line.jobs,
                "gpu_seconds": line.gpu_microseconds / MICROSECONDS_PER_SECOND,
                **amount_object(line.amount),
                "share": line.share,
            }
            for line in view.people
        ],
        "jobs": _jobs(view, zone),
        "results": [_result_line(line, zone) for line in view.results.all],
        "tasks": [_task_object(task) for task in view.results.tasks],
        "results_left_out": _counts(view.results.left_out),
        "results_without_energy": view.results.without_energy,
        "results_union": {
            "jobs": view.results.union_jobs,
            "energy_millijoules": view.results.union_energy_millijoules,
            "uncertainty_millijoules": view.results.union_uncertainty_millijoules,
            "quality": view.results.union_quality.value,
        },
        "jobs_with_results": view.results.jobs_named,
        "energy_share_with_results": view.results.energy_share,
        "missing": _counts(view.missing),
    }


def _jobs(view: GroupView, zone: ZoneInfo) -> list[dict[str, Any]]:
    rows = []
    for line in view.jobs:
        inside, time = amount_object(line.amount), line.gpu_microseconds
        job = job_object(line.job, zone)
        for run, idle in zip(job["runs"], line.idle_of_runs, strict=True):
            run["held_idle_millijoules_in_period"] = idle and idle.known_millijoules
        rows.append(
            {
                **job,
                "gpu_seconds_in_period": None if time is None else time / MICROSECONDS_PER_SECOND,
                "energy_millijoules_in_period": inside["energy_millijoules"],
                "energy_kwh_in_period": inside["energy_kwh"],
                "uncertainty_millijoules_in_period": inside["uncertainty_millijoules"],
                "held_idle_millijoules_in_period": line.idle and line.idle.known_millijoules,
            }
        )
    return rows


def _result_line(line: ResultLine, zone: ZoneInfo) -> dict[str, Any]:
    place = line.place
    return {
        **result_object(line.result, zone),
        "author_outside": line.is_outside,
        "author_group": line.lab,
        "rank_by_accuracy": place.by_accuracy if place else None,
        "rank_by_sam": place.by_sam if place else None,
        "pareto_front": line.is_on_front,
    }


def _task_object(task: TaskView) -> dict[str, Any]:
    """The ranks of a task's scored results, in the order of `results`, with other settings."""
    return {
        "task": task.task,
        "metric": task.metric,
        "dataset": task.dataset,
        "split": task.split,
        "results": [line.result.submission_id for line in task.all],
        "over_alpha": [_order_object(order) for order in task.over_alpha],
        "over_unit": [_order_object(order) for order in task.over_unit],
        "same_order_alpha_above": task.same_order[0] if task.same_order else None,
        "same_order_alpha_below": task.same_order[1] if task.same_order else None,
    }


def _order_object(order: OrderAt) -> dict[str, Any]:
    tau_b = order.tau_b
    return {
        "alpha": order.alpha,
        "unit": order.unit,
        "ranks": list(order.ranks),
        "kendall_tau_b": None if isinstance(tau_b, Undefined) else tau_b,
    }


def _counts(lines: Iterable[MissingLine]) -> dict[str, int]:
    return {line.word: line.count for line in lines}
