"""The pictures of a lab's page, from its view."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

from ...core.model import Quality
from ...core.units import millijoules_from_kwh
from ...metrics import OrderAt, competition_ranks
from .. import words
from ..charts.accuracy_and_energy import ResultPoint, accuracy_and_energy
from ..charts.energy_by_day import EnergyOfDay, energy_by_day
from ..charts.order_stability import RankPath, order_over_alpha, order_over_units
from ..charts.picture import Picture
from ..charts.two_orders import RankedResult, two_orders
from ..charts.where_it_went import EnergyPart, where_it_went
from ..text import shortened
from .view import DayLine, GroupView, TaskView

#: Characters of a task's name in a picture, and results that make a panel.
LONGEST_TASK = 24
LEAST_RESULTS = 3
#: Tasks whose ranks are drawn, those with the most scored results; of others sentences and tables tell them.
MOST_RANKED_TASKS = 3
#: So many pictures at once.
AT_ONCE = 2


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
    by_results = sorted(enumerate(view.results.tasks, 1), key=lambda each: (-len(each[1].scored), each[0]))
    most = {number for number, _ in by_results[:MOST_RANKED_TASKS]}

    def panel(number: int, task: TaskView) -> TaskPictures:
        return _panel(task, with_ranks=number in most)

    # The drawing engine works outside of Python: while it draws one, another is laid out.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = pool.map(panel, count(1), view.results.tasks)
        return GroupPictures(
            days=energy_by_day([_day(line, view.step) for line in view.days], step=view.step),
            endings=where_it_went(parts),
            tasks=tuple(tasks),
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


def _panel(task: TaskView, with_ranks: bool) -> TaskPictures:
    if len(task.all) < LEAST_RESULTS:
        return TaskPictures()
    first = task.all[0].result
    points = [
        ResultPoint(
            label=line.name,
            accuracy=line.result.accuracy,
            energy_millijoules=millijoules_from_kwh(line.result.electricity_kwh),
            sam=line.result.sam,
            is_lower_bound=line.result.quality is Quality.LOWER_BOUND,
        )
        for line in task.all
        if line.result.accuracy is not None and line.result.electricity_kwh is not None
    ]
    drawn = accuracy_and_energy(
        points,
        task=shortened(task.task or "unknown", LONGEST_TASK),
        alpha=first.alpha,
        beta=first.beta,
        unit=first.unit,
    )
    if not with_ranks or len(task.scored) < LEAST_RESULTS:
        return TaskPictures(results=drawn)
    return TaskPictures(
        results=drawn,
        orders=two_orders(_ranked(task)),
        over_alpha=order_over_alpha(
            _paths(task, task.over_alpha),
            alphas=[order.alpha for order in task.over_alpha],
            configured=first.alpha,
        ),
        over_unit=order_over_units(
            _paths(task, task.over_unit),
            units=[order.unit for order in task.over_unit],
            configured=first.unit,
        ),
    )


def _ranked(task: TaskView) -> list[RankedResult]:
    found = []
    for line in (task.scored[place] for place in task.shown):
        assert line.place is not None and line.result.accuracy is not None and line.result.sam is not None
        found.append(
            RankedResult(
                label=line.name,
                accuracy=line.result.accuracy,
                sam=line.result.sam,
                rank_by_accuracy=line.place.by_accuracy,
                rank_by_sam=line.place.by_sam,
            )
        )
    return found


def _paths(task: TaskView, orders: Sequence[OrderAt]) -> list[RankPath]:
    """The ranks among those that are shown: among hundreds, a picture of fifteen would be mostly empty."""
    ranks = [[order.ranks[place] for place in task.shown] for order in orders]
    among = [competition_ranks(None if rank is None else -rank for rank in each) for each in ranks]
    return [
        RankPath(label=task.scored[place].name, ranks=tuple(each[at] for each in among))
        for at, place in enumerate(task.shown)
    ]
