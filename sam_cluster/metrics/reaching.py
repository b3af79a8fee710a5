"""The electricity that it took to reach a stated accuracy: what it costs, instead of a quotient.

An accuracy divided by its kWh is no measure of thrift: it is the higher the less a model was trained,
and highest for one that was not trained at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import SupportsFloat

from ..core.accuracy import accuracy_fraction
from .domain import Undefined, UndefinedReason, amount


def energy_to_reach(
    points: Iterable[tuple[SupportsFloat, SupportsFloat]], accuracy: SupportsFloat
) -> float | Undefined:
    """The least energy among the results of at least an accuracy; the points are (accuracy, energy).

    Energies are in any one unit. An unknown energy, or one that is only a lower bound, has no place here:
    leave it out, for it would win by what is missing. Undefined (`not_reached`) where no result is that
    accurate. Raises ValueError for an accuracy outside 0 to 1 and an energy that is negative or not finite.
    """
    asked = accuracy_fraction(accuracy)
    given = [(accuracy_fraction(reached), amount(energy, "an energy")) for reached, energy in points]
    enough = [energy for reached, energy in given if reached >= asked]
    return min(enough) if enough else Undefined(UndefinedReason.NOT_REACHED)


def shared_accuracies(by_group: Mapping[str, Iterable[SupportsFloat]]) -> list[float]:
    """The accuracies at which groups can be compared on one task, from the highest; none for one group.

    They come from the data and favour nobody's own best: the highest accuracy that at least two groups
    reached, the highest that half of the groups reached, and the highest that all of them did.
    """
    bests = sorted(
        (max(fractions) for given in by_group.values() if (fractions := [*map(accuracy_fraction, given)])),
        reverse=True,
    )
    if len(bests) < 2:
        return []
    reached_by = (2, max(2, (len(bests) + 1) // 2), len(bests))
    return list(dict.fromkeys(bests[groups - 1] for groups in reached_by))
