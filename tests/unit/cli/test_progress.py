"""Progress is drawn for what is slow, on a terminal over one line and in a log now and then."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.cli import progress as module
from sam_cluster.cli.progress import ERASE, SHOWN_AFTER_SECONDS, Progress, duration, shown_progress


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A pseudo-terminal: the side that a program writes to, and the other."""
    outer, inner = os.openpty()
    with os.fdopen(inner, "w") as program:
        yield program, outer
    os.close(outer)


def drawn(outer: int) -> str:
    os.set_blocking(outer, False)
    try:
        return os.read(outer, 65_536).decode()
    except BlockingIOError:
        return ""


def test_a_line_is_written_over_with_rate_and_what_is_left_and_goes_at_the_end(terminal, clock) -> None:
    program, outer = terminal
    progress = Progress(program, clock)
    progress("shards read", 0, 20_000)
    clock.seconds = 1.99
    progress("shards read", 8_000, 20_000)
    progress.draw()
    with progress.aside():
        assert drawn(outer) == ""
    clock.seconds = 3.0
    progress("shards read", 12_000, 20_000)
    progress.draw()
    assert drawn(outer) == f"{ERASE}12,000 of 20,000 shards read, 4,000/s, 2 s left"
    progress("merging")
    clock.seconds = 75.0
    progress.draw()
    assert drawn(outer) == f"{ERASE}merging, 1 min 12 s"
    with progress.aside():
        assert drawn(outer) == ERASE


def test_a_stage_that_comes_in_turn_with_others_counts_their_time(clock) -> None:
    log = io.StringIO()
    progress = Progress(log, clock)
    for chunk in range(2):
        progress("shards read", chunk * 20_000, 1_000_000)
        clock.seconds += 5
        progress("shards read", (chunk + 1) * 20_000, 1_000_000)
        progress("merging")
        clock.seconds += 15
    progress("shards read", 40_000, 1_000_000)
    progress.draw()
    assert log.getvalue() == "sam-cluster: 40,000 of 1,000,000 shards read, 1,000/s, 16 min 00 s left\n"


def test_what_is_slower_than_one_in_ten_seconds_has_no_rate_of_zero(clock) -> None:
    log = io.StringIO()
    progress = Progress(log, clock)
    progress("nodes metered", 0, 3)
    clock.seconds = 40.0
    progress("nodes metered", 1, 3)
    progress.draw()
    assert log.getvalue() == "sam-cluster: 1 of 3 nodes metered, 1 min 20 s left\n"


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100), st.integers(0, 100), st.floats(0, 1e6))),
    st.floats(0, SHOWN_AFTER_SECONDS, exclude_max=True),
)
def test_nothing_is_said_of_what_is_fast_and_whole_lines_of_what_is_not(told, fast) -> None:
    clock, log = Clock(), io.StringIO()
    progress = Progress(log, clock)
    for stage, done, of, seconds in told:
        clock.seconds = min(clock.seconds + seconds, fast)
        progress(stage, done, of)
        progress.draw()
    assert log.getvalue() == ""
    for stage, done, of, seconds in told:
        clock.seconds += SHOWN_AFTER_SECONDS + seconds
        progress(stage, done, of)
        progress.draw()
    lines = log.getvalue().splitlines(keepends=True)
    assert len(lines) == len(told)
    assert all(line.startswith("sam-cluster: ") and line.endswith("\n") for line in lines)
    assert not any(mark in log.getvalue() for mark in "\r\x1b")


def test_a_thread_draws_while_a_stage_says_nothing(terminal, monkeypatch) -> None:
    program, outer = terminal
    monkeypatch.setattr(sys, "stderr", program)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(module, "TERMINAL_SECONDS", 0.01)
    shown, until = "", time.monotonic() + 60
    with shown_progress("reading jobs"):
        while shown.count("reading jobs") < 3 and time.monotonic() < until:
            time.sleep(0.01)
            shown += drawn(outer)
    assert shown.startswith(f"{ERASE}reading jobs, 0 s{ERASE}reading jobs")
    assert (shown + drawn(outer)).endswith(ERASE)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7_500, "2 h 05 min")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
