"""A run's energy on one node, by its boundaries alone."""

from __future__ import annotations

from collections.abc import Iterable

from sam_cluster.core.model import Boundary


def run_energy(boundaries: Iterable[Boundary]) -> int | None:
    """Millijoules of the devices while the run held them: by the counter between boundaries that follow one
    another, and by power over its restarts. None where no two boundaries follow one another."""
    parts = []
    for boundary in boundaries:
        energy, since = boundary.energy_millijoules, boundary.since_energy_millijoules
        if energy is not None and since is not None:
            parts.append(energy - since)
        if boundary.bridged_millijoules is not None:
            parts.append(boundary.bridged_millijoules)
    return sum(parts) if parts else None
