"""How plain functions are spread over batches of shards: threads of this process, by Dask.

The answers come in the order of what was asked, so that they are the same wherever they were computed.
Tasks are batches: one a shard costs more than reading it. `workers.py` has the executors of more hosts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import Any, Protocol, TypeVar

import dask
import dask.callbacks
import dask.local

from .waiting import threads_for

Item = TypeVar("Item")
Answer = TypeVar("Answer")

DASK: Any = dask  # what it says of its types is not what it does

#: Called with the name of a stage, how much of it is done, and of how much; 0 of 0 is one without parts.
Progress = Callable[[str, int, int], None]

#: A batch costs some milliseconds whatever it holds: as much as so many shards.
LEAST_IN_A_TASK = 32
SHARDS_IN_A_TASK = 2_500
#: One after another, before there are threads: the first pay for what is loaded and opened once, the next
#: are timed.
FIRST_BATCHES = (8, LEAST_IN_A_TASK)
#: So that the last to end does not leave the others idle for long.
TASKS_A_THREAD = 2
#: Files are opened by one thread at a time: the second has its turn when the first has opened its batch, so
#: that one is short.
FIRST_IS_SHORTER = 4


class Executor(Protocol):
    """Somewhere to compute."""

    def map(
        self, function: Callable[[Sequence[Item]], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """The function of batches of the items, in their order; `done` hears how many items are finished."""


def silent(stage: str, done: int, of: int) -> None:
    """No progress is shown."""


def batches(items: Sequence[Item], size: int = SHARDS_IN_A_TASK) -> list[Sequence[Item]]:
    """The items in groups of at most `size`."""
    return [items[at : at + size] for at in range(0, len(items), size)]


class LocalExecutor:
    """Dask in this process: `threads`, more of them the longer the store lets them wait, or `synchronous`
    for one thing after another."""

    def __init__(self, scheduler: str = "threads") -> None:
        self._scheduler = scheduler

    def map(
        self, function: Callable[[Sequence[Item]], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """As Executor says."""
        if self._scheduler != "threads":
            return self._spread(function, batches(items), 1, done)
        answers: list[Answer] = []
        threads, finished = 1, 0
        for size in FIRST_BATCHES:
            if group := items[finished : finished + size]:
                wall, cpu = time.perf_counter(), time.process_time()
                answers.append(function(group))
                threads = threads_for(time.perf_counter() - wall, time.process_time() - cpu)
                finished += len(group)
                done(finished)
        rest = items[finished:]
        size = min(max(ceil(len(rest) / (threads * TASKS_A_THREAD)), LEAST_IN_A_TASK), SHARDS_IN_A_TASK)
        short = ceil(size / FIRST_IS_SHORTER)
        groups = [*batches(rest[:short], short), *batches(rest[short:], size)]
        return answers + self._spread(function, groups, threads, lambda more: done(finished + more))

    def _spread(
        self,
        function: Callable[[Sequence[Item]], Answer],
        groups: Sequence[Sequence[Item]],
        threads: int,
        done: Callable[[int], None],
    ) -> list[Answer]:
        finished = 0
        # As a partial, because Dask looks into every argument for tasks of its own.
        tasks = [DASK.delayed(partial(function, group), pure=False, traverse=False)() for group in groups]
        sizes = {task.key: len(group) for task, group in zip(tasks, groups, strict=True)}

        def count(key: Any, *_: Any) -> None:
            nonlocal finished
            if key in sizes:  # Dask tells everybody in this process of every task
                finished += sizes[key]
                done(finished)

        with ThreadPoolExecutor(threads) as pool, DASK.callbacks.Callback(posttask=count):
            # Not by its name: for a name Dask loads all of `distributed`, to look whether there is a client.
            scheduler = pool if self._scheduler == "threads" else DASK.local.get_sync
            return list(DASK.compute(*tasks, scheduler=scheduler))
