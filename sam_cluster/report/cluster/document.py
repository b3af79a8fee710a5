"""The figures of the page of the cluster as JSON and its labs as CSV, in base units.

What is withheld is null, with `withheld` true beside it; what is undefined is null with its reason.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from ...core.units import MICROSECONDS_PER_SECOND, kwh_from_millijoules
from ...metrics import Undefined
from ..documents import amount_object, changes_object, period_object, tables_object
from .evenness import Indices, WithinLabs
from .reached import TaskReached
from .view import ClusterView, LabLine
from .waiting import Waiting

CSV_KEYS = (
    "group", "jobs", "energy_millijoules", "energy_kwh", "uncertainty_millijoules", "quality", "gpu_seconds",
    "jobs_without_gpu_time", "energy_share", "gpu_share", "share_granted", "share_granted_as_given",
    "share_source", "changed_in_period", "level_fs_energy", "level_fs_energy_reason", "level_fs_gpu",
    "level_fs_gpu_reason", "heads", "heads_are", "energy_kwh_per_head", "gpu_seconds_per_head",
    "heads_withheld", "active_people", "results", "held_idle_millijoules",
    "held_idle_uncertainty_millijoules", "waited_jobs", "waiting_unknown_jobs", "waiting_median_seconds",
    "waiting_90th_percentile_seconds", "waiting_withheld",
)  # fmt: skip


def cluster_object(view: ClusterView) -> dict[str, Any]:
    """Every figure of the page, in base units."""
    totals, ledger = view.totals, view.ledger
    zone = ZoneInfo(view.period.timezone)
    return {
        "clusters": list(view.clusters),
        "period": period_object(view.period),
        "tables": tables_object(view.provenance, zone),
        "settings": asdict(view.settings),
        "simulated": view.is_simulated,
        "totals": {
            **amount_object(totals.amount),
            "gpu_seconds": _seconds(totals.gpu_microseconds),
            "jobs": totals.jobs,
            "jobs_without_gpu_time": totals.jobs_without_gpu_time,
            "groups": len(view.labs),
            "groups_active": totals.labs_active,
            "cost": totals.cost,
            "carbon_grams": totals.carbon_grams,
        },
        "before": changes_object(view.changes),
        "coverage": [
            {"quality": line.quality.value, "jobs": line.jobs, "gpu_seconds": _seconds(line.gpu_microseconds)}
            for line in view.coverage
        ],
        "groups": lab_rows(view),
        "no_account": {
            **amount_object(view.no_account.amount),
            "gpu_seconds": _seconds(view.no_account.gpu_microseconds),
            "jobs": view.no_account.jobs,
            "people": view.no_account.people,
        },
        "shares_as_of": view.shares_of.isoformat() if view.shares_of else None,
        "equity": {
            "weighting": view.weighting.value,
            "indices": [_indices(each) for each in view.evenness],
            "people": [_within(each) for each in view.within],
        },
        "waiting": _waiting(view.waiting),
        "tasks": [_task(task) for task in view.tasks],
        "results_without_group": view.results_without_lab,
        "balance": {
            "runs_millijoules": ledger.runs_millijoules,
            "idle_millijoules": ledger.idle_millijoules,
            "idle_uncertainty_millijoules": view.idle_uncertainty_millijoules,
            "unattributed_millijoules": dict(sorted(ledger.unattributed.items())),
            "whole_millijoules": ledger.known_millijoules,
            "counter_millijoules": ledger.counter_millijoules,
            "closes": ledger.closes,
            "bridged_millijoules": ledger.bridged_millijoules,
            "gaps_cut_by_the_period": ledger.cut,
            "gaps_of_unknown_energy": dict(sorted(ledger.unknown.items())),
            "gpu_seconds_of_unknown_energy": _seconds(ledger.unknown_microseconds),
        },
        "held_idle": asdict(view.held_idle),
        "least_people": view.people.least_people,
        "groups_withheld": view.people.withheld_labs,
        "people": [
            {
                "name": line.name,
                "group": line.lab,
                "jobs": line.jobs,
                "gpu_seconds": _seconds(line.gpu_microseconds),
                **amount_object(line.amount),
            }
            for line in view.people.lines
        ],
        "missing": {line.word: line.count for line in view.missing},
    }


def lab_rows(view: ClusterView) -> list[dict[str, Any]]:
    """A row a lab, with the keys CSV_KEYS."""
    return [_lab(line) for line in view.labs]


def _lab(line: LabLine) -> dict[str, Any]:
    heads, waiting = line.heads, line.waiting
    amount = amount_object(line.amount)
    return {
        "group": line.lab,
        "jobs": line.jobs,
        "energy_millijoules": amount["energy_millijoules"],
        "energy_kwh": amount["energy_kwh"],
        "uncertainty_millijoules": amount["uncertainty_millijoules"],
        "quality": amount["quality"],
        "gpu_seconds": _seconds(line.gpu_microseconds),
        "jobs_without_gpu_time": line.jobs_without_gpu_time,
        "energy_share": line.share_of_energy,
        "gpu_share": line.share_of_gpu_time,
        "share_granted": line.share_granted,
        "share_granted_as_given": line.granted.share,
        "share_source": line.granted.source.value if line.granted.source else None,
        "changed_in_period": line.granted.changed,
        **_index("level_fs_energy", line.level_fs_energy),
        **_index("level_fs_gpu", line.level_fs_gpu_time),
        "heads": heads.count,
        "heads_are": "members" if heads.are_members else "active people",
        "energy_kwh_per_head": (
            None if heads.energy_millijoules is None else kwh_from_millijoules(1) * heads.energy_millijoules
        ),
        "gpu_seconds_per_head": (
            None if heads.gpu_microseconds is None else heads.gpu_microseconds / MICROSECONDS_PER_SECOND
        ),
        "heads_withheld": heads.is_withheld,
        "active_people": line.active_people,
        "results": line.results,
        "held_idle_millijoules": line.idle.known_millijoules,
        "held_idle_uncertainty_millijoules": line.idle.uncertainty.millijoules,
        "waited_jobs": waiting.jobs,
        "waiting_unknown_jobs": waiting.unknown,
        "waiting_median_seconds": waiting.median_seconds,
        "waiting_90th_percentile_seconds": waiting.ninetieth_percentile_seconds,
        "waiting_withheld": waiting.is_withheld,
    }


def _indices(each: Indices) -> dict[str, Any]:
    return {
        "measure": each.measure,
        "population": each.population.value,
        "n": each.n,
        "left_out": each.left_out,
        **_index("gini", each.gini),
        **_index("jain", each.jain),
        **_index("hoover", each.hoover),
        **_index("theil_t", each.theil_t),
        "lorenz": [list(corner) for corner in each.corners],
    }


def _within(each: WithinLabs) -> dict[str, Any]:
    parts = each.parts
    return {
        "measure": each.measure,
        "people": each.people,
        "groups": len(each.by_lab),
        "between": None if isinstance(parts, Undefined) else parts.between,
        "within": None if isinstance(parts, Undefined) else parts.within,
        "reason": parts.reason.value if isinstance(parts, Undefined) else None,
        "by_group": {lab: _index("theil_t", value) for lab, value in each.by_lab.items()},
    }


def _index(name: str, value: float | Undefined | None) -> dict[str, Any]:
    reason = value.reason.value if isinstance(value, Undefined) else None
    return {name: None if reason else value, f"{name}_reason": reason}


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "jobs": waiting.jobs,
        "unknown_jobs": waiting.unknown,
        "median_seconds": waiting.median_seconds,
        "90th_percentile_seconds": waiting.ninetieth_percentile_seconds,
    }


def _task(task: TaskReached) -> dict[str, Any]:
    return {
        "task": task.task,
        "metric": task.metric,
        "dataset": task.dataset,
        "split": task.split,
        "results": task.results,
        "unusable": task.unusable,
        "withheld": task.withheld,
        "groups": task.labs,
        "reached": [
            {
                "accuracy": line.accuracy,
                "energy_millijoules": line.energy_millijoules,
                "energy_kwh": kwh_from_millijoules(line.energy_millijoules),
                "uncertainty_millijoules": line.uncertainty_millijoules,
                "group": line.lab,
                "groups": line.labs,
            }
            for line in task.lines
        ],
    }


def _seconds(microseconds: int) -> float:
    return microseconds / MICROSECONDS_PER_SECOND
