"""A projection in words, and as a JSON object: base units, each named in its key; null is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.model import Flag
from ..metrics import PROBABILITY, Projection, ProjectionFlag, Refusal, Refused
from .run_lengths import Amount, NamedRun

REFUSALS: dict[Refusal, str] = {
    Refusal.ENERGY_UNKNOWN: "the electricity of a run is not known; leave that run out",
    Refusal.LOWER_BOUND: "a part of the electricity of a run is missing (yet); leave that run out",
    Refusal.MIXED: "the runs differ in more than their length; name runs of one model, task and GPU model",
    Refusal.TOO_FEW_AMOUNTS: (
        "it takes runs of three different lengths at least; meter one or two more, short ones will do"
    ),
    Refusal.SLOPE_NOT_POSITIVE: "the longer runs took no more than the shorter ones; check the lengths",
    Refusal.FIXED_COST_BELOW_ZERO: (
        "the line through the runs starts below zero, which no run can; check the lengths, or leave out the "
        "shortest run"
    ),
    Refusal.NOT_LINEAR: (
        "the electricity of these runs is not on a line with their length; check that they differ in nothing "
        "else, or meter longer ones"
    ),
}

PROJECTION_FLAGS: dict[ProjectionFlag, str] = {
    ProjectionFlag.FAR: "What is asked for is more than 20 times the longest run.",
    ProjectionFlag.WARM_UP_LEFT_OUT: (
        "The shortest run stands off the line of the others, as one in its warm-up does, and is left out."
    ),
    ProjectionFlag.THROUGH_ORIGIN: (
        "The fixed cost came out a little below zero, which it cannot be, and is held at zero."
    ),
    ProjectionFlag.ESTIMATED: "The electricity of a run is estimated.",
    ProjectionFlag.GPU_COUNTS_DIFFER: "The runs held different numbers of GPUs.",
}

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
