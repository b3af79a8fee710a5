"""What the page of a lab shows, as values: everything the template may see, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.model import Quality
from ...metrics import OrderAt, Place
from ..before import Change
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
    is_share_partial: bool  # a part of the lab's or of the cluster's energy is missing
    gpu_share: float | None
    kwh_per_gpu_hour: float | None
    cost: float | None
    carbon_grams: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Each total against the same of the period before, in its own base unit; `gpu_time` in microseconds."""

    period: PeriodView
    energy_millijoules: Change
    gpu_microseconds: Change
    jobs: Change
    energy_share: Change
    kwh_per_gpu_hour: Change
    cost: Change
    carbon_grams: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLine:
    """The jobs of one quality and their GPU time in the period."""

    quality: Quality
    jobs: int
    gpu_microseconds: int
    gpu_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """A local day, or of a long period a month; `before` is of the one at its place in the period before."""

    label: str
    amount: Amount
    before: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingLine:
    """What the energy of runs that ended in one way adds up to, but for the hours that were held idle."""

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
class ResultLine:
    """A result of the lab. Of an author from outside only the lab is named, where it is known."""

    result: Result  # its `user` is None where the author is from outside
    is_outside: bool
    lab: str | None
    place: Place | None  # of a scored one
    is_on_front: bool  # no other is both as accurate and as frugal, and better in one


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """Results that may be compared: of one task, metric, dataset and split; scored ones first, by SAM.

    `over_alpha` and `over_unit` rank the scored ones, in their order, under other settings.
    """

    task: str | None
    metric: str | None
    dataset: str | None
    split: str | None
    scored: tuple[ResultLine, ...]
    unscored: tuple[ResultLine, ...]
    over_alpha: tuple[OrderAt, ...]
    over_unit: tuple[OrderAt, ...]
    same_order: tuple[float, float | None] | None  # the alphas around the configured one without a swap

    @property
    def all(self) -> tuple[ResultLine, ...]:
        """Every result of the task, scored ones first."""
        return (*self.scored, *self.unscored)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsView:
    """The lab's results; `amount` is of the union of their jobs, each counted once and whole.

    `jobs_named` and `energy_share` are of the period's jobs that some result names.
    """

    tasks: tuple[TaskView, ...]
    left_out: tuple[MissingLine, ...]
    jobs_named: int
    energy_share: float | None
    without_energy: int

    @property
    def all(self) -> tuple[ResultLine, ...]:
        """Every result on the page, task by task."""
        return tuple(line for task in self.tasks for line in task.all)


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
    changes: Changes
    coverage: tuple[CoverageLine, ...]
    step: str  # what a line of `days` is: a day or a month
    days: tuple[DayLine, ...]
    endings: tuple[EndingLine, ...]
    judged_share: float | None  # of the metered GPU time, how much could be told idle from busy
    people: tuple[PersonLine, ...]
    jobs: tuple[JobLine, ...]
    results: ResultsView
    missing: tuple[MissingLine, ...]
