"""Looks at GPUs: one that hangs keeps no other, and is not asked a second time while it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sam_cluster.agent.looks import Looks
from sam_cluster.agent.ports import DriverError, Remedy
from sam_cluster.core.model import Reason


class Gpus:
    """What each says: nothing before its gate is open."""

    def __init__(self) -> None:
        self.gates: dict[int, threading.Event] = {}
        self.errors: dict[int, Exception] = {}
        self.asked: list[int] = []

    def describe(self, index: int) -> str:
        self.asked.append(index)
        if index in self.gates:
            self.gates[index].wait(10)
        if index in self.errors:
            raise self.errors[index]
        return f"gpu {index}"


@pytest.fixture
def gpus() -> Iterator[Gpus]:
    gpus = Gpus()
    yield gpus
    for gate in gpus.gates.values():
        gate.set()


def test_one_that_hangs_or_fails_is_left_out_with_its_reason(gpus: Gpus) -> None:
    gpus.gates[1] = threading.Event()
    gpus.errors = {2: DriverError(Reason.GPU_LOST, Remedy.CLOSE), 3: UnicodeError()}
    found, missing = Looks(gpus.describe, 0.2).at(5)
    assert found == ["gpu 0", "gpu 4"]
    assert missing == {1: Reason.NVML_HUNG, 2: Reason.GPU_LOST, 3: Reason.NVML_FAILED}


def test_one_that_hangs_is_asked_again_once_it_came_back_and_not_before(gpus: Gpus) -> None:
    gpus.gates[1] = threading.Event()
    looks = Looks(gpus.describe, 0.2)
    for _ in range(3):
        assert looks.at(2) == (["gpu 0"], {1: Reason.NVML_HUNG})
    assert gpus.asked.count(1) == 1
    before = threading.active_count()
    gpus.gates[1].set()
    while threading.active_count() == before:
        pass
    assert looks.at(2) == (["gpu 0", "gpu 1"], {})


def test_where_none_answers_it_is_nvml_that_hangs(gpus: Gpus) -> None:
    gpus.gates = {0: threading.Event(), 1: threading.Event()}
    with pytest.raises(DriverError) as raised:
        Looks(gpus.describe, 0.1).at(2)
    assert (raised.value.reason, raised.value.remedy) == (Reason.NVML_HUNG, Remedy.REOPEN)
    assert Looks(gpus.describe, 0.1).at(0) == ([], {})
