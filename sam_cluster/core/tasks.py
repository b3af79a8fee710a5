"""Tasks: what an accuracy was measured on, which names are near one another, and what SAM cannot score."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .spelling import nearest

#: Words in the name of a metric by which a lower value is the better one: a closed list.
LOWER_IS_BETTER = frozenset({
    "loss", "logloss", "perplexity", "ppl", "error", "errors", "err", "mse", "rmse", "nrmse", "rmsle", "mae",
    "mape", "smape", "wer", "cer", "eer", "fid", "kid", "lpips", "nll", "bpb", "bpc", "brier", "ece",
    "entropy", "crossentropy", "divergence",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What an accuracy was measured on; results are compared within one task only."""

    name: str
    metric: str | None = None
    dataset: str | None = None
    split: str | None = None
    aliases: tuple[str, ...] = ()
    lower_is_better: bool = False


def near_names(name: str, tasks: Iterable[Task]) -> tuple[str, ...]:
    """The tasks whose name or alias is like this one, the most alike first; empty where it is one of them."""
    by_spelling = {spelling: task.name for task in tasks for spelling in (*task.aliases, task.name)}
    if name in by_spelling:
        return ()
    return tuple(dict.fromkeys(by_spelling[spelling] for spelling in nearest(name, by_spelling)))


def why_not_scored(metric: str | None, task: Task) -> str | None:
    """Why a metric cannot be handed in for a task; None where it can. No metric named is the task's own."""
    named = metric or task.metric
    is_tasks_own = metric is None or task.metric is None or metric.casefold() == task.metric.casefold()
    words = set(re.findall(r"[a-z]+", (named or "").casefold()))
    if not (task.lower_is_better and is_tasks_own) and not words & LOWER_IS_BETTER:
        return None
    what = "its metric" if named is None else f"the metric {named[:60]!a}"
    return (
        f"{what} is better when it is lower, and SAM rewards a higher accuracy; "
        "hand in a metric from 0 to 1 in which higher is better, under its own name"
    )
