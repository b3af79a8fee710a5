"""What the page of a lab shows, as values: everything the template may see, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.model import Quality
from ..ledger import Amount
from ..results import Result
from ..view import JobLine, MissingLine, PeriodView, Provenance, Settings


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
class TaskView:
    """Results that may be compared: of one task, metric, dataset and split; scored ones first, by SAM."""

    task: str | None
    metric: str | None
    dataset: str | None
    split: str | None
    scored: tuple[Result, ...]
    unscored: tuple[Result, ...]


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
