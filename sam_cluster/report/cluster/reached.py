"""By task: the electricity that it took to reach an accuracy, whichever lab did.

Never an accuracy divided by kWh, which is best for a model that was not trained (see `metrics.reaching`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...core.model import Quality
from ...metrics import shared_accuracies
from ..results import Result

WHOLE = (Quality.MEASURED, Quality.ESTIMATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The least energy of a result of at least an accuracy, whose it is, and how many labs have one."""

    accuracy: float
    energy_millijoules: int
    uncertainty_millijoules: int
    lab: str
    labs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReached:
    """The results that may be compared: of one task, metric, dataset and split. Of `unusable` ones accuracy,
    lab or the whole of the energy is not known: they are not in `lines`. One lab alone has no lines."""

    task: str | None
    metric: str | None
    dataset: str | None
    split: str | None
    results: int
    unusable: int
    labs: int
    lines: tuple[Reached, ...]


def reached(results: Iterable[Result]) -> tuple[TaskReached, ...]:
    """A line for each accuracy that labs share (see `metrics.shared_accuracies`), task by task."""
    by_task: dict[tuple[str | None, ...], list[Result]] = defaultdict(list)
    for result in results:
        by_task[result.task, result.metric, result.dataset, result.split].append(result)
    ordered = sorted(by_task.items(), key=lambda item: tuple(word or "" for word in item[0]))
    return tuple(_task(key, ours) for key, ours in ordered)


def _task(key: tuple[str | None, ...], results: Sequence[Result]) -> TaskReached:
    usable = [
        (result.accuracy, result.energy_millijoules, result.group, result.uncertainty_millijoules or 0)
        for result in results
        if result.accuracy is not None
        and result.energy_millijoules is not None
        and result.group is not None
        and result.quality in WHOLE
    ]
    by_lab: dict[str, list[float]] = defaultdict(list)
    for accuracy, _, lab, _ in usable:
        by_lab[lab].append(accuracy)
    lines = []
    for accuracy in shared_accuracies(by_lab):
        enough = [(energy, lab, off) for fraction, energy, lab, off in usable if fraction >= accuracy]
        energy, lab, off = min(enough)
        lines.append(
            Reached(
                accuracy=accuracy,
                energy_millijoules=energy,
                uncertainty_millijoules=off,
                lab=lab,
                labs=len({each for _, each, _ in enough}),
            )
        )
    task, metric, dataset, split = key
    return TaskReached(
        task=task,
        metric=metric,
        dataset=dataset,
        split=split,
        results=len(results),
        unusable=len(results) - len(usable),
        labs=len(by_lab),
        lines=tuple(lines),
    )
