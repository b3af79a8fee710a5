"""A process of its own that calls NVML through the official ``pynvml``, unmodified."""

from __future__ import annotations

import ast
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PROGRAM = """
import functools, sys
from pynvml import *
handle = functools.cache(nvmlDeviceGetHandleByIndex)
def energy(index): return nvmlDeviceGetTotalEnergyConsumption(handle(index))
def fields(index, *ids):
    return [(v.nvmlReturn, v.value.ullVal if v.valueType == 3 else v.value.uiVal)
            for v in nvmlDeviceGetFieldValues(handle(index), ids)]
def samples(index, last_seen=0, kind=0):
    found = nvmlDeviceGetSamples(handle(index), kind, last_seen)[1]
    return [(sample.timeStamp, sample.sampleValue.uiVal) for sample in found]
def samples_in_one_call(index, last_seen=0, kind=0):
    from sam_cluster.agent.samples import samples_since
    return samples_since(handle(index), kind, last_seen)
def slice_of(index, place): return nvmlDeviceGetMigDeviceHandleByIndex(handle(index), place)
for line in sys.stdin:
    try:
        answer = 0, eval(line)
    except NVMLError as error:
        answer = error.value, None
    print(answer, flush=True)
"""


class Client:
    """A process of its own with the official ``pynvml``, which evaluates what it is asked."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip

    def ask(self, expression: str) -> None:
        assert self.process.stdin
        print(expression, file=self.process.stdin, flush=True)

    def has_answered(self, wait_seconds: float = 0) -> bool:
        assert self.process.stdout
        return bool(select.select([self.process.stdout], [], [], wait_seconds)[0])

    def answer(self) -> tuple[int, Any]:
        """The return code of NVML, and the value."""
        assert self.process.stdout
        code, value = ast.literal_eval(self.process.stdout.readline())
        return code, value

    def outcome(self, expression: str) -> tuple[int, Any]:
        self.ask(expression)
        return self.answer()

    def __call__(self, expression: str) -> Any:
        code, value = self.outcome(expression)
        assert code == 0, f"{expression} returned {code}"
        return value

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def clients_in(environment: dict[str, str]) -> Iterator[Callable[[], Client]]:
    """Starts clients that have NVML initialised, and ends them all."""
    started: list[Client] = []

    def start() -> Client:
        started.append(Client(environment))
        started[-1]("nvmlInit()")
        return started[-1]

    try:
        yield start
    finally:
        for client in started:
            client.close()
