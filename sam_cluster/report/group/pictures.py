"""The pictures of a lab's page, from its view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.model import Quality
from ...metrics import OrderAt
from .. import words
from ..charts.accuracy_and_energy import ResultPoint, accuracy_and_energy
from ..charts.energy_by_day import EnergyOfDay, energy_by_day
from ..charts.order_stability import RankPath, order_over_alpha, order_over_units
from ..charts.picture import Picture
from ..charts.two_orders import RankedResult, two_orders
from ..charts.where_it_went import EnergyPart, where_it_went
from ..text import shortened
from .view import DayLine, GroupView, ResultLine, TaskView

#: Characters of a model's name in a picture, and results that make a panel.
LONGEST_LABEL = 24
LEAST_RESULTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPictures:
    """A task's panel; None where there is too little to draw."""

    results: Picture | None = None
    orders: Picture | None = None
    over_alpha: Picture | None = None
    over_unit: Picture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPictures:
    """All pictures of the page; `tasks` are in the order of the view's."""

    days: Picture | None
    endings: Picture | None
    tasks: tuple[TaskPictures, ...]


def group_pictures(view: GroupView) -> GroupPictures:
    """The pictures of a lab's page."""
    parts = [
        EnergyPart(label=words.ENDING_WORDS[line.ending], energy_millijoules=line.amount.known_millijoules)
        for line in view.endings
    ]
    return GroupPictures(
        days=energy_by_day([_day(line, view.step) for line in view.days], prefix="days", step=view.step),
        endings=where_it_went(parts, prefix="endings"),
        tasks=tuple(_panel(task, f"task{number}") for number, task in enumerate(view.results.tasks, 1)),
    )


def _day(line: DayLine, step: str) -> EnergyOfDay:
    # Of 2026-10-05 Mon the month is the page's; a month is named whole.
    label = line.label if step == "month" else f"{line.label[-3:]} {int(line.label[8:10])}"
    return EnergyOfDay(
        label=label,
        energy_millijoules=line.amount.energy_millijoules,
        is_lower_bound=line.amount.is_partial,
        energy_before_millijoules=None if line.before is None else line.before.energy_millijoules,
    )


def _panel(task: TaskView, prefix: str) -> TaskPictures:
    if len(task.all) < LEAST_RESULTS:
        return TaskPictures()
    first = task.all[0].result
    points = [
        ResultPoint(
            label=label,
            accuracy=line.result.accuracy,
            energy_millijoules=line.result.energy_millijoules,
            sam=line.result.sam,
            is_lower_bound=line.result.quality is Quality.LOWER_BOUND,
        )
        for line, label in zip(task.all, labels(task.all), strict=True)
        if line.result.accuracy is not None and line.result.energy_millijoules is not None
    ]
    drawn = accuracy_and_energy(
        points,
        task=shortened(task.task or "unknown", LONGEST_LABEL),
        alpha=first.alpha,
        beta=first.beta,
        unit=first.unit,
        prefix=f"{prefix}a",
    )
    if len(task.scored) < LEAST_RESULTS:
        return TaskPictures(results=drawn)
    shown = task.shown
    names = labels([task.scored[place] for place in shown])
    return TaskPictures(
        results=drawn,
        orders=two_orders(_ranked(task, shown, names), prefix=f"{prefix}b"),
        over_alpha=order_over_alpha(
            _paths(task.over_alpha, shown, names),
            alphas=[order.alpha for order in task.over_alpha],
            configured=first.alpha,
            prefix=f"{prefix}c",
        ),
        over_unit=order_over_units(
            _paths(task.over_unit, shown, names),
            units=[order.unit for order in task.over_unit],
            configured=first.unit,
            prefix=f"{prefix}d",
        ),
    )


def labels(lines: Sequence[ResultLine]) -> list[str]:
    """What each result is called in a picture: its model, and its job too where several have one name."""
    models = [shortened(line.result.model or "unknown", LONGEST_LABEL) for line in lines]
    counts = Counter(models)
    return [
        model if counts[model] == 1 else shortened(f"{model} ({_job(line)})", LONGEST_LABEL + 12)
        for model, line in zip(models, lines, strict=True)
    ]


def _job(line: ResultLine) -> str:
    job_ids = line.result.job_ids
    return f"{job_ids[0]}, …" if len(job_ids) > 1 else "".join(job_ids)


def _ranked(task: TaskView, shown: Sequence[int], names: Sequence[str]) -> list[RankedResult]:
    found = []
    for place, name in zip(shown, names, strict=True):
        line = task.scored[place]
        assert line.place is not None and line.result.accuracy is not None and line.result.sam is not None
        found.append(
            RankedResult(
                label=name,
                accuracy=line.result.accuracy,
                sam=line.result.sam,
                rank_by_accuracy=line.place.by_accuracy,
                rank_by_sam=line.place.by_sam,
            )
        )
    return found


def _paths(orders: Sequence[OrderAt], shown: Sequence[int], names: Sequence[str]) -> list[RankPath]:
    return [
        RankPath(label=name, ranks=tuple(order.ranks[place] for order in orders))
        for place, name in zip(shown, names, strict=True)
    ]
