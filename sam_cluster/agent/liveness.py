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
#: How long past its time limit a run may go on where no slurmstepd was ever seen.
OVERTIME_MICROSECONDS = 600_000_000


def live_jobs(proc: str = "/proc") -> set[int]:
    """Ids of the jobs with a step daemon for all of them, whose title is `slurmstepd: [123.extern]`.

    Only one of root's counts, or of the agent's own user: anybody may call a process so, and by ending it
    would end the metering of a run.
    """
    jobs = set()
    trusted = {0, os.geteuid()}
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            if os.stat(f"{proc}/{name}").st_uid not in trusted:
                continue
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
            if run.facts.key.job_id in live:
                run.seen_alive, run.gone_since = True, None
            elif run.seen_alive:
                run.gone_since = run.gone_since or Instant(uptime, now)
                if uptime - run.gone_since.uptime_microseconds >= GONE_MICROSECONDS:
                    yield run, run.gone_since
            elif _is_overdue(run, uptime):
                yield run, None


def _is_overdue(run: OpenRun, uptime: int) -> bool:
    """Whether a run has outlasted its time limit: Slurm's two instants are compared with each other, and
    time passes by the clock that does not jump. The wall clock of a node may be set while a run goes on."""
    if run.facts.end_time_seconds is None:
        return False
    begun = run.facts.start_time_seconds
    if begun is None:
        begun = run.started.at_microseconds // MICROSECONDS_PER_SECOND
    limit = max(run.facts.end_time_seconds - begun, 0) * MICROSECONDS_PER_SECOND
    return uptime - run.started.uptime_microseconds > limit + OVERTIME_MICROSECONDS
