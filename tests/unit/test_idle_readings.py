"""GPUs that nobody holds: their readings, their chain with runs, and what is known of the counter."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_cluster.agent.ports import DriverError
from sam_cluster.aggregate.readings import readings_by_gpu
from sam_cluster.aggregate.shard_rows import reading_rows
from sam_cluster.core.config import Config
from sam_cluster.core.model import NO_JOB, Cause, GapKind, Kind, Reason, Shard
from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.energy.gaps import Gap, gaps
from sam_cluster.energy.hours import usage
from sam_cluster.energy.split import divide, segments
from sam_cluster.report.gpu_ledger import ledgers_of
from sam_cluster.report.ledger import usage_of
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows
from sam_cluster.store.tables import Tables
from tests.aggregating import rows, run_aggregate
from tests.simulated import put
from tests.strategies import HOUR

from .simulated_node import NOON, SECOND, SimulatedNode, uuid_of


class Node(SimulatedNode):
    """A node of two GPUs whose timer asks for readings; what is sealed is kept."""

    def __init__(self, directory: Path) -> None:
        self.sealed: list[Shard] = []
        super().__init__(directory, gpus=2)
        self.kill_agent()
        self.config = Config(cluster_name="bench", interval_seconds=600)
        self.start_agent()

    def look(self) -> None:
        """The timer: readings of all GPUs that nobody holds."""
        self.deliver(replace(self.event("prolog", 1), kind="idle", environ={}))
        self.step()

    def seal(self) -> None:
        for name, shard in zip(self.meter.complete.names, self.sealable(), strict=True):
            self.sealed.append(shard)
            self.meter.complete.sealed(name)

    @property
    def idle(self) -> list[Shard]:
        return [shard for shard in self.sealed if shard.key.job_id == NO_JOB]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def ledger(shards: Iterable[Shard], uuid: str) -> tuple[int, list[Gap]]:
    """What runs used of a GPU, and its gaps."""
    made = [row for shard in shards for row in reading_rows(shard, "digest")]
    (readings,) = [r for key, r in readings_by_gpu(from_rows("readings", made)).items() if key[2] == uuid]
    used, between = 0, []
    for mine in segments(readings).values():
        pieces = divide(mine)
        used += sum((each.energy_millijoules or 0) for each in usage(mine, pieces))
        between += gaps(mine, pieces)
    return used, between


def test_nvml_is_open_for_the_reading_alone_and_what_was_drawn_since_the_last_is_idle(node: Node) -> None:
    node.look()
    assert not node.readers.is_open
    begin = node.gpus[0].energy_millijoules()
    node.pass_unwatched(3600)
    node.look()
    assert not node.readers.is_open
    node.prolog(7)
    node.wait(60)
    node.epilog(7)
    node.seal()
    used, between = ledger(node.sealed, uuid_of(0))
    assert {gap.kind for gap in between} == {GapKind.IDLE}
    idle = sum(gap.energy_millijoules or 0 for gap in between)
    assert used + idle == node.gpus[0].energy_millijoules() - begin
    assert used == 60 * 50_000
    (shard,) = node.idle
    assert {gpu.uuid for gpu in shard.gpus} == {uuid_of(0), uuid_of(1)}
    assert {b.kind for b in shard.boundaries} == {Kind.IDLE}


def test_at_full_hours_a_running_agent_reads_what_no_run_holds(node: Node) -> None:
    node.prolog(7)
    node.wait(2 * 3600)
    node.epilog(7)
    node.seal()
    (shard,) = node.idle
    assert {b.gpu_uuid for b in shard.boundaries} == {uuid_of(1)}
    assert len(shard.boundaries) == 2
    assert all(b.at_microseconds % HOUR < 2 * SECOND for b in shard.boundaries)


def test_a_day_that_is_over_is_sealed_though_no_run_came(node: Node) -> None:
    for _ in range(30):
        node.look()
        node.pass_unwatched(3600)
    node.look()
    node.seal()
    (shard,) = node.idle
    assert shard.started_at_microseconds // (24 * HOUR) == shard.ended_at_microseconds // (24 * HOUR)


def test_an_agent_that_is_killed_leaves_the_readings_to_the_next(node: Node) -> None:
    node.look()
    node.kill_agent()
    node.pass_unwatched(3600)
    node.start_agent()
    node.look()
    node.prolog(7)
    node.wait(5)
    node.epilog(7)
    node.seal()
    (shard,) = node.idle
    assert len(shard.boundaries) == 4
    _, between = ledger(node.sealed, uuid_of(0))
    assert {gap.kind for gap in between} == {GapKind.IDLE}


def test_a_prolog_before_the_reading_that_was_seen_after_it_counts_from_its_instant(node: Node) -> None:
    node.prolog(5, "1")
    node.look()
    node.wait(1200)
    prolog = node.event("prolog", 7)
    begin = node.gpus[0].energy_millijoules()
    node.wait(1)
    node.look()
    node.wait(1)
    node.deliver(prolog)
    node.wait(60)
    node.epilog(7)
    node.epilog(5, "1")
    node.seal()
    used, between = ledger(node.sealed, uuid_of(0))
    assert used == node.gpus[0].energy_millijoules() - begin
    assert [(gap.kind, gap.energy_millijoules) for gap in between] == [(GapKind.IDLE, 1200 * 50_000)]


def test_a_counter_that_restarted_unseen_is_a_gap_of_which_the_beginning_is_known(node: Node) -> None:
    node.pass_unwatched(7200)
    node.look()
    seen = node.clock.now_microseconds()
    node.pass_unwatched(1800)
    node.gpus[0].reset()
    node.pass_unwatched(1800)
    node.look()
    node.prolog(7)
    node.epilog(7)
    node.seal()
    _, between = ledger(node.sealed, uuid_of(0))
    (gap,) = [gap for gap in between if gap.cause]
    assert (gap.cause, gap.energy_millijoules) == (Cause.COUNTER_RESET, None)
    assert gap.from_at_microseconds == seen


def test_a_driver_that_does_not_answer_is_let_go_of(node: Node) -> None:
    node.readers.failing[None] = DriverError(Reason.NVML_FAILED)
    node.look()
    node.wait(300)
    assert not node.meter.is_reading_idle
    node.readers.failing.clear()
    node.look()
    assert not node.meter.is_reading_idle
    assert not node.readers.is_open


def test_while_a_run_holds_nobody_knows_which_gpu_none_is_said_to_be_idle(node: Node) -> None:
    node.look()
    node.wait(1200)
    node.prolog(7, "GPU-of-another-node,9")
    node.look()
    node.wait(1200)
    node.epilog(7, "GPU-of-another-node,9")
    node.look()
    node.prolog(8)
    node.epilog(8)
    node.seal()
    _, between = ledger(node.sealed, uuid_of(0))
    assert [gap.cause for gap in between] == [Cause.NOT_METERED]


def test_a_gpu_without_the_counter_has_no_idle_readings(node: Node) -> None:
    node.gpus[0].has_counter = False
    node.look()
    node.prolog(7, "1")
    node.epilog(7, "1")
    node.seal()
    assert {b.gpu_uuid for shard in node.idle for b in shard.boundaries} == {uuid_of(1)}


def test_readings_of_no_run_are_no_job(tmp_path: Path, node: Node) -> None:
    node.look()
    node.pass_unwatched(3600)
    node.look()
    node.prolog(7)
    node.wait(5)
    node.epilog(7)
    node.seal()
    paths = StorePaths(tmp_path / "store")
    for shard in node.sealed:
        put(paths, shard)
    assert run_aggregate(paths).complete
    assert [row["raw_job_id"] for row in rows(paths, "jobs")] == [7]
    assert [row["raw_job_id"] for row in rows(paths, "runs")] == [7]
    assert {row["kind"] for row in rows(paths, "gaps")} == {GapKind.IDLE}


OPERATIONS = st.lists(
    st.one_of(
        st.just(("look",)),
        st.tuples(st.just("begin"), st.sampled_from(["0", "1", "0,1"])),
        st.tuples(st.just("finish"), st.integers(0, 5)),
        st.tuples(st.just("pass"), st.integers(1, 40_000)),
        st.tuples(st.just("unwatched"), st.integers(1, 40_000)),
        st.tuples(st.just("power"), st.integers(0, 1), st.integers(0, 400_000)),
        st.just(("die",)),
        st.tuples(st.just("clock"), st.integers(-7200, 7200)),
    ),
    max_size=20,
)  # fmt: skip


def lived(directory: Path, operations: list[tuple[object, ...]]) -> tuple[Node, list[int]]:
    """A node after all that, read at its beginning and its end; what its GPUs drew in between."""
    node = Node(directory)
    node.clock.advance(10_000 * SECOND)
    node.look()
    begin = [gpu.energy_millijoules() for gpu in node.gpus]
    running: list[tuple[int, str]] = []
    started = 0
    for operation in operations:
        match operation:
            case ("look",):
                node.wait(601)
                node.look()
            case "begin", str(devices):
                started += 1
                node.prolog(started, devices)
                running.append((started, devices))
            case "finish", int(number) if running:
                node.epilog(*running.pop(number % len(running)))
            case "pass", int(seconds):
                node.wait(seconds)
            case "unwatched", int(seconds) if not running:
                node.pass_unwatched(seconds)
                node.step()
            case "power", int(gpu), int(milliwatts):
                node.wait(0.001)
                node.gpus[gpu].set_power(milliwatts)
            case ("die",):
                node.kill_agent()
                node.start_agent()
                node.step()
            case "clock", int(seconds):
                node.clock.step_wall(seconds * SECOND)
        node.seal()
    for job, devices in running:
        node.epilog(job, devices)
    node.wait(601)
    node.look()
    drawn = [gpu.energy_millijoules() - first for gpu, first in zip(node.gpus, begin, strict=True)]
    node.wait(1)
    node.prolog(99, "0,1")
    node.epilog(99, "0,1")
    node.seal()
    node.sealed = [shard for shard in node.sealed if shard.key.job_id != 99]
    return node, drawn


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS, st.randoms())
def test_runs_and_idle_time_are_the_counters_increase_whatever_happens(operations, random) -> None:
    """Agents that are killed while runs go on, nodes that sleep, clocks that step, readings in between: where
    nothing is lost and no counter restarts, nothing is unattributed."""
    with tempfile.TemporaryDirectory() as directory:
        node, drawn = lived(Path(directory), operations)
        random.shuffle(node.sealed)
        for gpu in range(2):
            used, between = ledger(node.sealed, uuid_of(gpu))
            assert {gap.kind for gap in between} <= {GapKind.IDLE}
            assert used + sum(gap.energy_millijoules or 0 for gap in between) == drawn[gpu]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS, st.data())
def test_so_they_are_in_the_tables_in_whatever_order_the_shards_come(operations, data) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node, drawn = lived(Path(directory), operations)
        shards = data.draw(st.permutations(node.sealed))
        cut = data.draw(st.integers(0, len(shards)))
        paths = StorePaths(Path(directory) / "store")
        for part in (shards[:cut], shards[cut:]):
            for shard in part:
                put(paths, shard)
            run_aggregate(paths)
        begin, end = (from_utc_microseconds(NOON + days * 24 * HOUR) for days in (-30, 60))
        tables = Tables(paths).snapshot()
        found = ledgers_of(tables, usage_of(tables, begin, end), begin, end)
        for gpu in range(2):
            mine = found["bench", "n1", uuid_of(gpu)]
            assert mine.is_whole, mine
            assert mine.counter_millijoules == drawn[gpu]
