"""What calls into the driver take: how many there were, how long all of them, how long the longest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .ports import Calls

Answer = TypeVar("Answer")


class CallLog:
    """Counts calls of several threads. A call that hangs is longer at each look at it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[int, int] = {}  # thread: when its call began
        self._count = self._total = self._longest = 0

    def call(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """Make a call, whatever comes of it."""
        thread, began = threading.get_ident(), time.monotonic_ns()
        self._under_way[thread] = began
        try:
            return function(*arguments)
        finally:
            took = time.monotonic_ns() - began
            with self._lock:
                del self._under_way[thread]
                self._count += 1
                self._total += took
                self._longest = max(self._longest, took)

    def take(self) -> Calls:
        """All calls so far; the longest is that since the last look, with those that are under way."""
        with self._lock:
            now = time.monotonic_ns()
            longest = max([self._longest, *(now - began for began in self._under_way.copy().values())])
            self._longest = 0
            return Calls(self._count, self._total // 1000, longest // 1000)
