"""First come, first served: when and where the planned jobs run."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from .workload import HOUR, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One run of a job: when, and which GPUs of which nodes."""

    plan: Plan
    restart: int
    submit: int
    start: int
    end: int
    state: str
    gpus: dict[str, tuple[int, ...]]  # by node


def schedule(plans: Iterable[Plan], nodes: Iterable[str], gpus_per_node: int) -> list[Placed]:
    """All runs, in the order of their starts. A job that does not fit yet lets none pass it."""
    free: dict[str, set[int]] = {node: set(range(gpus_per_node)) for node in nodes}
    ends: list[tuple[int, int, dict[str, tuple[int, ...]]]] = []
    placed: list[Placed] = []
    now = 0
    waiting = [(plan.submit, 0, plan) for plan in plans]
    while waiting:
        submit, restart, plan = waiting.pop(0)
        now = max(now, submit)
        while (gpus := _fit(plan, free)) is None or (ends and ends[0][0] <= now):
            end, _, released = heapq.heappop(ends)
            now = max(now, end)
            for node, indices in released.items():
                free[node].update(indices)
        for node, indices in gpus.items():
            free[node].difference_update(indices)
        preempted = plan.requeued_after is not None and restart == 0
        duration = plan.requeued_after if preempted and plan.requeued_after else plan.duration
        run = Placed(
            plan=plan,
            restart=restart,
            submit=submit,
            start=now,
            end=now + duration,
            state="REQUEUED" if preempted else plan.state,
            gpus=gpus,
        )
        placed.append(run)
        heapq.heappush(ends, (run.end, len(placed), gpus))
        if preempted:
            waiting.append((run.end + HOUR // 60, 1, plan))
            waiting.sort(key=lambda entry: (entry[0], entry[2].job_id))
    return sorted(placed, key=lambda run: (run.start, run.plan.job_id))


def _fit(plan: Plan, free: dict[str, set[int]]) -> dict[str, tuple[int, ...]] | None:
    """The fullest nodes that have room, so that whole nodes stay free for those who need them."""
    fullest_first = sorted(free, key=lambda node: (len(free[node]), node))
    rooms = [node for node in fullest_first if len(free[node]) >= plan.gpus_per_node]
    if len(rooms) < plan.nodes:
        return None
    return {node: tuple(sorted(free[node])[: plan.gpus_per_node]) for node in rooms[: plan.nodes]}
