"""A hook as slurmd runs it: a port of `run_command()` of Slurm's src/common/run_command.c."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Far more than a hook takes on a busy machine, and far less than Slurm waits.
BUDGET_SECONDS = 5.0
KILL_DELAY_SECONDS = 0.01


@dataclass(frozen=True)
class HookRun:
    """What a hook did. Instants are CLOCK_BOOTTIME in microseconds."""

    exit_code: int
    output: bytes
    began_us: int
    ended_us: int


def uptime_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def run_command(script: Path, environ: Mapping[str, str], *, descriptors: tuple[int, ...] = ()) -> HookRun:
    """Run a hook in a process group of its own, read its output to the end, and kill what it leaves in the
    group. Raises TimeoutError where something holds its output open for longer than the budget."""
    began_us = uptime_us()
    process = subprocess.Popen(
        [script],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=descriptors,
        process_group=0,
        cwd="/",
    )
    assert process.stdout
    with process.stdout as pipe:
        output = read_to_end(pipe.fileno())
    exit_code = process.wait(BUDGET_SECONDS)
    ended_us = uptime_us()
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        time.sleep(KILL_DELAY_SECONDS)
    return HookRun(exit_code, output, began_us, ended_us)


def read_to_end(descriptor: int) -> bytes:
    """What comes out of a pipe until nobody holds its other end. Raises TimeoutError after the budget."""
    content = b""
    deadline = time.monotonic() + BUDGET_SECONDS
    while select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]:
        if not (piece := os.read(descriptor, 65536)):
            return content
        content += piece
    raise TimeoutError(f"somebody holds a hook's pipe after {BUDGET_SECONDS:g} s")
