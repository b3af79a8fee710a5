"""The pictures of the page of the cluster, from its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...metrics import Undefined
from ..charts.lorenz import LorenzCurve, lorenz_curves
from ..charts.picture import Picture
from ..charts.shares import LabShares, shares
from ..charts.waiting import LabWaiting, waiting
from ..charts.where_it_went import EnergyPart, where_it_went
from ..text import shortened
from .evenness import Indices, Population, Weighting
from .view import ClusterView, LabLine

#: A lab's name in a picture; the table beside it has more of it.
LABEL_CHARACTERS = 24
#: What the labs are lined up by in the Lorenz curve.
OF_WEIGHTS = {
    Weighting.MEMBERS: "the members of ",
    Weighting.SHARE: "the shares granted to ",
    Weighting.NONE: "",
}
CURVES = {"energy": "energy", "gpu_hours": "GPU-hours"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPictures:
    """The pictures of the page; None where there is nothing to draw."""

    shares: Picture | None
    lorenz: Picture | None
    waiting: Picture | None
    balance: Picture | None


def cluster_pictures(view: ClusterView) -> ClusterPictures:
    """All pictures of the page."""
    labs, ledger, held_idle = view.labs, view.ledger, view.held_idle.energy_millijoules
    runs = ledger.runs_millijoules + ledger.bridged_millijoules
    return ClusterPictures(
        shares=shares(
            [
                LabShares(
                    label=_label(line),
                    share_granted=line.share_granted,
                    share_of_energy=line.share_of_energy,
                    share_of_gpu_hours=line.share_of_gpu_time,
                )
                for line in labs
            ],
        ),
        lorenz=_lorenz(
            [each for each in view.evenness if each.population is Population.ELIGIBLE], view.weighting
        ),
        waiting=waiting(
            [
                LabWaiting(
                    label=_label(line),
                    jobs=line.waiting.jobs,
                    median_seconds=line.waiting.median_seconds,
                    ninetieth_percentile_seconds=line.waiting.ninetieth_percentile_seconds,
                )
                for line in labs
                if line.waiting.median_seconds is not None
                and line.waiting.ninetieth_percentile_seconds is not None
            ],
        ),
        balance=where_it_went(
            [
                EnergyPart(label="Runs, at work", energy_millijoules=runs - held_idle),
                EnergyPart(label="Runs, held but idle", energy_millijoules=held_idle),
                EnergyPart(label="Idle, held by nobody", energy_millijoules=ledger.idle_millijoules),
                EnergyPart(label="Unattributed", energy_millijoules=ledger.unattributed_millijoules),
            ],
        ),
    )


def _lorenz(curves: Sequence[Indices], weighting: Weighting) -> Picture | None:
    drawn = [each for each in curves if each.corners]
    return lorenz_curves(
        [
            LorenzCurve(
                label=CURVES[each.measure],
                corners=each.corners,
                gini=None if isinstance(each.gini, Undefined) else each.gini,
            )
            for each in drawn
        ],
        among=f"{OF_WEIGHTS[weighting]}{max((each.n for each in drawn), default=0)} labs",
    )


def _label(line: LabLine) -> str:
    return shortened(line.lab, LABEL_CHARACTERS)
