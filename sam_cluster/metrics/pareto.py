"""The results that no other result beats on both accuracy and energy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsFloat

from ..core.accuracy import accuracy_fraction
from .domain import amounts


def pareto_front(accuracies: Iterable[SupportsFloat], energies_kwh: Iterable[SupportsFloat]) -> list[int]:
    """Indices of the points on the front, from the least energy to the most.

    A point is beaten by one that has at least its accuracy with at most its energy and is better in one
    of the two; equal points do not beat each other. Energies may be in any one unit. What is unknown
    cannot be placed: leave it out. Raises ValueError for an accuracy outside 0 to 1, an energy that is
    negative or not finite, and for accuracies and energies that are not as many.
    """
    fractions = [accuracy_fraction(accuracy) for accuracy in accuracies]
    energies = amounts(energies_kwh, "energies_kwh")
    if len(fractions) != len(energies):
        raise ValueError(f"there are {len(fractions)} accuracies, but {len(energies)} energies")
    front: list[int] = []
    for index in sorted(range(len(energies)), key=lambda i: (energies[i], -fractions[i], i)):
        if front:
            best = front[-1]
            equal = fractions[index] == fractions[best] and energies[index] == energies[best]
            if fractions[index] <= fractions[best] and not equal:
                continue
        front.append(index)
    return front
