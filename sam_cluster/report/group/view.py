"""What the page of a lab shows, as values: everything the template may see, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.model import Quality
from ...metrics import OrderAt, Place, keep_their_places, may_be_first
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

    name: str  # short, and no other's of the task
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
    shown: tuple[int, ...]  # the scored results whose ranks the page shows, by their place in `scored`

    def leads(self, orders: Sequence[OrderAt]) -> tuple[tuple[ResultLine, tuple[OrderAt, ...]], ...]:
        """Who is first by SAM, setting by setting; neighbouring settings with the same first are one."""
        found: list[tuple[ResultLine, tuple[OrderAt, ...]]] = []
        for order in orders:
            if 1 not in order.ranks:
                continue
            first = self.scored[order.ranks.index(1)]
            if found and found[-1][0] == first:
                found[-1] = (first, (*found[-1][1], order))
            else:
                found.append((first, (order,)))
        return tuple(found)

    @property
    def keep_their_places(self) -> int:
        """How many scored results have one rank by SAM with each energy anywhere within its ±."""
        return sum(keep_their_places(self._ranges))

    @property
    def may_be_first(self) -> tuple[ResultLine, ...]:
        """The scored results that are first by SAM with some energies within their ±."""
        return tuple(self.scored[place] for place in may_be_first(self._ranges))

    @property
    def _ranges(self) -> list[tuple[float, float]]:
        # What has a score has a range too.
        return [line.result.sam_range for line in self.scored if line.result.sam_range is not None]

    @property
    def most_accurate(self) -> ResultLine | None:
        """The most accurate result, the more frugal of two; None where none has an accuracy."""
        known = [line for line in self.all if line.result.accuracy is not None]
        return max(
            known,
            key=lambda line: (line.result.accuracy or 0.0, -(line.result.energy_millijoules or 0)),
            default=None,
        )

    @property
    def all(self) -> tuple[ResultLine, ...]:
        """Every result of the task, scored ones first."""
        return (*self.scored, *self.unscored)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsView:
    """The lab's results. The union is of all jobs that they name, each once and whole, inside the period or
    not; `jobs_named` and `energy_share` are of the period's jobs that some result names."""

    tasks: tuple[TaskView, ...]
    left_out: tuple[MissingLine, ...]
    jobs_named: int
    energy_share: float | None
    without_energy: int
    union_jobs: int
    union_energy_millijoules: int | None
    union_uncertainty_millijoules: int | None
    union_quality: Quality

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
    idle_factor: float  # times its idle power, up to which a held GPU counts as idle
    judged_share: float | None  # of the metered GPU time, how much could be told idle from busy
    people: tuple[PersonLine, ...]
    jobs: tuple[JobLine, ...]
    results: ResultsView
    missing: tuple[MissingLine, ...]

    @property
    def shares(self) -> dict[str, float | None]:
        """The part of the energy by ending."""
        return {line.ending: line.share for line in self.endings}
