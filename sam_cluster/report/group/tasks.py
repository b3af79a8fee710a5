"""The results of a lab, task by task: their places by accuracy and by SAM, and how firm that order is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ...core.model import Quality
from ...metrics import (
    Candidate,
    crossings,
    orders_over_alpha,
    orders_over_unit,
    pareto_front,
    places,
)
from ...metrics.ranking import ALPHAS
from .. import words
from ..results import Result
from ..text import shortened
from ..view import MissingLine
from .view import ResultLine, TaskView

#: Results whose ranks a page shows: the first by SAM, and of the others the most accurate.
MOST_BY_SAM, MOST_BY_ACCURACY = 12, 3
#: Characters of a model's name where it is told apart from others.
LONGEST_NAME = 24


def tasks(results: Sequence[Result], authors: Mapping[str | None, str | None]) -> tuple[TaskView, ...]:
    """Results that count, gathered by what may be compared. `authors` are those from outside, with their
    lab where it is known: they are not named."""
    by_task: dict[tuple[str | None, ...], list[Result]] = defaultdict(list)
    for result in results:
        by_task[result.task, result.metric, result.dataset, result.split].append(result)
    ordered = sorted(by_task.items(), key=lambda item: tuple(word or "" for word in item[0]))
    return tuple(_task(named, ours, authors) for named, ours in ordered)


def _task(
    named: tuple[str | None, ...], ours: Sequence[Result], authors: Mapping[str | None, str | None]
) -> TaskView:
    scored = sorted((r for r in ours if r.sam is not None), key=lambda r: (-(r.sam or 0.0), r.digest))
    unscored = sorted((r for r in ours if r.sam is None), key=lambda r: (-(r.accuracy or 0.0), r.digest))
    candidates = [_candidate(result) for result in scored]
    alpha, unit = ours[0].alpha, ours[0].unit
    front, names = _on_front(ours), _names(ours)
    standing = places(candidates, alpha=alpha, unit=unit)
    lines = [
        ResultLine(
            name=names[result.digest],
            result=replace(result, user=None) if result.user in authors else result,
            is_outside=result.user in authors,
            lab=authors.get(result.user),
            place=place,
            is_on_front=result.digest in front,
        )
        for result, place in [*zip(scored, standing, strict=True), *((result, None) for result in unscored)]
    ]
    task, metric, dataset, split = named
    return TaskView(
        task=task,
        metric=metric,
        dataset=dataset,
        split=split,
        scored=tuple(lines[: len(scored)]),
        unscored=tuple(lines[len(scored) :]),
        over_alpha=tuple(
            orders_over_alpha(candidates, alpha=alpha, unit=unit, alphas=sorted({*ALPHAS, alpha}))
        ),
        over_unit=tuple(orders_over_unit(candidates, alpha=alpha, unit=unit)),
        same_order=_same_order(candidates, alpha, unit),
        shown=_shown(scored),
    )


def _names(results: Sequence[Result]) -> dict[str, str]:
    """What each result is called, by its digest: its model, and where several have one name its job too, and
    where that is the same its digest."""
    models = {result.digest: shortened(result.model or "unknown", LONGEST_NAME) for result in results}
    with_job = {result.digest: f"{models[result.digest]} ({_job(result)})" for result in results}
    by_model, by_job = Counter(models.values()), Counter(with_job.values())
    return {
        digest: model
        if by_model[model] == 1
        else with_job[digest]
        if by_job[with_job[digest]] == 1
        else f"{model} ({digest[:8]})"
        for digest, model in models.items()
    }


def _job(result: Result) -> str:
    first = shortened(result.job_ids[0], 16) if result.job_ids else "no job"
    return f"{first}, …" if len(result.job_ids) > 1 else first


def _shown(scored: Sequence[Result]) -> tuple[int, ...]:
    by_accuracy = sorted(range(len(scored)), key=lambda n: (-(scored[n].accuracy or 0.0), n))
    first = range(min(len(scored), MOST_BY_SAM))
    others = [n for n in by_accuracy if n not in first][:MOST_BY_ACCURACY]
    return (*first, *sorted(others))


def _same_order(
    candidates: Sequence[Candidate], alpha: float, unit: str
) -> tuple[float, float | None] | None:
    """The alphas below and above the configured one up to which no two of the first results swap, 0 and
    None for no bound; None where fewer than two are ranked."""
    if len(candidates) < 2:
        return None
    swaps = [crossing.alpha for crossing in crossings(candidates[:MOST_BY_SAM], unit=unit)]
    below = max((each for each in swaps if each <= alpha), default=0.0)
    return below, min((each for each in swaps if each > alpha), default=None)


def _candidate(result: Result) -> Candidate:
    # Only scored results are ranked, whose uncertainty does not touch one unit.
    return Candidate(accuracy=result.accuracy, energy_kwh=result.electricity_kwh)


def _on_front(results: Sequence[Result]) -> set[str]:
    """The digests of the results on the Pareto front; a lower bound of energy may lie behind it."""
    placed = [
        (result.accuracy, result.electricity_kwh, result.digest)
        for result in results
        if result.accuracy is not None
        and result.electricity_kwh is not None
        and result.quality is not Quality.LOWER_BOUND
    ]
    front = pareto_front([accuracy for accuracy, *_ in placed], [energy for _, energy, _ in placed])
    return {placed[index][2] for index in front}


def left_out(results: Iterable[Result]) -> tuple[MissingLine, ...]:
    """Results that are not compared, by why."""
    counted = Counter("superseded" if r.superseded_by else r.verdict for r in results if not r.counts)
    return tuple(
        MissingLine(word=word, meaning=words.LEFT_OUT.get(word, words.NOT_KNOWN_HERE), count=counted[word])
        for word in sorted(counted)
    )
