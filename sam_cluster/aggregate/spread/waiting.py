"""Threads for files that are waited for: as many as the first ones show to be worth it.

On a network file system an open takes milliseconds, in which a core has nothing to do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from threading import Lock
from typing import TypeVar

from sam_cluster.core.cores import cores

Item = TypeVar("Item")
Begun = TypeVar("Begun")
Answer = TypeVar("Answer")

#: As many opens at once does a file server bear from one client; more no longer pays.
MOST_THREADS = 64
#: Taken one after another, to see what they wait; less than this a disk of one's own takes too.
FIRST, WORTH_SECONDS = 4, 0.0005
#: So many are begun before the first is finished: a disk has what it was asked for by then.
AHEAD = 32
#: What does not wait is mostly Python, for which two threads would only wait for one another: meanwhile the
#: others do what needs no Python.
ONE_AT_A_TIME = Lock()


def threads_for(wall_seconds: float, cpu_seconds: float) -> int:
    """How many threads keep all cores busy where a single one took so long, and so much CPU time for it:
    cores × wall ÷ CPU, at least one a core, at most MOST_THREADS. Rounded, for one more than there are cores
    only takes from the others where nothing waits."""
    most = max(cores(), MOST_THREADS)
    if cpu_seconds * most <= wall_seconds * cores():
        return most
    return max(cores(), round(cores() * wall_seconds / cpu_seconds))


def answers(
    begin: Callable[[Item], Begun], finish: Callable[[Begun], Answer], items: Sequence[Item]
) -> list[Answer]:
    """What comes of each item, begun and finished, in their order; in threads where the first waited. It is
    called in a thread a core, so that these threads are one core's."""
    first, rest = items[:FIRST], items[FIRST:]
    found: list[Answer] = []
    waited: list[float] = []
    cpu = time.thread_time()
    for item in first:
        since, spent = time.perf_counter(), time.thread_time()
        found.append(finish(begin(item)))
        waited.append(time.perf_counter() - since - (time.thread_time() - spent))
    # One may have waited for another thread; for a store that is slow each of them does.
    least, cpu = min(waited, default=0), time.thread_time() - cpu
    if not rest or least < WORTH_SECONDS:
        with ONE_AT_A_TIME:
            return found + _ahead(begin, finish, rest)
    threads = max(threads_for(least * len(first) + cpu, cpu) // cores(), 1)
    size = ceil(len(rest) / threads)
    groups = [rest[at : at + size] for at in range(0, len(rest), size)]
    with ThreadPoolExecutor(threads) as pool:
        for some in pool.map(lambda group: [finish(begin(item)) for item in group], groups):
            found += some
    return found


def _ahead(
    begin: Callable[[Item], Begun], finish: Callable[[Begun], Answer], items: Sequence[Item]
) -> list[Answer]:
    found: list[Answer] = []
    begun: deque[Begun] = deque()
    for item in items:
        begun.append(begin(item))
        if len(begun) > AHEAD:
            found.append(finish(begun.popleft()))
    return found + [finish(each) for each in begun]
