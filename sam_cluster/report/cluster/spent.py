"""What the cluster's labs spent in a period: sums of the columns, by lab and by person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...core.config import Config
from ...core.model import Quality
from ..idle import idle_powers, judged
from ..ledger import Amount, amount_of, summed, usage_of
from ..records import TableReader
from ..view import PeriodView
from .columns import attributed, gpu_time_inside, jobs_of
from .people import Person, by_lab, people_of

#: Of a job with this quality a part is missing, whatever its hours say.
PARTIAL = (Quality.LOWER_BOUND, Quality.UNKNOWN)


@dataclass(slots=True)
class LabSum:
    """What one lab spent. `idle` is the part of GPUs that were held and idle."""

    amount: Amount = field(default_factory=Amount)
    gpu_microseconds: int = 0
    jobs: int = 0
    jobs_without_gpu_time: int = 0
    idle: Amount = field(default_factory=Amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """A period of the cluster. `labs` has what no lab is known for under None."""

    usage: pa.Table  # the hours of the period
    jobs: pa.Table  # the GPU jobs that overlap it, with `lab` and `gpu_time`
    labs: dict[str | None, LabSum]
    people: dict[str | None, list[Person]]
    judged_microseconds: int  # held GPU time of which it could be told whether the GPU stood idle

    @property
    def whole(self) -> LabSum:
        """The sum over all labs."""
        total = LabSum()
        for lab in self.labs.values():
            total.amount += lab.amount
            total.gpu_microseconds += lab.gpu_microseconds
            total.jobs += lab.jobs
            total.jobs_without_gpu_time += lab.jobs_without_gpu_time
            total.idle += lab.idle
        return total


def spending_of(tables: TableReader, config: Config, period: PeriodView, data_until: datetime) -> Spending:
    """What was spent in a period, from data that reach up to an instant."""
    usage = usage_of(tables, period.start, period.end)
    gpus = usage["gpu_uuid"].drop_null().unique().to_pylist()
    every_job = jobs_of(tables, config, period.start, period.end)
    hours = attributed(judged(usage, idle_powers(tables, gpus, period.start, period.end)), every_job)
    jobs = every_job.filter(every_job["overlaps"])
    inside = gpu_time_inside(jobs, period.start, period.end, min(period.end, data_until))
    jobs = jobs.append_column("gpu_time", inside)
    by_person = summed(hours, ["lab", "user", "is_idle"]).to_pylist()
    people = by_lab(people_of(_jobs_of_people(jobs), by_person, config.calibration))
    labs: dict[str | None, LabSum] = defaultdict(LabSum)
    for lab, ours in people.items():
        for person in ours:
            labs[lab].amount += person.amount
            labs[lab].jobs += person.jobs
            labs[lab].gpu_microseconds += person.gpu_microseconds
    _complete(labs, jobs, by_person, config.calibration)
    seen = hours.filter(pc.is_valid(hours["is_idle"]))
    return Spending(
        usage=usage,
        jobs=jobs,
        labs=dict(labs),
        people=people,
        judged_microseconds=pc.sum(seen["held_microseconds"]).as_py() or 0,
    )


def _complete(
    labs: dict[str | None, LabSum],
    jobs: pa.Table,
    hours: list[dict[str, Any]],
    calibration: Mapping[str, float],
) -> None:
    """Add what is no person's: idle energy, jobs without GPU time, and that a part of a job is missing."""
    for row in hours:
        if row["is_idle"]:
            labs[row["lab"]].idle += amount_of(row, calibration)
    counted = jobs.group_by(["lab", "quality"]).aggregate([("gpu_time", "count"), ("quality", "count")])
    for row in counted.to_pylist():
        labs[row["lab"]].jobs_without_gpu_time += row["quality_count"] - row["gpu_time_count"]
        if row["quality"] in PARTIAL:
            labs[row["lab"]].amount += Amount(qualities=frozenset({Quality(row["quality"])}))


def _jobs_of_people(jobs: pa.Table) -> list[dict[str, Any]]:
    found = jobs.group_by(["lab", "user"]).aggregate([("gpu_time", "sum"), ("quality", "count")])
    return list(found.rename_columns(["lab", "user", "gpu_microseconds", "jobs"]).to_pylist())
