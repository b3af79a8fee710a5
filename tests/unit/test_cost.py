"""What the agent costs: counted by threads at once, and told to each part that was open."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sam_cluster.agent.calls import CallLog
from sam_cluster.agent.cost import CostMeter, ProcessCost, this_process
from sam_cluster.agent.main import cost_in_words
from sam_cluster.agent.ports import Calls, DriverError
from sam_cluster.core.model import Reason
from sam_cluster.simulation.gpus import SimulatedReaders

from .simulated_node import SimulatedNode, uuid_of


def test_calls_of_several_threads_are_all_counted_whatever_comes_of_them() -> None:
    log = CallLog()

    def fail() -> None:
        raise OSError

    def work() -> None:
        for _ in range(50):
            log.call(int, "1")
            with pytest.raises(OSError):
                log.call(fail)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.take().count == 400


def test_a_call_that_hangs_is_the_longest_while_it_hangs_and_once_it_is_over() -> None:
    log, gate = CallLog(), threading.Event()
    thread = threading.Thread(target=log.call, args=(gate.wait, 10))
    began = time.monotonic_ns()
    thread.start()
    while not (hanging := log.take()).longest_microseconds:
        pass
    assert hanging.count == 0
    gate.set()
    thread.join()
    over = log.take()
    assert over.count == 1
    assert hanging.longest_microseconds <= over.longest_microseconds == over.microseconds
    assert over.microseconds <= (time.monotonic_ns() - began) // 1000
    assert log.take() == Calls(1, over.microseconds, 0)


class ToldReaders(SimulatedReaders):
    """Readers that say what they are told."""

    told = Calls()

    def calls(self) -> Calls:
        return self.told


def test_each_part_is_told_of_the_agent_while_it_was_open() -> None:
    readers, cpu = ToldReaders([]), iter([100, 200, 350, 900, 1000])
    cost = CostMeter(readers, lambda: ProcessCost(next(cpu), 7))
    readers.told = Calls(10, 100, 90)
    cost.look(1)
    cost.begin("a")
    readers.told = Calls(20, 200, 5)
    cost.look(3)
    cost.begin("b")
    readers.told = Calls(25, 260, 8)
    cost.look(3)
    a, b, whole = cost.end("a"), cost.end("b"), cost.whole()
    assert a and b and whole
    assert (a.cpu_microseconds, a.nvml_calls, a.nvml_microseconds) == (250, 15, 160)
    assert (a.nvml_longest_microseconds, a.missed_ticks, a.resident_bytes) == (8, 2, 7)
    assert (b.cpu_microseconds, b.nvml_calls, b.nvml_longest_microseconds) == (700, 5, 8)
    assert (whole.cpu_microseconds, whole.nvml_calls) == (1000, 25)
    assert (whole.nvml_longest_microseconds, whole.missed_ticks) == (90, 3)
    assert cost.end("a") is None


def test_this_process_has_used_time_and_has_memory() -> None:
    before = this_process()
    sum(range(300_000))
    after = this_process()
    assert after.cpu_microseconds > before.cpu_microseconds
    assert 5_000_000 < after.resident_bytes < 5_000_000_000


def test_readings_that_do_not_come_are_missed_and_no_others(tmp_path: Path) -> None:
    node = SimulatedNode(tmp_path)
    node.meter = node.start_agent(this_process)
    node.prolog(1, "0,1")
    node.wait(100)
    node.epilog(1)
    node.prolog(2, "0,1")
    node.wait(20)
    node.readers.failing[uuid_of(1)] = DriverError(Reason.NVML_FAILED)
    node.wait(100)
    node.readers.failing.clear()
    node.wait(20)
    node.epilog(2)
    well, ill = node.shards()
    assert well.agent_cost
    assert well.agent_cost.missed_ticks == 0
    assert ill.agent_cost
    assert 8 <= ill.agent_cost.missed_ticks <= 12  # of one GPU, at 10 s


def test_status_says_it_in_a_line() -> None:
    cost = {
        "cpu_microseconds": 1_500_000, "resident_bytes": 18_200_000, "nvml_calls": 2_000,
        "nvml_microseconds": 100_000, "nvml_longest_microseconds": 12_000, "missed_ticks": 3,
    }  # fmt: skip
    assert cost_in_words(cost) == (
        "1.5 s of CPU, 18.2 MB resident, 2000 NVML calls (0.05 ms each, the longest 12.0 ms), "
        "3 readings missed"
    )
    assert "0 NVML calls (0.00 ms each" in cost_in_words(dict.fromkeys(cost, 0))
