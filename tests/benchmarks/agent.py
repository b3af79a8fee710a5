"""What the agent costs while it meters eight GPUs: `python -m tests.benchmarks.agent [--seconds N]`.

The real agent, started by the real prolog, on the stand-in for NVML, at an interval of 10 s: with the
driver's ring of power samples, and without it, when the agent reads power itself each second. Needs root,
as the agent does. A call of the stand-in costs less than a driver's; the calls are counted.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pynvml

from tests.agent.node import AgentNode

GPUS = 8
#: By then the agent knows how long the driver's ring is.
SETTLING_SECONDS = 60.0
INTERVAL_SECONDS = 10.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children it has waited for, to the nanosecond for
    itself (schedstat), in clock ticks for them."""
    own = sum(int(stat.read_text().split()[0]) for stat in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own / 1e9 + (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND


def resident_megabytes(pid: int) -> float:
    """Resident memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def measure(seconds: float, missing: Sequence[str]) -> tuple[float, float, float]:
    """Percent of a core, megabytes resident, and NVML calls a GPU and interval, of an agent on a driver
    that lacks some functions."""
    node = AgentNode(gpus=GPUS)
    try:
        for function in missing:
            node.standin.set_error(None, function, pynvml.NVML_ERROR_NOT_SUPPORTED)
        for gpu in range(GPUS):
            node.standin.square(gpu, 80_000, 400_000, 7_000_000 + gpu * 1_000_000)
        devices = ",".join(node.standin.uuid(gpu) for gpu in range(GPUS))
        node.prolog(1, devices)
        pid = node.wait_agent()
        time.sleep(SETTLING_SECONDS)
        calls, cpu, begin = node.standin.calls(), cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begin
        share = (cpu_seconds(pid) - cpu) / took * 100
        per_tick = (node.standin.calls() - calls) / GPUS / (took / INTERVAL_SECONDS)
        memory = resident_megabytes(pid)
        node.epilog(1, devices)
        node.wait_shard()
    finally:
        node.remove()
    return share, memory, per_tick


def sealing_cpu_seconds() -> float:
    """CPU time of the child that seals a run: what it costs to start Python and to load pyarrow."""
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-I", "-c", "import sam_cluster.agent.seal"], check=True)
        after = os.times()
        times.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return statistics.median(times)


def bare_megabytes() -> float:
    """Resident memory of a Python that has only loaded pynvml."""
    code = "import pynvml, sys; sys.stdout.write(open('/proc/self/status').read())"
    shown = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    found = re.search(r"VmRSS:\s+(\d+) kB", shown.stdout)
    assert found
    return int(found[1]) / 1024


def table(seconds: float) -> list[str]:
    """The table, as lines of Markdown."""
    what = f"{GPUS} GPUs, interval {INTERVAL_SECONDS:g} s, over {seconds:g} s"
    lines = [
        f"| {what} | % of a core | MB resident | NVML calls a GPU and interval |",
        "|---|---:|---:|---:|",
    ]
    for name, missing in (
        ("no power series", ("samples", "power")),
        ("power series from the driver's ring", ()),
        ("power series by reading power each second", ("samples",)),
    ):
        share, memory, calls = measure(seconds, missing)
        lines.append(f"| {name} | {share:.3f} | {memory:.1f} | {calls:.1f} |")
    lines.append(f"| a Python with only pynvml | - | {bare_megabytes():.1f} | - |")
    sealing = sealing_cpu_seconds()
    lines += [
        "",
        f"Sealing takes {sealing:.2f} s of CPU in a child of its own, most of it to load pyarrow, once a run",
        f"and once a day of a long one: with one run an hour that is {sealing / 36:.3f} % of a core.",
    ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="each (default: %(default)s)")
    print("\n".join(table(parser.parse_args().seconds)))


if __name__ == "__main__":
    main()
