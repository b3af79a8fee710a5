"""What each lab used beside what it was granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import numbers
from ..text import shortened
from .axes import Axis, round_steps
from .drawing import Drawing, Row, Size, given, layer, picture
from .key import TICK, Entry, symbol_layer
from .palette import INK, PAPER, SERIES
from .picture import Picture
from .rows import MOST_LABS, in_rows, name_column, row_height


@dataclass(frozen=True, slots=True, kw_only=True)
class LabShares:
    """A lab's parts of the cluster, each a fraction; None where it is not known."""

    label: str
    share_granted: float | None
    share_of_energy: float | None
    share_of_gpu_hours: float | None

    @property
    def known(self) -> list[float]:
        """Those of the three that are known."""
        three = (self.share_granted, self.share_of_energy, self.share_of_gpu_hours)
        return [share for share in three if share is not None]


def shares(labs: Sequence[LabShares]) -> Picture | None:
    """A line for each lab, the greatest user of energy first, up to 40. None where nothing is known."""
    if not any(lab.known for lab in labs):
        return None
    ordered = sorted(
        labs, key=lambda lab: (-(lab.share_of_energy or 0), -(lab.share_granted or 0), lab.label)
    )
    return picture(
        lambda size: _drawing(ordered[:MOST_LABS], size),
        title="Share used beside share granted, by lab",
        description=_description(ordered),
    )


def _drawing(labs: Sequence[LabShares], size: Size) -> Drawing:
    left, right = name_column([lab.label for lab in labs], size), 22.0
    steps = round_steps(0.0, max(share for lab in labs for share in lab.known), 3 if size.is_narrow else 6)
    x = Axis(low=0.0, high=steps[-1], length=size.width - left - right)
    ticks = [(value, f"{numbers.setting(value * 100)} %") for value in steps]
    row = row_height(size)
    granted: list[Row] = [
        {"x": lab.share_granted, "y": n * row + 3, "end": (n + 1) * row - 3}
        for n, lab in enumerate(labs)
        if lab.share_granted is not None
    ]
    hours: list[dict[str, object]] = [
        {"x": lab.share_of_gpu_hours, "y": (n + 0.5) * row, "shape": "diamond", "fill": "transparent",
         "stroke": SERIES[1], "area": 110, "opacity": 1}
        for n, lab in enumerate(labs) if lab.share_of_gpu_hours is not None
    ]  # fmt: skip
    energy: list[dict[str, object]] = [
        {"x": lab.share_of_energy, "y": (n + 0.5) * row, "shape": "circle", "fill": SERIES[0],
         "stroke": PAPER, "area": 70, "opacity": 1}
        for n, lab in enumerate(labs) if lab.share_of_energy is not None
    ]  # fmt: skip
    entries = [
        Entry(text="granted", shape=TICK, stroke=INK),
        Entry(text="of the energy", shape="circle", fill=SERIES[0]),
        Entry(text="of the GPU-hours", shape="diamond", stroke=SERIES[1], area=110),
    ]
    marks = [
        layer(
            "rule",
            granted,
            {"x": x.at("x"), "y": given("y"), "y2": given("end")},
            stroke=INK,
            strokeWidth=3,
        ),
        symbol_layer(energy, x=x.at("x")),
        symbol_layer(hours, x=x.at("x")),
    ]
    return in_rows(
        [lab.label for lab in labs], marks,
        x=x, ticks=ticks, axis_name="share of the cluster", entries=entries,
        left=left, right=right, size=size,
    )  # fmt: skip


def _description(labs: Sequence[LabShares]) -> str:
    both = [
        (lab.share_of_energy, lab.share_granted, lab)
        for lab in labs
        if lab.share_of_energy is not None and lab.share_granted is not None
    ]
    text = f"{len(labs)} lab{'s' if len(labs) != 1 else ''}" + (
        f", of which the first {MOST_LABS} are drawn" if len(labs) > MOST_LABS else ""
    )
    if both:
        above = sum(used > granted for used, granted, _ in both)
        used, granted, lab = both[0]
        text += (
            f": {above} of the {len(both)} whose share is known used more of the energy than their share. "
            f"The greatest user is {shortened(lab.label, 40)} with {numbers.percent(used)} of the energy, "
            f"granted {numbers.percent(granted)}"
        )
    unknown = sum(lab.share_granted is None for lab in labs)
    return text + (f". Of {unknown} the share granted is not known." if unknown else ".")
