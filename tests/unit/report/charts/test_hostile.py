"""Whatever somebody names a model, a lab or a task: it is text in the picture and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.report.charts.accuracy_and_energy import ResultPoint, accuracy_and_energy
from sam_cluster.report.charts.energy_by_day import EnergyOfDay, energy_by_day
from sam_cluster.report.charts.lorenz import LorenzCurve, lorenz_curves
from sam_cluster.report.charts.order_stability import RankPath, order_over_alpha, order_over_units
from sam_cluster.report.charts.picture import Picture
from sam_cluster.report.charts.projection import FittedPoint, MeteredPoint, projection
from sam_cluster.report.charts.shares import LabShares, shares
from sam_cluster.report.charts.svg import ATTRIBUTES, ELEMENTS
from sam_cluster.report.charts.two_orders import RankedResult, two_orders
from sam_cluster.report.charts.waiting import LabWaiting, waiting
from sam_cluster.report.charts.where_it_went import EnergyPart, where_it_went
from sam_cluster.report.text import visible
from tests.unit.report.charts.drawn import parsed, tag, texts
from tests.unit.report.charts.test_pictures import ROOT_ATTRIBUTES

KWH = 3_600_000_000
LINE = [FittedPoint(amount=n, energy_millijoules=n * KWH, least_millijoules=0, most_millijoules=2 * n * KWH)
        for n in (1.0, 9.0)]  # fmt: skip

#: Each picture with its names all the one given.
NAMED: dict[str, Callable[[str], Picture | None]] = {
    "energy_by_day": lambda name: energy_by_day(
        [EnergyOfDay(label=name, energy_millijoules=KWH)] * 3
    ),
    "accuracy_and_energy": lambda name: accuracy_and_energy(
        [
            ResultPoint(label=name, accuracy=0.7 + n / 50, energy_millijoules=KWH * 9**n, sam=None)
            for n in range(4)
        ],
        task=name, alpha=5, beta=5, unit="kWh",
    ),
    "two_orders": lambda name: two_orders(
        [
            RankedResult(label=name, accuracy=0.5, sam=1.0, rank_by_accuracy=n, rank_by_sam=3 - n)
            for n in (1, 2)
        ],
    ),
    "order_over_alpha": lambda name: order_over_alpha(
        [RankPath(label=name, ranks=(n, 3 - n)) for n in (1, 2)],
        alphas=[1, 5], configured=5,
    ),
    "order_over_units": lambda name: order_over_units(
        [RankPath(label=name, ranks=(n, None)) for n in (1, 2)],
        units=["J", "kWh"], configured="J",
    ),
    "where_it_went": lambda name: where_it_went(
        [EnergyPart(label=name, energy_millijoules=KWH)] * 3
    ),
    "shares": lambda name: shares(
        [LabShares(label=name, share_granted=0.1, share_of_energy=0.2, share_of_gpu_hours=None)] * 3,
    ),
    "lorenz": lambda name: lorenz_curves(
        [LorenzCurve(label=name, corners=[(0, 0), (0.5, 0.2), (1, 1)], gini=0.3)], among=name
    ),
    "waiting": lambda name: waiting(
        [LabWaiting(label=name, jobs=3, median_seconds=60, ninetieth_percentile_seconds=600)] * 2,
    ),
    "projection": lambda name: projection(
        [MeteredPoint(amount=1, energy_millijoules=KWH)], LINE, LINE[1], axis=name
    ),
}  # fmt: skip

#: Of these the marks do not depend on the names; of others a label may be left out for want of room.
SAME_MARKS = {"shares", "two_orders", "where_it_went", "waiting"}

HOSTILE = [
    "</svg><script>alert(1)</script>", '" onload="alert(1)', "<style>*{display:none}</style>", "<!--", "]]>",
    "'); alert(1); //", "datum['x']", "{{ 7*7 }}", "${7*7}", "=cmd()", "url(http://example.org/x)",
    "&lt;b&gt; &amp;", "\x1b[31mred\x00", "\u202egnp.exe", "\ud800", "a\nb\tc", "x" * 10_000, "\u0301" * 500,
    "猫" * 200, "", " ", "null", "__proto__", "constructor", "1e999",
]  # fmt: skip


def shape(picture: Picture) -> Counter[str]:
    return Counter(tag(element) for svg in (picture.wide, picture.narrow) for element in parsed(svg).iter())


def check(draw: Callable[[str], Picture | None], name: str) -> Picture:
    picture = draw(name)
    assert picture is not None
    for svg, width in ((picture.wide, 720), (picture.narrow, 328)):
        root = parsed(svg)
        for element in root.iter():
            assert tag(element) in ELEMENTS
            assert set(element.attrib) <= ATTRIBUTES | (ROOT_ATTRIBUTES if element is root else set())
        for text in texts(svg):
            assert visible(text.text) == text.text
            assert text.box.left >= -1 and text.box.right <= width + 1, text
        assert len(svg) < 30_000
    assert len(picture.title) < 160 and len(picture.description) < 1_000
    return picture


@pytest.mark.parametrize("kind", NAMED)
def test_hostile_names_are_text_and_nothing_else(kind: str) -> None:
    plain = NAMED[kind]("plain")
    assert plain is not None
    for name in HOSTILE:
        picture = check(NAMED[kind], name)
        if kind in SAME_MARKS and visible(name).strip():
            assert shape(picture) == shape(plain), f"{name!r} changed the marks"


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(codec=None), max_size=60), st.sampled_from(sorted(NAMED)))
def test_any_name_is_text_and_nothing_else(name: str, kind: str) -> None:
    check(NAMED[kind], name)


def test_a_short_name_is_written_as_it_is() -> None:
    picture = check(NAMED["shares"], "<b>&\"'猫")
    assert [text.text for text in texts(picture.wide)].count("<b>&\"'猫") == 3
