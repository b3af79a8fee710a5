"""What the page of the cluster shows, as values: everything the template may see, and nothing else.

What may not be told outside a lab is not in here: it is withheld before it gets here, not by the template.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ...core.model import Quality
from ...metrics import Undefined
from ..before import Change
from ..gpu_ledger import Ledger
from ..ledger import Amount
from ..view import MissingLine, PeriodView, Provenance, Settings
from .evenness import LEAST_LABS, Indices, Weighting, WithinLabs
from .granted import Granted
from .reached import TaskReached
from .waiting import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """What a lab used by head, in millijoules and GPU-microseconds a head.

    By the members that are configured, else by the people with a job in the period. All None where they are
    fewer than may be told of, or where there are none.
    """

    count: int | None
    are_members: bool
    energy_millijoules: float | None
    gpu_microseconds: float | None
    is_withheld: bool

    @property
    def energy_or_less(self) -> float:
        """To sort by: what is not known or not told comes last."""
        return -1.0 if self.energy_millijoules is None else self.energy_millijoules


@dataclass(frozen=True, slots=True, kw_only=True)
class LabLine:
    """One lab in the period. Shares are fractions of the labs' sums; `share_granted` of those with a share.

    `active_people` had a GPU job; None where they are too few to be told.
    """

    lab: str
    amount: Amount
    gpu_microseconds: int
    jobs: int
    jobs_without_gpu_time: int
    share_of_energy: float | None
    share_of_gpu_time: float | None
    granted: Granted
    share_granted: float | None
    level_fs_energy: float | Undefined | None  # None where no share is known
    level_fs_gpu_time: float | Undefined | None
    heads: Heads
    active_people: int | None
    results: int
    idle: Amount  # of it, what GPUs used that were held and idle
    waiting: Waiting

    @property
    def is_active(self) -> bool:
        """Whether it had a GPU job."""
        return self.jobs > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAccount:
    """What jobs used of which no account is known, and so no lab."""

    amount: Amount
    gpu_microseconds: int
    jobs: int
    people: int | None  # None where they are too few to be told


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One person in one lab, by pseudonym unless names are configured."""

    name: str
    lab: str | None
    jobs: int
    gpu_microseconds: int
    amount: Amount
    share: float | None  # of the energy of all jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Those of labs with enough of them; nobody, and `are_named` False, where there is no salt yet."""

    lines: tuple[PersonLine, ...]
    are_pseudonyms: bool
    are_named: bool
    least_people: int
    withheld_labs: int  # with someone active, and fewer than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums over all jobs of the cluster. `gpu_microseconds` is as allocated, metered or not."""

    amount: Amount
    gpu_microseconds: int
    jobs: int
    jobs_without_gpu_time: int
    labs_active: int
    cost: float | None
    carbon_grams: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Totals against those of the period before, in base units."""

    period: PeriodView
    energy_millijoules: Change
    gpu_microseconds: Change
    jobs: Change
    idle_millijoules: Change
    unattributed_millijoules: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLine:
    """How many jobs have a figure of one quality."""

    quality: Quality
    jobs: int
    gpu_microseconds: int
    gpu_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldIdle:
    """Energy of GPUs that were held and idle (see `report.idle`), of the part of the time that was judged."""

    energy_millijoules: int
    uncertainty_millijoules: int
    share: float | None
    judged_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """The page of the cluster."""

    clusters: tuple[str, ...]
    period: PeriodView
    provenance: Provenance
    settings: Settings
    is_simulated: bool
    totals: Totals
    changes: Changes
    coverage: tuple[CoverageLine, ...]
    labs: tuple[LabLine, ...]
    no_account: NoAccount
    shares_of: date | None  # the day of the snapshot of Slurm's shares that is in force
    weighting: Weighting
    evenness: tuple[Indices, ...]
    within: tuple[WithinLabs, ...]
    waiting: Waiting
    tasks: tuple[TaskReached, ...]
    results_without_lab: int
    ledger: Ledger  # of all GPUs together
    idle_uncertainty_millijoules: int
    held_idle: HeldIdle
    people: People
    missing: tuple[MissingLine, ...]

    @property
    def indices_lead(self) -> bool:
        """Whether there are labs enough for an index to say more than the shares themselves."""
        return len(self.labs) >= LEAST_LABS
