"""Hypothesis strategies for what nodes send: small histories of GPUs and runs, as the shards of them.

A history is made as a node makes it: runs hold GPUs, alone or shared; each has a boundary at its start,
at every full hour and at its end; a long one is sealed at midnight; a start names the GPU's boundary
before it where nobody held the GPU. Counters restart and wall clocks jump where the history says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

HOUR, DAY = MICROSECONDS_PER_HOUR, MICROSECONDS_PER_DAY
MINUTE = HOUR // 60
#: 2026-03-01T00:00:00Z: what the histories' days are counted from.
EPOCH = 1_772_323_200_000_000
#: Nodes booted so long before.
BOOTED = 5 * HOUR
CLUSTER = "lab"


@dataclass(frozen=True)
class PlannedRun:
    """A run as it happened: instants are microseconds after EPOCH, on the clock that does not jump."""

    job_id: int
    restart: int
    start: int
    end: int
    gpus: tuple[tuple[int, int], ...]  # node and GPU numbers
    no_end: bool = False
    unread: bool = False  # the agent was dead from its start to its end: no hour marks, one part


@dataclass(frozen=True)
class History:
    """What happened on some nodes."""

    runs: tuple[PlannedRun, ...]
    resets: tuple[tuple[int, int, int], ...] = ()  # node, GPU, instant
    clock_steps: tuple[tuple[int, int, int], ...] = ()  # node, instant, by how much
    seed: int = 0

    @property
    def end(self) -> int:
        """When the last run was over."""
        return max((run.end for run in self.runs), default=0)


def node_name(node: int) -> str:
    return f"gpu{node:02}"


def gpu_uuid(node: int, gpu: int) -> str:
    return f"GPU-{node:04}-{gpu:04}"


@st.composite
def histories(
    draw: st.DrawFn, *, max_runs: int = 6, days: int = 3, resets: bool = True, clock_steps: bool = False
) -> History:
    """Histories of up to two nodes with two GPUs each, over some days."""
    # A grid, so that runs meet at the same instants, at full hours and at midnight.
    instants = st.integers(0, days * 24 * 6 - 1).map(lambda n: n * 10 * MINUTE)
    gpus = st.lists(
        st.sampled_from([(n, g) for n in range(2) for g in range(2)]), min_size=1, max_size=3, unique=True
    )
    runs: list[PlannedRun] = []
    for number in range(draw(st.integers(1, max_runs))):
        start, length = draw(instants), draw(st.sampled_from([1, 2, 3, 6, 7, 30, 145, 160]))
        jitter = draw(st.sampled_from([0, 0, 1, 1_234_567]))
        again = [run for run in runs if run.end + MINUTE < start]
        before = draw(st.sampled_from([None, *again]))
        latest = before and max((run for run in runs if run.job_id == before.job_id), key=lambda r: r.restart)
        if latest and latest.end + MINUTE < start:
            job_id, restart = latest.job_id, latest.restart + 1
        else:
            job_id, restart = 100 + number, 0
        runs.append(
            PlannedRun(
                job_id,
                restart,
                start + jitter,
                start + jitter + length * 10 * MINUTE,
                tuple(sorted(draw(gpus))),
                no_end=draw(st.sampled_from([False, False, False, True])),
                unread=draw(st.sampled_from([False, False, False, True])),
            )
        )
    restarts = ()
    if resets and draw(st.booleans()):
        restarts = ((draw(st.integers(0, 1)), draw(st.integers(0, 1)), draw(instants) + 3 * MINUTE),)
    steps = ()
    if clock_steps and draw(st.booleans()):
        by = st.sampled_from([HOUR, -HOUR, 37 * MINUTE, -17 * MINUTE, -DAY, 3 * DAY, -100 * DAY, 100 * DAY])
        step = st.tuples(st.integers(0, 1), instants.map(lambda at: at + 7 * MINUTE), by)
        steps = tuple(draw(st.lists(step, min_size=1, max_size=2)))
    return History(tuple(runs), restarts, steps, draw(st.integers(0, 99)))
