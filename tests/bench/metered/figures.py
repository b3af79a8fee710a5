"""A figure of the meter beside the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from sam_cluster.core.model import Shard
from tests.bench.metered.runs import NodeRun

PROPORTION = 0.005
BOUNDARY_SECONDS = 0.2
"""The error that is allowed: 0.5 % of a run's energy, and its power for 0.2 s. The truth itself is known as
well as the instant of a hook is, to within its own duration: on a busy machine more than milliseconds."""


@dataclass(frozen=True)
class Figure:
    """The energy of a run, or of a part of it."""

    name: str
    measured_millijoules: int
    uncertainty_millijoules: int
    """As the shards state it: the sum over the boundaries of the run."""
    truth_millijoules: Fraction
    mean_milliwatts: float
    hooks_millijoules: float
    """Its power for the duration of its hooks."""

    @property
    def error_millijoules(self) -> float:
        return float(self.measured_millijoules - self.truth_millijoules)

    @property
    def error_seconds(self) -> float:
        """The error as a time for which its mean power was drawn."""
        return self.error_millijoules / self.mean_milliwatts

    @property
    def error_percent(self) -> float:
        return 100 * self.error_millijoules / float(self.truth_millijoules)

    @property
    def allowed_millijoules(self) -> float:
        at_boundaries = BOUNDARY_SECONDS * self.mean_milliwatts + self.hooks_millijoules
        return PROPORTION * float(self.truth_millijoules) + at_boundaries

    @property
    def is_within_bounds(self) -> bool:
        return abs(self.error_millijoules) <= self.allowed_millijoules

    @property
    def is_within_uncertainty(self) -> bool:
        return abs(self.error_millijoules) <= self.uncertainty_millijoules + self.hooks_millijoules

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.measured_millijoules} mJ for {float(self.truth_millijoules):.0f} mJ,"
            f" {self.error_percent:+.2f} %, {self.error_seconds:+.3f} s × its power,"
            f" stated uncertainty {self.uncertainty_millijoules} mJ"
        )


def energy_millijoules(shards: Iterable[Shard]) -> int | None:
    """Sum over the intervals between boundaries; None where there is none with a figure."""
    intervals = [
        boundary.energy_millijoules - boundary.since_energy_millijoules
        for shard in shards
        for boundary in shard.boundaries
        if boundary.energy_millijoules is not None and boundary.since_energy_millijoules is not None
    ]
    return sum(intervals) if intervals else None


def figure(name: str, parts: Iterable[tuple[NodeRun, list[Shard]]]) -> Figure:
    """The figure of a run from its nodes' shards, beside what they truly drew."""
    measured, uncertainty, truth, power, hooks = 0, 0, Fraction(0), 0.0, 0.0
    for node_run, shards in parts:
        measured += energy_millijoules(shards) or 0
        uncertainty += sum(b.uncertainty_millijoules for shard in shards for b in shard.boundaries)
        truth += node_run.truth_millijoules
        power += node_run.mean_milliwatts
        hooks += node_run.mean_milliwatts * node_run.hook_seconds
    return Figure(name, measured, uncertainty, truth, power, hooks)
