"""By task: the electricity that it took to reach an accuracy, whichever lab did.

Never an accuracy divided by kWh, which is best for a model that was not trained (see `metrics.reaching`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
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
    lab or the whole of the energy is not known, and `withheld` ones are of labs of too few people: neither
    are in `labs` and `lines`. One lab alone has no lines."""

    task: str | None
    metric: str | None
    dataset: str | None
    split: str | None
    results: int
    unusable: int
    withheld: int
    labs: int
    lines: tuple[Reached, ...]


def reached(results: Iterable[Result], told: Collection[str | None]) -> tuple[TaskReached, ...]:
    """A line for each accuracy that labs share (see `metrics.shared_accuracies`), task by task; `told` are
    the labs of enough people for figures of theirs."""
    by_task: dict[tuple[str | None, ...], list[Result]] = defaultdict(list)
    for result in results:
        by_task[result.task, result.metric, result.dataset, result.split].append(result)
    ordered = sorted(by_task.items(), key=lambda item: tuple(word or "" for word in item[0]))
    return tuple(_task(key, ours, told) for key, ours in ordered)


def _task(
    key: tuple[str | None, ...], results: Sequence[Result], told: Collection[str | None]
) -> TaskReached:
    open_to_all = [result for result in results if result.group is None or result.group in told]
    usable = [
        (result.accuracy, result.energy_millijoules, result.group, result.uncertainty_millijoules or 0)
        for result in open_to_all
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
        unusable=len(open_to_all) - len(usable),
        withheld=len(results) - len(open_to_all),
        labs=len(by_lab),
        lines=tuple(lines),
    )
