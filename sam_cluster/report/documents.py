"""Jobs, results and sums as JSON objects: base units, each named in its key; null is unknown."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ..core.times import iso
from ..core.units import MICROSECONDS_PER_SECOND, kwh_from_millijoules

if TYPE_CHECKING:  # named, and not needed: `jobs` is to start without what pages are made with
    from _typeshed import DataclassInstance

    from .ledger import Amount
    from .records import Job, Run
    from .results import Result
    from .view import PeriodView, Provenance

JOB_KEYS = (
    "cluster", "job_id", "name", "user", "account", "group", "state", "start", "end", "nodes", "gpus",
    "gpu_seconds", "energy_millijoules", "energy_kwh", "uncertainty_millijoules", "idle_energy_millijoules",
    "quality", "flags", "reasons", "host_energy_millijoules", "host_reasons",
)  # fmt: skip

RESULT_KEYS = (
    "submission_id", "submitted_at", "cluster", "job_ids", "jobs_unknown", "user", "account", "group", "task",
    "metric", "dataset", "split", "model", "note", "epochs", "data_fraction", "checkpoint_sha256", "accuracy",
    "energy_millijoules", "energy_kwh", "uncertainty_millijoules", "quality", "electricity_kwh", "sam",
    "sam_low", "sam_high", "sam_reason", "sam_at_most", "alpha", "beta", "unit", "log_base", "sam_scope",
    "verdict", "reason", "superseded_by", "digest",
)  # fmt: skip


def job_object(job: Job, zone: ZoneInfo) -> dict[str, Any]:
    """A job with the keys JOB_KEYS, and its runs under `runs`."""
    return {
        "cluster": job.cluster,
        "job_id": job.job_id,
        "name": job.name,
        "user": job.user,
        "account": job.account,
        "group": job.group,
        "state": job.state,
        "start": _instant(job.started_at, zone),
        "end": _instant(job.ended_at, zone),
        "nodes": job.nodes,
        "gpus": job.gpus,
        "gpu_seconds": _seconds(job.gpu_microseconds),
        "energy_millijoules": job.energy_millijoules,
        "energy_kwh": _kwh(job.energy_millijoules),
        "uncertainty_millijoules": job.uncertainty_millijoules,
        "idle_energy_millijoules": job.idle_energy_millijoules,
        "quality": job.quality.value,
        "flags": list(job.flags),
        "reasons": list(job.reasons),
        "host_energy_millijoules": job.host_energy_millijoules,
        "host_reasons": list(job.host_reasons),
        "runs": [_run_object(run, zone) for run in job.runs],
    }


def _run_object(run: Run, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "restart": run.restart,
        "start": _instant(run.started_at, zone),
        "end": _instant(run.ended_at, zone),
        "nodes_expected": run.nodes_expected,
        "nodes_metered": run.nodes_metered,
        "energy_millijoules": run.energy_millijoules,
        "idle_energy_millijoules": run.idle_energy_millijoules,
        "quality": run.quality.value,
        "flags": list(run.flags),
        "reasons": list(run.reasons),
    }


def result_object(result: Result, zone: ZoneInfo) -> dict[str, Any]:
    """A result with the keys RESULT_KEYS."""
    return {
        "submission_id": result.submission_id,
        "submitted_at": _instant(result.submitted_at, zone),
        "cluster": result.cluster,
        "job_ids": list(result.job_ids),
        "jobs_unknown": list(result.jobs_unknown),
        "user": result.user,
        "account": result.account,
        "group": result.group,
        "task": result.task,
        "metric": result.metric,
        "dataset": result.dataset,
        "split": result.split,
        "model": result.model,
        "note": result.note,
        "epochs": result.epochs,
        "data_fraction": result.data_fraction,
        "checkpoint_sha256": result.checkpoint_sha256,
        "accuracy": result.accuracy,
        "energy_millijoules": result.energy_millijoules,
        "energy_kwh": _kwh(result.energy_millijoules),
        "uncertainty_millijoules": result.uncertainty_millijoules,
        "quality": result.quality.value,
        "electricity_kwh": result.electricity_kwh,
        "sam": result.sam,
        "sam_low": result.sam_range[0] if result.sam_range else None,
        "sam_high": result.sam_range[1] if result.sam_range else None,
        "sam_reason": result.sam_reason.value if result.sam_reason else None,
        "sam_at_most": result.sam_at_most,
        "alpha": result.alpha,
        "beta": result.beta,
        "unit": result.unit,
        "log_base": result.log_base,
        "sam_scope": result.sam_scope,
        "verdict": result.verdict,
        "reason": result.reason,
        "superseded_by": result.superseded_by,
        "digest": result.digest,
    }


def _instant(instant: datetime | None, zone: ZoneInfo) -> str | None:
    return None if instant is None else iso(instant, zone)


def _kwh(energy_millijoules: int | None) -> float | None:
    return None if energy_millijoules is None else kwh_from_millijoules(energy_millijoules)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / MICROSECONDS_PER_SECOND


def amount_object(amount: Amount) -> dict[str, Any]:
    """A sum of energies."""
    return {
        "energy_millijoules": amount.energy_millijoules,
        "energy_kwh": _kwh(amount.energy_millijoules),
        "uncertainty_millijoules": amount.uncertainty_millijoules,
        "quality": amount.quality.value if amount.quality else None,
        "metered_gpu_seconds": amount.held_microseconds / MICROSECONDS_PER_SECOND,
    }


def period_object(period: PeriodView) -> dict[str, Any]:
    """The period of a page, in the site's time zone."""
    zone = ZoneInfo(period.timezone)
    return {
        "label": period.label,
        "start": iso(period.start, zone),
        "end": iso(period.end, zone),
        "timezone": period.timezone,
        "preliminary": period.is_preliminary,
        "metered_from_start": period.is_begun,
    }


def tables_object(provenance: Provenance, zone: ZoneInfo) -> dict[str, Any]:
    """The commit of the tables that a page was made from; from when on samples were kept, if not for ever."""
    return {
        "commit": provenance.commit,
        "committed_at": iso(provenance.committed_at, zone),
        "digest": provenance.digest,
        **({"samples_kept_from": iso(kept, zone)} if (kept := provenance.samples_kept_from) else {}),
    }


def changes_object(changes: DataclassInstance) -> dict[str, Any]:
    """The figures of a page against the period before, under the unit that its view has them in."""
    named = {field.name: getattr(changes, field.name) for field in fields(changes)}
    return {
        "period": period_object(named.pop("period")),
        **{
            name: {
                "before": change.before,
                "before_is_lower_bound": change.is_before_partial,
                "difference": change.difference,
                "part": change.part,
                "not_compared": change.not_compared.value if change.not_compared else None,
            }
            for name, change in named.items()
        },
    }
