"""A projection as a JSON object: base units, each named in its key; null is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.model import Flag
from ..metrics import PROBABILITY, Projection, Refused
from .run_lengths import Amount, NamedRun

PROJECTION_KEYS = (
    "epochs", "data_fraction", "energy_kwh", "low_kwh", "high_kwh", "probability", "intercept_kwh",
    "slope_kwh", "scatter", "n", "flags", "refusal",
)  # fmt: skip


def projection_object(
    runs: Sequence[NamedRun], outcome: Projection | Refused, amount: Amount, target: float
) -> dict[str, Any]:
    """A projection, or its refusal, with the keys PROJECTION_KEYS, and its runs under `runs`."""
    found = outcome if isinstance(outcome, Projection) else None
    flags = [flag.value for flag in found.flags] if found else []
    if any(run.is_simulated for run in runs):
        flags.append(Flag.SIMULATED.value)
    return {
        "epochs": target if amount == "epochs" else None,
        "data_fraction": target if amount == "data_fraction" else None,
        "energy_kwh": found.energy_kwh if found else None,
        "low_kwh": found.low_kwh if found else None,
        "high_kwh": found.high_kwh if found else None,
        "probability": PROBABILITY,
        "intercept_kwh": found.line.intercept if found else None,
        "slope_kwh": found.line.slope if found else None,
        "scatter": found.line.scatter if found else None,
        "n": len(runs) - len(found.left_out) if found else len(runs),
        "flags": flags,
        "refusal": outcome.reason.value if isinstance(outcome, Refused) else None,
        "runs": [_run_object(each, index, found, amount) for index, each in enumerate(runs)],
    }


def _run_object(named: NamedRun, index: int, found: Projection | None, amount: Amount) -> dict[str, Any]:
    return {
        "job_ids": list(named.job_ids),
        "submission_id": named.submission_id,
        amount: named.run.amount,
        "energy_kwh": named.run.energy_kwh,
        "uncertainty_kwh": named.run.uncertainty_kwh,
        "quality": named.run.quality.value,
        "residual_kwh": found.residuals_kwh[index] if found else None,
        "used": found is not None and index not in found.left_out,
    }
