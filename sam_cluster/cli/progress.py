"""How far something is, on stderr: nothing for what takes less than two seconds.

On a terminal it is one line that is written over and goes at the end; elsewhere, in a log, a line now and
then. A thread of its own draws it, so that a stage that says nothing for long is seen to go on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import get_terminal_size
from threading import Event, RLock, Thread
from typing import TextIO

SHOWN_AFTER_SECONDS = 2.0
TERMINAL_SECONDS = 0.2
LOG_SECONDS = 10.0

ERASE = "\r\x1b[K"


@dataclass(slots=True, kw_only=True)
class Stage:
    """A stage, and where it stood when it was first heard of. `of` is 0 where it has no parts."""

    name: str
    began_at: float
    began_with: int
    done: int
    of: int

    def text(self, now: float) -> str:
        """`12,000 of 20,000 shards, 4,100/s, 2 s left`; without parts `accounting, 3 s`. Fewer
        than one in ten seconds have no rate."""
        seconds = now - self.began_at
        if not self.of:
            return f"{self.name}, {duration(seconds)}"
        told = f"{self.done:,} of {self.of:,} {self.name}"
        if self.done == self.began_with or seconds <= 0:
            return told
        rate = (self.done - self.began_with) / seconds
        shown = f"{rate:,.0f}/s, " if rate >= 10 else f"{rate:.1f}/s, " if rate >= 0.1 else ""
        return f"{told}, {shown}{duration((self.of - self.done) / rate)} left"


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes_of_hour = divmod(minutes, 60)
    return f"{hours} h {minutes_of_hour:02} min" if hours else f"{minutes} min {rest:02} s"


class Progress:
    """Hears how far each stage is, and draws the latest on a terminal or into a log."""

    def __init__(self, sink: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._sink, self._clock = sink, clock
        self._is_terminal = sink.isatty()
        self.interval_seconds = TERMINAL_SECONDS if self._is_terminal else LOG_SECONDS
        self._began = clock()
        self._stages: dict[str, Stage] = {}
        self._latest: Stage | None = None
        self._is_drawn = False
        self._lock = RLock()

    def __call__(self, stage: str, done: int = 0, of: int = 0) -> None:
        """A stage begins or goes on. One that comes again, in turn with others, counts their time too: what
        is left is then right for all of them."""
        with self._lock:
            known = self._stages.get(stage)
            if known is None or not of:
                known = Stage(name=stage, began_at=self._clock(), began_with=done, done=done, of=of)
                self._stages[stage] = known
            known.done, known.of = done, of
            self._latest = known

    def draw(self) -> None:
        """Show the latest stage, where there is anything to show yet."""
        with self._lock:
            now = self._clock()
            if self._latest is None or now - self._began < SHOWN_AFTER_SECONDS:
                return
            text = self._latest.text(now)
            if self._is_terminal:
                self._sink.write(f"{ERASE}{text[: get_terminal_size().columns - 1]}")
                self._is_drawn = True
            else:
                self._sink.write(f"sam-cluster: {text}\n")
            self._sink.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Time to print something else, to whichever stream."""
        with self._lock:
            if self._is_drawn:
                self._sink.write(ERASE)
                self._sink.flush()
                self._is_drawn = False
            yield


@contextmanager
def shown_progress(stage: str | None = None) -> Iterator[Progress]:
    """Progress that is drawn on stderr as long as the context lasts; of the one stage, where it is named."""
    progress, ended = Progress(sys.stderr), Event()
    if stage is not None:
        progress(stage)

    def draw() -> None:
        while not ended.wait(progress.interval_seconds):
            try:
                progress.draw()
            except (OSError, ValueError):  # nobody reads stderr any more
                return

    thread = Thread(target=draw, name="progress", daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        ended.set()
        thread.join()
        with progress.aside():
            pass
