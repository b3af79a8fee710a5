"""How long jobs waited for their GPUs, by lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class LabWaiting:
    """The waiting time of a lab's jobs, from eligible to start."""

    label: str
    jobs: int
    median_seconds: float
    ninetieth_percentile_seconds: float


def waiting(labs: Sequence[LabWaiting], *, prefix: str) -> Picture | None:
    """A line for each lab, the longest median first, up to 40. None for no lab."""
    return None
