"""What the page of a lab shows, as values: everything the template may see, and nothing else.

Quantities are in base units; how they are written is `numbers`' and the template's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ..core.model import Quality
from .ledger import Amount
from .records import Job
from .results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the figures were made from. A page names the time of its data, and no wall clock."""

    commit: int
    committed_at: datetime
    digest: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodView:
    """The period, half-open, in the site's time zone."""

    label: str
    start: datetime
    end: datetime
    timezone: str
    is_preliminary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the site configured; what it did not is None and not shown."""

    alpha: float
    beta: float
    unit: str
    carbon_g_per_kwh: float | None
    price_per_kwh: float | None
    pue: float | None
    members: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The lab's sums over the period. `gpu_microseconds` is as allocated, metered or not."""

    amount: Amount
    jobs: int
    gpu_microseconds: int
    jobs_without_gpu_time: int
    energy_share: float | None
    gpu_share: float | None
    kwh_per_gpu_hour: float | None
    cost: float | None
    carbon_grams: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLine:
    """The jobs of one quality and their GPU time in the period."""

    quality: Quality
    jobs: int
    gpu_microseconds: int
    gpu_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """A local day, or of a long period a month; `share` is of the one with the most, for its bar."""

    label: str
    amount: Amount
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingLine:
    """What the energy of runs that ended in one way adds up to."""

    ending: str
    runs: int
    amount: Amount
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One person's part of the lab's energy."""

    user: str | None
    jobs: int
    gpu_microseconds: int
    amount: Amount
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job with what it used inside the period."""

    job: Job
    amount: Amount
    gpu_microseconds: int | None

    @property
    def is_cut(self) -> bool:
        """Whether a part of the job's energy lies outside the period."""
        return self.job.energy_millijoules not in (None, self.amount.known_millijoules)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """Results that may be compared: of one task, metric, dataset and split; scored ones first, by SAM."""

    task: str | None
    metric: str | None
    dataset: str | None
    split: str | None
    scored: tuple[Result, ...]
    unscored: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingLine:
    """A flag or a reason, what it means, and how many jobs (or results) bear it."""

    word: str
    meaning: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsView:
    """The lab's results; `jobs_named` and `energy_share` are of the jobs that some result names."""

    tasks: tuple[TaskView, ...]
    left_out: tuple[MissingLine, ...]
    jobs_named: int
    energy_share: float | None

    @property
    def all(self) -> tuple[Result, ...]:
        """Every result on the page, task by task."""
        return tuple(result for task in self.tasks for result in (*task.scored, *task.unscored))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The page of one lab."""

    group: str
    clusters: tuple[str, ...]
    period: PeriodView
    provenance: Provenance
    settings: Settings
    is_simulated: bool
    totals: Totals
    coverage: tuple[CoverageLine, ...]
    days: tuple[DayLine, ...]
    endings: tuple[EndingLine, ...]
    people: tuple[PersonLine, ...]
    jobs: tuple[JobLine, ...]
    results: ResultsView
    missing: tuple[MissingLine, ...]


def added(amounts: Iterable[Amount]) -> Amount:
    """The sum of amounts, in any order."""
    return sum(amounts, Amount())


def part(amount: Amount, whole: Amount) -> float | None:
    """The share of a sum in another; None where there is nothing to share or nothing known."""
    if whole.known_millijoules <= 0 or amount.energy_millijoules is None:
        return None
    return amount.known_millijoules / whole.known_millijoules
