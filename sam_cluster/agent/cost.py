"""What the agent costs itself: as a whole, and while each part of a run was open."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from sam_cluster.core.model import AgentCost

from .ports import Calls, Readers

STATM = "/proc/self/statm"


@dataclass(frozen=True, slots=True)
class ProcessCost:
    """A process: the CPU time of it and of its children that are over, and the memory that it has now."""

    cpu_microseconds: int
    resident_bytes: int


def this_process() -> ProcessCost:
    """What this process costs so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time_ns() // 1000 + round((children.ru_utime + children.ru_stime) * 1_000_000)
    with open(STATM, encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return ProcessCost(cpu, pages * os.sysconf("SC_PAGE_SIZE"))


@dataclass(slots=True)
class _Since:
    """What the agent had cost when a part began, and the longest call since then."""

    cpu: int
    calls: Calls
    missed_ticks: int
    longest: int = 0


class CostMeter:
    """Several parts may be open at once: each is told of the whole agent while it was, not of a share."""

    def __init__(self, readers: Readers, process: Callable[[], ProcessCost] | None) -> None:
        """`process` None: nobody wants to know (a simulation)."""
        self._readers = readers
        self._process = process
        self._calls = Calls()
        self._missed = 0
        self._since: dict[str, _Since] = {}
        self._all = _Since(0, Calls(), 0)

    def look(self, missed_ticks: int) -> None:
        """Take note of the calls so far; `missed_ticks` is their number since the agent began."""
        self._calls, self._missed = self._readers.calls(), missed_ticks
        for since in (self._all, *self._since.values()):
            since.longest = max(since.longest, self._calls.longest_microseconds)

    def begin(self, part: str) -> None:
        """A part begins, or is taken up by this agent."""
        if self._process:
            self._since[part] = _Since(self._process().cpu_microseconds, self._calls, self._missed)

    def end(self, part: str) -> AgentCost | None:
        """A part is over: what the agent cost meanwhile."""
        since = self._since.pop(part, None)
        return self._cost(since) if since else None

    def whole(self) -> AgentCost | None:
        """Since the agent began."""
        return self._cost(self._all)

    def _cost(self, since: _Since) -> AgentCost | None:
        if not self._process:
            return None
        process = self._process()
        return AgentCost(
            cpu_microseconds=process.cpu_microseconds - since.cpu,
            resident_bytes=process.resident_bytes,
            nvml_calls=self._calls.count - since.calls.count,
            nvml_microseconds=self._calls.microseconds - since.calls.microseconds,
            nvml_longest_microseconds=since.longest,
            missed_ticks=self._missed - since.missed_ticks,
        )
