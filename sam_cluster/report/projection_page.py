"""A projection as a page of its own: the answer, its picture, the runs it comes from, and how it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ..core.units import MILLIJOULES_PER_KWH, millijoules_from_kwh
from ..metrics import Projection, interval
from .charts.picture import Picture
from .charts.projection import FittedPoint, MeteredPoint, projection
from .projection import PROJECTION_FLAGS
from .render import rendered
from .run_lengths import WORDS, Amount, NamedRun
from .view import Provenance

#: Points of the line in the picture: its interval is no straight line.
STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionView:
    """A projection with the runs that were named, and its JSON object as `figures`."""

    provenance: Provenance
    amount: Amount
    runs: Sequence[NamedRun]
    projection: Projection
    figures: Mapping[str, Any]

    @property
    def is_simulated(self) -> bool:
        """Whether a run comes from a simulated cluster."""
        return any(run.is_simulated for run in self.runs)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader should know of the projection."""
        return tuple(PROJECTION_FLAGS[flag] for flag in self.projection.flags)


def projection_page(view: ProjectionView, zone: ZoneInfo) -> str:
    """The page as HTML."""
    return rendered(
        "project.html.j2", zone, view=view, picture=projection_picture(view), axis=WORDS[view.amount]
    )


def projection_picture(view: ProjectionView) -> Picture | None:
    """The runs, the line with its interval, and what was asked for."""
    found = view.projection
    furthest = max(found.target, *(each.run.amount for each in view.runs))
    metered = [
        MeteredPoint(amount=each.run.amount, energy_millijoules=millijoules_from_kwh(each.run.kwh))
        for each in view.runs
    ]
    fitted = [_fitted(found, furthest * step / STEPS) for step in range(STEPS + 1)]
    return projection(metered, fitted, _fitted(found, found.target), axis=WORDS[view.amount])


def _fitted(found: Projection, amount: float) -> FittedPoint:
    least, most = interval(found.line, amount)
    return FittedPoint(
        amount=amount,
        energy_millijoules=found.line.at(amount) * MILLIJOULES_PER_KWH,
        least_millijoules=least * MILLIJOULES_PER_KWH,
        most_millijoules=most * MILLIJOULES_PER_KWH,
    )
