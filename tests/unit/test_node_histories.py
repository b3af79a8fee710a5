"""Whatever happens on a node, in whatever order: no joule twice, none lost, each run sealed once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_cluster.agent.ports import DriverError, Remedy
from sam_cluster.core.model import Reason

from .histories import HistoryNode, TrueRun, check
from .simulated_node import SECOND, uuid_of

JOBS = 6
SECONDS = st.one_of(st.floats(0.01, 5), st.floats(5, 300), st.floats(300, 90_000))

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from(["0", "1", "0,1"]), st.integers(1, 2), st.booleans()),
        st.tuples(st.just("finish"), st.integers(0, JOBS - 1), st.integers(1, 2), st.booleans()),
        st.tuples(st.just("requeue"), st.integers(0, JOBS - 1), st.integers(1, 2), st.booleans()),
        st.tuples(st.just("pass"), SECONDS),
        st.tuples(st.just("power"), st.integers(0, 1), st.integers(0, 400_000)),
        st.tuples(st.just("die")),
        st.tuples(st.just("die at"), st.integers(1, 40)),
        st.tuples(st.just("start and die at"), st.integers(1, 20)),
        st.tuples(st.just("seal")),
        st.tuples(st.just("hang"), st.floats(0.1, 300)),
        st.tuples(st.just("set the clock"), st.integers(-7200, 7200)),
        st.tuples(st.just("fail"), st.sampled_from([uuid_of(0), uuid_of(1), None]), st.sampled_from(Remedy)),
        st.tuples(st.just("release")),
        st.tuples(st.just("mend")),
        st.tuples(st.just("take the disk away")),
        st.tuples(st.just("lose the spool")),
        st.tuples(st.just("reset"), st.integers(0, 1)),
    ),
    max_size=25,
)


def _running(node: HistoryNode) -> list[int]:
    return [number for number, run in node.runs.items() if not run.ended]


def do(node: HistoryNode, operation: tuple[object, ...]) -> None:
    """One step of a history; one that cannot be done now is left out."""
    match operation:
        case "begin", str(devices), int(copies), bool(starts_agent) if len(node.runs) < JOBS + 1:
            node.begin(len(node.runs) + 1, devices, copies, starts_agent=starts_agent)
        case "finish", int(number), int(copies), bool(starts_agent):
            if running := _running(node):
                node.finish(running[number % len(running)], copies, starts_agent=starts_agent)
        case "requeue", int(number), int(copies), bool(starts_agent) if len(node.runs) < JOBS + 1:
            if running := _running(node):
                node.requeue(running[number % len(running)], copies, starts_agent=starts_agent)
        case "pass", float(seconds):
            node.let_pass(seconds)
        case "power", int(gpu), int(milliwatts):
            node.let_pass(0.001)  # its samples have one power an instant
            node.gpus[gpu].set_power(milliwatts)
        case ("die",):
            node.die()
        case "die at", int(look):
            node.journal.fuse = look
        case "start and die at", int(look):
            node.revive(look)
        case ("seal",):
            node.seal()
        case "hang", float(seconds):
            node.readers.hanging = True
            node.let_pass(seconds)
            node.readers.hanging = False
            node.look()
        case "set the clock", int(seconds):
            node.clock.step_wall(seconds * SECOND)
        case "fail", which, Remedy() as remedy:
            node.readers.failing[which] = DriverError(Reason.NVML_FAILED, remedy)  # type: ignore[index]
        case ("release",):
            node.pending.append(node.event("release", 0))
            node.look()
        case ("mend",):
            node.readers.failing.clear()
            node.journal.is_away = False
        case ("take the disk away",):
            node.journal.is_away = True
        case ("lose the spool",):
            node.lose_the_spool()
        case "reset", int(gpu) if gpu not in node.restarted:
            # Once: a counter that restarts while it is still small may pass by its old value unseen.
            node.restarted.add(gpu)
            node.let_pass(0.01)
            node.gpus[gpu].reset()
            node.let_pass(0.01)


def pass_through(node: HistoryNode, operations: Sequence[tuple[object, ...]]) -> tuple[TrueRun, TrueRun]:
    """A history, sealed; its first and its last run, which hold both GPUs, so that of the node's first and of
    its last boundary it is known what they should be."""
    node.begin(1, "0,1")
    for operation in operations:
        do(node, operation)
    node.journal.fuse = 0
    node.journal.is_away = False
    node.readers.failing.clear()
    for number in _running(node):
        node.finish(number)
    node.revive()
    node.let_pass(200)
    last = len(node.runs) + 1
    node.begin(last, "0,1")
    node.let_pass(1)
    node.finish(last)
    node.let_pass(200)
    node.seal()
    return node.runs[1], node.runs[last]


def live(operations: Sequence[tuple[object, ...]]) -> None:
    """A history, checked against what is true of all."""
    with tempfile.TemporaryDirectory() as directory:
        node = HistoryNode(Path(directory))
        first, last = pass_through(node, operations)
        check(node, first.started, last.ended)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_runs_and_idle_time_add_up_to_the_counter_whatever_happens(
    operations: list[tuple[object, ...]],
) -> None:
    live(operations)


@pytest.mark.parametrize("look", range(1, 9))
@pytest.mark.parametrize("seconds", [1.0, 300.0])
def test_an_agent_killed_while_it_writes_of_an_end_that_it_did_not_see_is_followed_by_one_that_can(
    look: int, seconds: float
) -> None:
    # What it read is kept before what the run's journal says of it: the next has no reading from before.
    live(
        [
            ("pass", 100.0),
            ("die",),
            ("finish", 0, 1, False),
            ("pass", seconds),
            ("start and die at", look),
        ]
    )
