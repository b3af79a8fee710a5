"""Projection: its laws, and that what the runs do not support is refused with its reason."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sam_cluster.core.model import Quality
from sam_cluster.metrics import Projection, ProjectionFlag, Refusal, Refused, ShorterRun, project

slopes = st.floats(0.1, 5)
fixed_costs = st.floats(0, 20)
amounts = st.lists(st.integers(1, 40), min_size=3, max_size=8, unique=True)
noises = st.lists(st.floats(-0.03, 0.03), min_size=8, max_size=8)
powers_of_two = st.integers(-8, 8).map(lambda exponent: 2.0**exponent)


def runs_of(*points, **more):
    return [ShorterRun(amount=amount, energy_kwh=energy, **more) for amount, energy in points]


@st.composite
def noisy(draw):
    """Runs about a line, off it by up to 3 %."""
    slope, fixed, lengths, noise = draw(slopes), draw(fixed_costs), draw(amounts), draw(noises)
    return runs_of(*((x, (fixed + slope * x) * (1 + off)) for x, off in zip(lengths, noise, strict=False)))


wild = st.lists(
    st.builds(
        ShorterRun,
        amount=st.sampled_from([0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 1e9]),
        energy_kwh=st.floats(0, 1e6),
        uncertainty_kwh=st.floats(0, 1e3),
        quality=st.sampled_from([Quality.MEASURED, Quality.ESTIMATED]),
    ),
    max_size=8,
)


@given(slopes, fixed_costs, amounts, st.floats(0.5, 800))
def test_runs_on_a_line_give_the_line_without_residuals_or_width(slope, fixed, lengths, target):
    found = project(runs_of(*((x, fixed + slope * x) for x in lengths)), target)
    expected = fixed + slope * target
    assert isinstance(found, Projection)
    assert found.energy_kwh == pytest.approx(expected, rel=1e-9)
    assert (found.low_kwh, found.high_kwh) == (pytest.approx(expected, rel=1e-6),) * 2
    assert (found.line.slope, found.line.intercept) == (
        pytest.approx(slope, rel=1e-6),
        pytest.approx(fixed, rel=1e-6, abs=1e-6),
    )
    assert found.residuals_kwh == pytest.approx([0] * len(lengths), abs=1e-9)
    assert (ProjectionFlag.FAR in found.flags) == (target > 20 * max(lengths))


@given(noisy(), st.floats(0.5, 500), powers_of_two, powers_of_two)
def test_other_units_of_energy_and_amount_give_the_same_answer_in_them(runs, target, per_kwh, per_amount):
    scaled = [replace(run, amount=run.amount * per_amount, energy_kwh=run.kwh * per_kwh) for run in runs]
    before, after = project(runs, target), project(scaled, target * per_amount)
    if isinstance(before, Refused):
        assert after == before
        return
    assert (after.energy_kwh, after.low_kwh, after.high_kwh) == pytest.approx(
        [value * per_kwh for value in (before.energy_kwh, before.low_kwh, before.high_kwh)], rel=1e-12
    )
    assert after.residuals_kwh == pytest.approx([off * per_kwh for off in before.residuals_kwh], rel=1e-12)
    assert (after.left_out, after.flags) == (before.left_out, before.flags)


@given(noisy(), st.floats(0.5, 500), st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter_to_the_bit(runs, target, chance):
    order = list(range(len(runs)))
    chance.shuffle(order)
    before, after = project(runs, target), project([runs[index] for index in order], target)
    if isinstance(before, Refused):
        assert after == before
        return
    assert after.residuals_kwh == tuple(before.residuals_kwh[index] for index in order)
    assert sorted(order[index] for index in after.left_out) == list(before.left_out)
    blank = {"residuals_kwh": (), "left_out": ()}
    assert replace(after, **blank) == replace(before, **blank)


@given(noisy(), st.floats(0.5, 500), st.integers(1, 60))
def test_one_more_run_on_the_line_never_widens_the_interval(runs, target, amount):
    before = project(runs, target)
    assume(isinstance(before, Projection))
    more = ShorterRun(amount=amount, energy_kwh=before.line.at(amount))
    after = project([*runs, more], target)
    # The more is known, the more stands out: a run may be seen as a warm-up, or the set as bent, only now.
    assume(isinstance(after, Projection) and after.left_out == before.left_out)
    assert after.energy_kwh == pytest.approx(before.energy_kwh)
    rounding = 1e-9 * before.energy_kwh
    assert after.high_kwh - after.low_kwh <= before.high_kwh - before.low_kwh + rounding


@given(wild, st.sampled_from([0.2, 1.0, 25.0, 1e9]))
def test_there_is_a_projection_in_order_or_a_refusal_with_its_reason(runs, target):
    found = project(runs, target)
    if isinstance(found, Refused):
        assert found.reason in Refusal
        return
    assert 0 <= found.low_kwh <= found.energy_kwh <= found.high_kwh < math.inf
    assert found.line.slope > 0
    assert found.line.intercept >= 0
    assert len(found.residuals_kwh) == len(runs)
    assert len({run.amount for run in runs} - {runs[index].amount for index in found.left_out}) >= 3


ON_A_LINE = runs_of((1, 3.0), (2, 5.0), (4, 9.0), (8, 17.0))


@pytest.mark.parametrize(
    ("runs", "refused"),
    [
        ([], Refused(reason=Refusal.TOO_FEW_AMOUNTS)),
        (runs_of((1, 3), (2, 5)), Refused(reason=Refusal.TOO_FEW_AMOUNTS)),
        (runs_of((1, 3), (2, 5), (2, 5.1), (2 + 1e-12, 5)), Refused(reason=Refusal.TOO_FEW_AMOUNTS)),
        (runs_of((1, 3), (2, 3), (4, 3)), Refused(reason=Refusal.SLOPE_NOT_POSITIVE)),
        (runs_of((1, 0), (2, 0), (4, 0)), Refused(reason=Refusal.SLOPE_NOT_POSITIVE)),
        (runs_of((1, 0), (2, 5e-324), (4, 0)), Refused(reason=Refusal.SLOPE_NOT_POSITIVE)),
        (runs_of((1, 0), (2, 2), (4, 4)), Refused(reason=Refusal.NOT_LINEAR, runs=(0,))),
        (runs_of((1, 3), (2, 2), (4, 1)), Refused(reason=Refusal.SLOPE_NOT_POSITIVE)),
        (runs_of((2, 1), (3, 3), (4, 5), (5, 7)), Refused(reason=Refusal.FIXED_COST_BELOW_ZERO)),
        (runs_of((1, 1), (2, 4), (3, 9)), Refused(reason=Refusal.NOT_LINEAR)),
        (runs_of(*((x, x**0.5) for x in range(1, 12))), Refused(reason=Refusal.NOT_LINEAR)),
        (runs_of((1, 1), (2, 9), (3, 2), (4, 8)), Refused(reason=Refusal.NOT_LINEAR)),
        (
            [*ON_A_LINE, ShorterRun(amount=3, energy_kwh=None, quality=Quality.UNKNOWN)],
            Refused(reason=Refusal.ENERGY_UNKNOWN, runs=(4,)),
        ),
        (
            [*runs_of((3, 6), quality=Quality.LOWER_BOUND), *ON_A_LINE],
            Refused(reason=Refusal.LOWER_BOUND, runs=(0,)),
        ),
        (
            [
                *runs_of((1, 3), (2, 5), conditions={"model": "vit", "task": "a", "gpu": "H100"}),
                *runs_of((4, 9), conditions={"model": "resnet", "task": "b", "gpu": "H100"}),
                *runs_of((8, 17)),
            ],
            Refused(reason=Refusal.MIXED, conditions=("model", "task")),
        ),
    ],
    ids=lambda value: str(getattr(value, "reason", "")),
)
def test_what_the_runs_do_not_support_is_refused_with_its_reason(runs, refused):
    assert project(runs, 100.0) == refused


def test_a_bend_that_changes_nothing_at_the_target_is_let_pass_and_one_that_does_is_not():
    slightly_bent = runs_of(*((x, 2 + x + 0.003 * x * x) for x in range(1, 9)))
    assert isinstance(project(slightly_bent, 10.0), Projection)
    assert project(slightly_bent, 100.0) == Refused(reason=Refusal.NOT_LINEAR)


def test_a_run_still_in_its_warm_up_is_left_out_and_flagged():
    # The first epoch takes 3 kWh and every other 1, so that half an epoch is no half of what is steady.
    steady = [(x, 2.0 + x) for x in (2, 4, 8, 16)]
    found = project(runs_of((0.5, 1.5), *steady), 100.0)
    assert (found.left_out, found.flags) == ((0,), (ProjectionFlag.WARM_UP_LEFT_OUT,))
    assert found.energy_kwh == pytest.approx(102)
    assert found.residuals_kwh == pytest.approx([-1, 0, 0, 0, 0])


def test_a_first_epoch_that_every_run_has_whole_is_a_fixed_cost_and_stays():
    found = project(runs_of(*((x, 2.0 + x) for x in (1, 2, 4, 8))), 100.0)
    assert (found.left_out, found.flags) == ((), ())
    assert found.line.intercept == pytest.approx(2)


@pytest.mark.parametrize(
    "points",
    [
        [(0.5, 1.5), (2, 4.0), (4, 6.0)],  # two amounts would remain
        [(1.5, 1.5), (2, 4.0), (4, 6.0), (8, 10.0)],  # nearly as long as the next
    ],
)
def test_a_run_is_called_a_warm_up_only_where_the_others_can_tell(points):
    found = project(runs_of(*points), 10.0)
    assert isinstance(found, Refused) or found.left_out == ()


def test_a_fixed_cost_below_zero_by_chance_is_held_at_zero_and_flagged():
    found = project(runs_of((1, 0.97), (2, 2.02), (4, 4.01)), 40.0)
    assert found.flags == (ProjectionFlag.THROUGH_ORIGIN,)
    assert found.line.intercept == 0
    assert found.energy_kwh == pytest.approx(40, rel=0.01)


def test_what_the_meters_may_be_off_by_is_the_least_width():
    exact = project(ON_A_LINE, 10.0)
    unsure = project([replace(run, uncertainty_kwh=0.2) for run in ON_A_LINE], 10.0)
    assert unsure.energy_kwh == pytest.approx(exact.energy_kwh)
    assert exact.high_kwh - exact.low_kwh < 1e-6
    at_least = math.sqrt(sum((0.2 / run.kwh) ** 2 for run in ON_A_LINE) / 4)
    assert unsure.line.scatter == pytest.approx(at_least)
    assert unsure.high_kwh - unsure.low_kwh > 2 * 4.3 * at_least * 21


def test_what_a_reader_should_know_is_flagged():
    assert project(ON_A_LINE, 161.0).flags == (ProjectionFlag.FAR,)
    estimated = [replace(ON_A_LINE[0], quality=Quality.ESTIMATED), *ON_A_LINE[1:]]
    assert project(estimated, 10.0).flags == (ProjectionFlag.ESTIMATED,)
    counts = [replace(run, gpus=gpus) for run, gpus in zip(ON_A_LINE, (None, 1, 1, 4), strict=True)]
    assert project(counts, 10.0).flags == (ProjectionFlag.GPU_COUNTS_DIFFER,)


@pytest.mark.parametrize("amount", [0, -1, math.nan, math.inf, 1e300, 1e-300])
def test_what_can_be_no_amount_is_refused(amount):
    with pytest.raises(ValueError, match="an amount"):
        ShorterRun(amount=amount, energy_kwh=1.0)
    with pytest.raises(ValueError, match="an amount"):
        project(ON_A_LINE, amount)


@pytest.mark.parametrize(
    "more",
    [
        {"energy_kwh": -1.0},
        {"energy_kwh": math.nan},
        {"energy_kwh": 1e300},
        {"uncertainty_kwh": math.inf},
        {"energy_kwh": None},
        {"quality": Quality.UNKNOWN},
    ],
)
def test_an_energy_that_is_none_or_not_as_its_quality_is_refused(more):
    with pytest.raises(ValueError, match="energy"):
        ShorterRun(**{"amount": 1.0, "energy_kwh": 1.0, **more})
