"""What each lab used beside what it was granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class LabShares:
    """A lab's parts of the cluster, each a fraction; None where it is not known."""

    label: str
    share_granted: float | None
    share_of_energy: float | None
    share_of_gpu_hours: float | None


def shares(labs: Sequence[LabShares], *, prefix: str) -> Picture | None:
    """A line for each lab, the greatest user of energy first, up to 40. None where nothing is known."""
    return None
