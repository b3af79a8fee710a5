"""Jobs and their runs as values: what `jobs` lists and a page is made from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from ..core.model import Quality

if TYPE_CHECKING:
    from .results import Result

EARLIEST = datetime.min.replace(tzinfo=UTC)


class TableReader(Protocol):
    """One commit of the tables: rows whose extent in time overlaps [start, end), of these jobs and runs.

    A row that ends at `start` is among them. `job_ids` are names as users give them: that of an array or
    heterogeneous job means all of its parts. Rows come by the table's keys, or in any order.
    """

    def read(
        self,
        table: str,
        *,
        start_microseconds: int | None = None,
        end_microseconds: int | None = None,
        raw_job_ids: Collection[int] | None = None,
        run_ids: Collection[str] | None = None,
        job_ids: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
        in_any_order: bool = False,
    ) -> pa.Table: ...

    def job_numbers(self, start_microseconds: int, end_microseconds: int) -> list[tuple[int, int]] | None:
        """Ranges in which lie all numbers that names of jobs of [start, end) begin with; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt of a job. Energies are millijoules, None where unknown.

    A job number is used again in time, and a run's id with it: what began under the id from `owned_from` up
    to, not including, `owned_until` is this run's; None where no other run of the id is before or after it.
    """

    run_id: str
    restart: int | None
    started_at: datetime | None
    ended_at: datetime | None
    nodes_expected: int | None
    nodes_metered: int | None
    energy_millijoules: int | None
    quality: Quality
    flags: tuple[str, ...]
    reasons: tuple[str, ...]
    idle_energy_millijoules: int | None = None  # of it, drawn while the GPUs did nothing
    owned_from: datetime | None = None
    owned_until: datetime | None = None

    def owns(self, begun: datetime) -> bool:
        """Whether what began under its id at this instant, on some node, is of this run."""
        is_after = self.owned_from is None or self.owned_from <= begun
        return is_after and (self.owned_until is None or begun < self.owned_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with its lab and its runs in the order of time."""

    cluster: str
    job_id: str
    raw_job_id: int
    name: str | None
    user: str | None
    account: str | None
    group: str | None
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    nodes: int | None
    gpus: int | None
    gpu_microseconds: int | None
    energy_millijoules: int | None
    uncertainty_millijoules: int | None
    quality: Quality
    flags: tuple[str, ...]
    reasons: tuple[str, ...]
    runs: tuple[Run, ...]
    idle_energy_millijoules: int | None = None  # of it, drawn while the GPUs did nothing
    host_energy_millijoules: int | None = None  # beside its GPUs, and never a part of theirs
    host_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs: empty means all. Of a period those that overlap it, the end excluded."""

    job_ids: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    group: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The accounts, users and labs that some jobs or results have."""

    accounts: frozenset[str]
    users: frozenset[str]
    groups: frozenset[str]

    @classmethod
    def of(
        cls, accounts: Iterable[str | None], users: Iterable[str | None], groups: Iterable[str | None]
    ) -> Names:
        """Each once; what is not known of a job is no name."""
        return cls(
            accounts=frozenset(name for name in accounts if name is not None),
            users=frozenset(name for name in users if name is not None),
            groups=frozenset(name for name in groups if name is not None),
        )

    @classmethod
    def in_all(cls, named: Sequence[Job] | Sequence[Result]) -> Names:
        """Those of jobs or results."""
        return cls.of(
            (one.account for one in named), (one.user for one in named), (one.group for one in named)
        )


def base_id(job_id: str) -> str:
    """The id that an array or a heterogeneous job is known by as a whole: 123 of 123_4 and of 123+1."""
    return re.split(r"[_+]", job_id, maxsplit=1)[0]


def names(wanted: str, job_id: str) -> bool:
    """Whether an id as a user writes it means this job: itself, or the array or het job it is a part of."""
    return wanted in (job_id, base_id(job_id))


def overlaps(job: Job, start: datetime, end: datetime) -> bool:
    """Whether a job was there in the period; a job without a start counts where it ended."""
    begun = job.started_at or job.ended_at
    if begun is None or begun >= end:
        return False
    return job.ended_at is None or job.ended_at > start or begun >= start
