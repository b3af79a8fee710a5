"""The shorter runs that a longer one is projected from: what each took, and which of them can be used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ..core.model import Quality
from .line import fit_line

PROBABILITY = 0.95  # of every interval of prediction
LEAST_AMOUNTS = 3  # different amounts: two give a line without a word on how good it is
SAME_AMOUNT = 1e-9  # relative; what lies nearer is one amount
AMOUNTS = (1e-9, 1e9)  # far beyond what a run can be, and squares of them are no trouble

KWH = (1e-12, 1e12)  # from less than a millijoule, in which energy is counted, to more than any run can take
NOTHING = 1e-6  # of the greatest energy: what took less is on no line with it
STANDS_OUT = 0.05  # of the energy: what a warm-up, or a fixed cost below zero, must amount to
WARM_UP = 0.5  # of the next amount: a run longer than that is no warm-up


class Refusal(StrEnum):
    """Why there is no projection: a closed list, whose texts go into tables and JSON as they are."""

    ENERGY_UNKNOWN = "energy_unknown"
    LOWER_BOUND = "lower_bound"
    MIXED = "mixed"  # the runs differ in what must be the same
    TOO_FEW_AMOUNTS = "too_few_amounts"
    SLOPE_NOT_POSITIVE = "slope_not_positive"  # longer runs took no more
    FIXED_COST_BELOW_ZERO = "fixed_cost_below_zero"  # the line meets amount 0 clearly below no energy
    NOT_LINEAR = "not_linear"  # bent, or scattered


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No projection: why, and the runs or conditions that it is because of, where it is of some."""

    reason: Refusal
    runs: tuple[int, ...] = ()  # indices
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShorterRun:
    """What a run of some length took. `amount` is its epochs, or its fraction of the data.

    `conditions` is what must be the same for all runs, such as model, task and GPU model, each by its
    name; what is not known of a run is not there, and agrees with anything. `uncertainty_kwh` is what the
    energy may be off by for itself: what all runs are off by alike scales the whole line. Raises ValueError
    for an amount outside AMOUNTS, an energy that no run can take, and one that is not as its quality.
    """

    amount: float
    energy_kwh: float | None
    uncertainty_kwh: float = 0.0
    quality: Quality = Quality.MEASURED
    gpus: int | None = None
    conditions: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_amount(self.amount)
        for energy in (self.energy_kwh, self.uncertainty_kwh):
            if energy is not None and not 0 <= energy <= KWH[1]:  # nan is not either
                raise ValueError(f"an energy is from 0 to {KWH[1]:g} kWh, got {energy!r}")
        if (self.energy_kwh is None) != (self.quality is Quality.UNKNOWN):
            raise ValueError(f"an energy of {self.energy_kwh!r} is not {self.quality}")

    @property
    def kwh(self) -> float:
        """The energy of a run that is known to have one."""
        assert self.energy_kwh is not None
        return self.energy_kwh


def check_amount(amount: float) -> None:
    """Raises ValueError for what no run's epochs, and no fraction of the data, can be."""
    least, most = AMOUNTS
    if not least <= amount <= most:  # nan is not either
        raise ValueError(f"an amount is from {least:g} to {most:g}, got {amount!r}")


def refusal_of(runs: Sequence[ShorterRun]) -> Refused | None:
    """What stands against any line through the runs."""
    for quality, reason in (
        (Quality.UNKNOWN, Refusal.ENERGY_UNKNOWN),
        (Quality.LOWER_BOUND, Refusal.LOWER_BOUND),
    ):
        if unfit := tuple(index for index, run in enumerate(runs) if run.quality is quality):
            return Refused(reason=reason, runs=unfit)
    known: dict[str, set[object]] = {}
    for run in runs:
        for name, value in run.conditions.items():
            known.setdefault(name, set()).add(value)
    if mixed := sorted(name for name, values in known.items() if len(values) > 1):
        return Refused(reason=Refusal.MIXED, conditions=tuple(mixed))
    if _different_amounts(runs) < LEAST_AMOUNTS:
        return Refused(reason=Refusal.TOO_FEW_AMOUNTS)
    greatest = max(run.kwh for run in runs)
    if greatest < KWH[0]:
        return Refused(reason=Refusal.SLOPE_NOT_POSITIVE)
    if nothing := tuple(index for index, run in enumerate(runs) if run.kwh < max(NOTHING * greatest, KWH[0])):
        return Refused(reason=Refusal.NOT_LINEAR, runs=nothing)
    return None


def warm_up(runs: Sequence[ShorterRun]) -> tuple[int, ...]:
    """The runs of the least amount, where they stand off the line of the others; indices.

    That is: three different amounts remain without them, the next is at least twice theirs, and every one
    of them lies outside the others' interval of prediction, and by more than 5 % of the line's energy.
    """
    least = min(run.amount for run in runs)
    first = [index for index, run in enumerate(runs) if run.amount <= least * (1 + SAME_AMOUNT)]
    others = [run for index, run in enumerate(runs) if index not in first]
    if _different_amounts(others) < LEAST_AMOUNTS or least > WARM_UP * min(run.amount for run in others):
        return ()
    line = fit_line(*columns(others))
    margin = max(line.margin_of_one(least, PROBABILITY), STANDS_OUT * abs(line.at(least)))
    stand_out = all(abs(runs[index].kwh - line.at(least)) > margin for index in first)
    return tuple(first) if stand_out else ()


def columns(runs: Sequence[ShorterRun]) -> tuple[list[float], list[float], float]:
    """Amounts, energies, and the root mean square of what the energies may be off by, as parts of them."""
    parts = math.fsum((run.uncertainty_kwh / run.kwh) ** 2 for run in runs)
    return [run.amount for run in runs], [run.kwh for run in runs], math.sqrt(parts / len(runs))


def _different_amounts(runs: Sequence[ShorterRun]) -> int:
    count, before = 0, 0.0
    for amount in sorted(run.amount for run in runs):
        if amount - before > SAME_AMOUNT * amount:
            count, before = count + 1, amount
    return count
