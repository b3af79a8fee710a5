"""Runs whose epilog will not come: seen in /proc and by the clock, for no Slurm command is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator

from sam_cluster.core.units import MICROSECONDS_PER_SECOND

from .ports import Clock
from .run import Instant, OpenRun

#: The step that lives as long as its allocation does, under PrologFlags=Contain. Others come and go.
TITLE = re.compile(rb"slurmstepd: \[(\d+)(?:\+\d+)?\.extern\]")
LOOK_MICROSECONDS = 60_000_000
#: A run whose slurmstepd has been gone for so long has no epilog to come.
GONE_MICROSECONDS = 300_000_000
#: How long past its end time a run may go on where no slurmstepd was ever seen.
OVERTIME_SECONDS = 600


def live_jobs(proc: str = "/proc") -> set[int]:
    """Ids of the jobs with a step daemon for all of them, whose title is `slurmstepd: [123.extern]`."""
    jobs = set()
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(f"{proc}/{name}/comm", "rb") as comm:
                if comm.read() != b"slurmstepd\n":
                    continue
            with open(f"{proc}/{name}/cmdline", "rb") as title:
                match = TITLE.match(title.read(256))
        except OSError:
            continue
        if match:
            jobs.add(int(match[1]))
    return jobs


class MissingEnds:
    """Looks once a minute after the runs that are open."""

    def __init__(self, clock: Clock, live_jobs: Callable[[], set[int]]) -> None:
        self.next_look = clock.uptime_microseconds() + LOOK_MICROSECONDS
        self._clock = clock
        self._live_jobs = live_jobs

    def find(self, runs: Iterable[OpenRun]) -> Iterator[tuple[OpenRun, Instant | None]]:
        """The runs that are over without an epilog, and when they ended (None: it cannot be said)."""
        now, uptime = self._clock.now_microseconds(), self._clock.uptime_microseconds()
        running = [run for run in runs if not run.ended]
        if uptime < self.next_look or not running:
            return
        self.next_look = uptime + LOOK_MICROSECONDS
        live = self._live_jobs()
        for run in running:
            end_time = run.facts.end_time_seconds
            if run.facts.key.job_id in live:
                run.seen_alive, run.gone_since = True, None
            elif run.seen_alive:
                run.gone_since = run.gone_since or Instant(uptime, now)
                if uptime - run.gone_since.uptime_microseconds >= GONE_MICROSECONDS:
                    yield run, run.gone_since
            elif end_time and now // MICROSECONDS_PER_SECOND > end_time + OVERTIME_SECONDS:
                yield run, None
