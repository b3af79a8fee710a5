"""What every page shows: the period, what its figures were made from, and sums of amounts.

Quantities are in base units; how they are written is `numbers`' and the template's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .ledger import Amount
from .records import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the figures were made from. A page names the time of its data, and no wall clock."""

    commit: int
    committed_at: datetime
    digest: str
    version: str
    samples_kept_from: datetime | None = None  # of what is earlier there are none; None where all are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodView:
    """The period, half-open, in the site's time zone."""

    label: str
    start: datetime
    end: datetime
    timezone: str
    is_preliminary: bool
    is_begun: bool = True  # it was metered from its beginning; else what ran unmetered is in no figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the site configured; what it did not is None and not shown."""

    alpha: float
    beta: float
    unit: str
    sam_scope: str  # which electricity SAM counts: gpu, or facility, which is the GPUs' times the PUE
    carbon_g_per_kwh: float | None
    price_per_kwh: float | None
    currency: str | None
    pue: float | None
    members: int | None
    calibration: Mapping[str, float]  # the error of the sensors' gain, a fraction, by model of GPU


class View(Protocol):
    """What the view of every page has."""

    @property
    def period(self) -> PeriodView: ...
    @property
    def provenance(self) -> Provenance: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def is_simulated(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job with what it used inside the period, and in the order of its runs what each of them held idle
    (see `idle`): None of a run that could not be judged."""

    job: Job
    amount: Amount
    gpu_microseconds: int | None
    idle_of_runs: tuple[Amount | None, ...] = ()

    @property
    def idle(self) -> Amount | None:
        """What its runs held idle, of those that could be judged; None where none could."""
        known = [amount for amount in self.idle_of_runs if amount is not None]
        return added(known) if known else None

    @property
    def idle_share(self) -> float | None:
        """The part of its energy that it held idle."""
        return None if self.idle is None else part(self.idle, self.amount)

    @property
    def is_cut(self) -> bool:
        """Whether a part of the job's energy lies outside the period."""
        return self.job.energy_millijoules not in (None, self.amount.known_millijoules)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingLine:
    """A flag or a reason, what it means, and how many jobs (or results) bear it."""

    word: str
    meaning: str
    count: int


def added(amounts: Iterable[Amount]) -> Amount:
    """The sum of amounts, in any order."""
    return Amount.of_all(amounts)


def part(amount: Amount, whole: Amount) -> float | None:
    """The share of a sum in another; None where there is nothing to share or nothing known."""
    if whole.known_millijoules <= 0 or amount.energy_millijoules is None:
        return None
    return amount.known_millijoules / whole.known_millijoules
