"""A run's energy by its boundaries: counted, bridged, or unknown."""

from __future__ import annotations

from sam_cluster.core.model import Boundary, Kind
from sam_cluster.energy.figure import run_energy


def boundary(
    kind: Kind, energy: int | None, since: int | None = None, bridged: int | None = None
) -> Boundary:
    return Boundary(
        gpu_uuid="GPU-0", kind=kind, at_microseconds=0, uptime_microseconds=0, segment="s",
        energy_millijoules=energy, since_energy_millijoules=since, bridged_millijoules=bridged,
    )  # fmt: skip


def test_it_is_what_was_counted_between_boundaries_and_bridged_over_restarts() -> None:
    boundaries = [
        boundary(Kind.START, 1_000),
        boundary(Kind.SEGMENT, 1_700, since=1_000),
        boundary(Kind.SEGMENT, 0, bridged=90),
        boundary(Kind.END, 300, since=0),
    ]
    assert run_energy(boundaries) == 700 + 90 + 300


def test_without_two_boundaries_it_is_unknown_and_not_zero() -> None:
    assert run_energy([]) is None
    assert run_energy([boundary(Kind.START, 1_000)]) is None
    assert run_energy([boundary(Kind.START, 1_000), boundary(Kind.END, 1_000, since=1_000)]) == 0
