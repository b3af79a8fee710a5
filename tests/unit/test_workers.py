"""NVML in threads: a call that hangs stops nothing but itself, and one that breaks stops not even that."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator

import pytest

from sam_cluster.agent.ports import (
    Calls,
    DriverError,
    Inventory,
    Opened,
    OpenFailed,
    RawReading,
    Read,
    ReadFailed,
    Remedy,
    SystemClock,
)
from sam_cluster.agent.workers import ThreadedReaders
from sam_cluster.core.model import Reason


class GatedDriver:
    """A driver whose calls wait at gates, and raise what they are told to."""

    def __init__(self) -> None:
        self.gates: dict[str, threading.Event] = {}
        self.errors: dict[str, Exception] = {}
        self.is_open = False
        self.calls_made: list[str] = []

    def _call(self, name: str) -> None:
        self.calls_made.append(name)
        if name in self.gates:
            self.gates[name].wait(10)
        if name in self.errors:
            raise self.errors[name]

    def open(self) -> Inventory:
        self._call("open")
        self.is_open = True
        return Inventory(driver_version="1", gpus=())

    def read(self, uuid: str) -> RawReading:
        self._call(uuid)
        return RawReading(uptime_microseconds=1, counter_millijoules=2)

    def close(self) -> None:
        self._call("close")
        self.is_open = False

    def calls(self) -> Calls:
        return Calls(len(self.calls_made))


@pytest.fixture
def driver() -> Iterator[GatedDriver]:
    driver = GatedDriver()
    yield driver
    for gate in driver.gates.values():
        gate.set()


@pytest.fixture
def readers(driver: GatedDriver) -> ThreadedReaders:
    return ThreadedReaders(driver, SystemClock())


def answers(readers: ThreadedReaders, count: int = 1) -> list[object]:
    """So many answers; each wakes who waits for them."""
    found: list[object] = []
    while len(found) < count:
        assert select.select([readers.wake], [], [], 10)[0], f"only {found}"
        found += readers.answers()
    return found


def wait(is_so: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_so():
            return
        threading.Event().wait(0.01)
    raise TimeoutError


def test_what_is_asked_is_answered(driver: GatedDriver, readers: ThreadedReaders) -> None:
    readers.open()
    assert isinstance(answers(readers)[0], Opened)
    readers.read("a")
    assert answers(readers) == [Read("a", RawReading(uptime_microseconds=1, counter_millijoules=2))]


def test_a_gpu_that_hangs_keeps_no_other(driver: GatedDriver, readers: ThreadedReaders) -> None:
    driver.gates["a"] = threading.Event()
    readers.read("a")
    readers.read("b")
    assert [answer.uuid for answer in answers(readers)] == ["b"]  # type: ignore[attr-defined]
    driver.gates["a"].set()
    assert [answer.uuid for answer in answers(readers)] == ["a"]  # type: ignore[attr-defined]


def test_asked_again_while_under_way_it_is_done_once_more_and_no_oftener(
    driver: GatedDriver, readers: ThreadedReaders
) -> None:
    driver.gates["a"] = threading.Event()
    for _ in range(10):
        readers.read("a")
    driver.gates["a"].set()
    answers(readers, 2)
    readers.read("b")
    answers(readers)
    assert driver.calls_made == ["a", "a", "b"]


@pytest.mark.parametrize(
    "error", [DriverError(Reason.GPU_LOST, Remedy.CLOSE), ValueError("no text"), OSError()]
)
def test_a_call_that_breaks_is_an_answer_and_the_next_is_made(
    driver: GatedDriver, readers: ThreadedReaders, error: Exception
) -> None:
    driver.errors["a"] = error
    expected = error if isinstance(error, DriverError) else DriverError(Reason.NVML_FAILED)
    for _ in range(2):
        readers.read("a")
        assert answers(readers) == [ReadFailed("a", expected.reason, expected.remedy)]


@pytest.mark.parametrize("error", [DriverError(Reason.NVML_FAILED), OSError(), RuntimeError()])
def test_opening_that_breaks_is_an_answer_and_is_tried_again(
    driver: GatedDriver, readers: ThreadedReaders, error: Exception
) -> None:
    driver.errors["open"] = error
    readers.open()
    assert isinstance(answers(readers)[0], OpenFailed)
    driver.errors.clear()
    readers.open()
    assert isinstance(answers(readers)[0], Opened)


def test_closed_and_opened_again_while_a_gpu_hangs_there_is_one_thread_for_it(
    driver: GatedDriver, readers: ThreadedReaders
) -> None:
    driver.gates["a"] = threading.Event()
    before = threading.active_count()
    for _ in range(5):
        readers.open()
        answers(readers)
        readers.read("a")
        readers.close()
    assert threading.active_count() == before + 1


def test_closed_while_opening_hangs_it_is_closed_at_last(
    driver: GatedDriver, readers: ThreadedReaders
) -> None:
    driver.gates["open"] = threading.Event()
    readers.open()
    wait(lambda: "open" in driver.calls_made)
    readers.close()
    driver.gates["open"].set()
    assert isinstance(answers(readers)[0], Opened)
    wait(lambda: "close" in driver.calls_made and not driver.is_open)
