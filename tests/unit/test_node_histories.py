"""Whatever happens on a node, in whatever order: no joule twice, none lost, each run sealed once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_cluster.agent.ports import DriverError, Remedy
from sam_cluster.core.model import Reason

from .histories import HistoryNode, check
from .simulated_node import SECOND, uuid_of

JOBS = 6
SECONDS = st.one_of(st.floats(0.01, 5), st.floats(5, 300), st.floats(300, 90_000))

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from(["0", "1", "0,1"]), st.integers(1, 2), st.booleans()),
        st.tuples(st.just("finish"), st.integers(0, JOBS - 1), st.integers(1, 2), st.booleans()),
        st.tuples(st.just("pass"), SECONDS),
        st.tuples(st.just("power"), st.integers(0, 1), st.integers(0, 400_000)),
        st.tuples(st.just("die")),
        st.tuples(st.just("die at"), st.integers(1, 40)),
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


def do(node: HistoryNode, operation: tuple[object, ...]) -> None:
    """One step of a history; one that cannot be done now is left out."""
    match operation:
        case "begin", str(devices), int(copies), bool(starts_agent) if len(node.runs) < JOBS + 1:
            node.begin(len(node.runs) + 1, devices, copies, starts_agent=starts_agent)
        case "finish", int(number), int(copies), bool(starts_agent):
            running = [run.job for run in node.runs.values() if not run.ended]
            if running:
                node.finish(running[number % len(running)], copies, starts_agent=starts_agent)
        case "pass", float(seconds):
            node.let_pass(seconds)
        case "power", int(gpu), int(milliwatts):
            node.let_pass(0.001)  # its samples have one power an instant
            node.gpus[gpu].set_power(milliwatts)
        case ("die",):
            node.die()
        case "die at", int(look):
            node.journal.fuse = look
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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_runs_and_idle_time_add_up_to_the_counter_whatever_happens(
    operations: list[tuple[object, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = HistoryNode(Path(directory))
        node.begin(1, "0,1")  # of the first and of the last boundary it is known what they should be
        first = dict(node.runs[1].started)
        for operation in operations:
            do(node, operation)
        node.journal.fuse = 0
        node.journal.is_away = False
        node.readers.failing.clear()
        for job in [run.job for run in node.runs.values() if not run.ended]:
            node.finish(job)
        node.revive()
        node.let_pass(200)
        last_job = len(node.runs) + 1
        node.begin(last_job, "0,1")
        node.let_pass(1)
        node.finish(last_job)
        node.let_pass(200)
        node.seal()
        check(node, first, node.runs[last_job].ended)
