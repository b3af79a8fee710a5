"""Several cores for what Arrow and numpy do, which leave the interpreter to other threads meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: Starting threads takes as long as a column of so many rows.
WORTH_ROWS = 20_000


def cores() -> int:
    """Of this machine, for this process."""
    return len(os.sched_getaffinity(0))


def on_all_cores(function: Callable[[Item], Answer], items: Sequence[Item], rows: int) -> list[Answer]:
    """The function of each item, in their order; in a thread a core where so many rows are worth it."""
    threads = min(cores(), len(items))
    if rows < WORTH_ROWS or threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
