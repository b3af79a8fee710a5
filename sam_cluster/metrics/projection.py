"""The electricity of a longer run, foretold from shorter ones.

Model: energy = fixed + slope * amount, where the amount is the run's epochs, or the fraction of the data
that it was trained on. That electricity is linear in both was observed by the authors of SAM (Gowda et
al., arXiv 2310.06522); here it is checked each time, and where the runs do not support it the answer is a
refusal out of a closed list.

The fixed cost (set-up, compilation, first filling of caches) is in every run alike and cannot be below
zero. A first epoch that is still settling is not, so that a run which hardly gets beyond it stands off the
line of the others: where it does, it is left out, and flagged. (To project from settled epochs is what a
study of training energy calls Stable Training Epoch Projection.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..core.model import Quality
from .line import Line, curvature, fit_line, fit_through_origin
from .shorter_runs import (
    PROBABILITY,
    STANDS_OUT,
    Refusal,
    Refused,
    ShorterRun,
    check_amount,
    columns,
    refusal_of,
    warm_up,
)

SURE = 0.99  # a bend is called one with this probability: 1 of 100 straight sets is refused for it
BEND = 0.10  # of the energy at the target: what the bend may change there
SCATTER = 0.10  # of its energy: the standard error of a single run about the line
FAR = 20.0  # times the longest run


class ProjectionFlag(StrEnum):
    """What a reader of a projection should know of it. The list is closed."""

    FAR = "far"  # the target is more than 20 times the longest run
    WARM_UP_LEFT_OUT = "warm_up_left_out"  # the shortest runs stand off the line of the others
    THROUGH_ORIGIN = "through_origin"  # the fixed cost came out below zero, as by chance, and is held at zero
    ESTIMATED = "estimated"  # an energy was not measured throughout
    GPU_COUNTS_DIFFER = "gpu_counts_differ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """The energy that a run of the target's amount is expected to take, with its interval of prediction.

    `residuals_kwh` has one for every run that was given, in that order, also for those `left_out`.
    """

    target: float
    energy_kwh: float
    low_kwh: float
    high_kwh: float
    line: Line  # of kWh over the amount
    residuals_kwh: tuple[float, ...]
    left_out: tuple[int, ...]  # indices
    flags: tuple[ProjectionFlag, ...]


def project(runs: Sequence[ShorterRun], target: float) -> Projection | Refused:
    """What a run of the target's amount takes. Raises ValueError for a target that can be no amount."""
    check_amount(target)
    if refused := refusal_of(runs):
        return refused
    left_out = warm_up(runs)
    used = [run for index, run in enumerate(runs) if index not in left_out]
    line = _line(used, target)
    if isinstance(line, Refused):
        return line
    low, high = interval(line, target)
    flags = {
        ProjectionFlag.FAR: target > FAR * max(run.amount for run in used),
        ProjectionFlag.WARM_UP_LEFT_OUT: bool(left_out),
        ProjectionFlag.THROUGH_ORIGIN: line.passes_origin,
        ProjectionFlag.ESTIMATED: any(run.quality is Quality.ESTIMATED for run in used),
        ProjectionFlag.GPU_COUNTS_DIFFER: len({run.gpus for run in used} - {None}) > 1,
    }
    return Projection(
        target=target,
        energy_kwh=line.at(target),
        low_kwh=low,
        high_kwh=high,
        line=line,
        residuals_kwh=tuple(run.kwh - line.at(run.amount) for run in runs),
        left_out=left_out,
        flags=tuple(flag for flag, holds in flags.items() if holds),
    )


def interval(line: Line, amount: float) -> tuple[float, float]:
    """What one run of an amount takes at least and at most, with a probability of 95 %; never below zero."""
    margin = line.margin_of_one(amount, PROBABILITY)
    return max(0.0, line.at(amount) - margin), line.at(amount) + margin


def _line(runs: Sequence[ShorterRun], target: float) -> Line | Refused:
    """The line of the model through the runs, or why there is none."""
    amounts, energies, floor = columns(runs)
    mean = math.fsum(energies) / len(energies)
    line = fit_line(amounts, energies, floor)
    if line.slope <= 0:
        return Refused(reason=Refusal.SLOPE_NOT_POSITIVE)
    if line.intercept < 0:
        at_most = line.intercept + line.margin_of_line(0.0, PROBABILITY)
        if at_most < 0 and -line.intercept > STANDS_OUT * mean:
            return Refused(reason=Refusal.FIXED_COST_BELOW_ZERO)
        line = fit_through_origin(amounts, energies, floor)
    bend = curvature(amounts, energies, target, SURE)
    if line.scatter > SCATTER or abs(bend) > BEND * line.at(target):
        return Refused(reason=Refusal.NOT_LINEAR)
    return line
