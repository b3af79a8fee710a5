"""The two meters of a real GPU beside each other: `python -m sam_cluster.selftest.gpu UUID SECONDS`.

A process of its own, that can be killed where the driver hangs. Prints a JSON object, or a line on stderr and
exit 1. It cannot know what the GPU truly drew.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import pairwise
from typing import Any

from sam_cluster.agent.nvml import Nvml
from sam_cluster.agent.ports import Clock, DriverError, RawReading, SystemClock
from sam_cluster.energy.segments import disagree
from sam_cluster.energy.series import Drawn, PowerSeries

#: So long it is read as often as it can be, to see the counter's steps.
FAST_SECONDS = 2.0
FAST_PAUSE_SECONDS = 0.002
PAUSE_SECONDS = 0.5


def compare(nvml: Nvml, clock: Clock, uuid: str, seconds: float) -> dict[str, Any]:
    """What counter and power say of the same time, and what reading them takes. Raises DriverError, and
    KeyError with the UUIDs there are where none is this one."""
    inventory = nvml.open()
    gpus = {gpu.uuid: gpu for gpu in inventory.gpus}
    if uuid not in gpus:
        raise KeyError(", ".join(gpus) or "none")
    series = PowerSeries()
    readings: list[RawReading] = []
    took: list[int] = []
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds or len(readings) < 2:
        asked = clock.uptime_microseconds()
        reading = nvml.read(uuid)
        took.append(clock.uptime_microseconds() - asked)
        series.extend(reading.power)
        readings.append(reading)
        time.sleep(FAST_PAUSE_SECONDS if passed < FAST_SECONDS else PAUSE_SECONDS)
    nvml.close()
    first, last = readings[0], readings[-1]
    drawn = series.between(first.uptime_microseconds, last.uptime_microseconds)
    counted = _counted(first, last)
    return {
        "gpu_uuid": uuid,
        "gpu_model": gpus[uuid].name,
        "driver_version": inventory.driver_version,
        "seconds": (last.uptime_microseconds - first.uptime_microseconds) / 1_000_000,
        "counter_millijoules": counted,
        "power_millijoules": drawn.millijoules if drawn else None,
        "power_uncertainty_millijoules": drawn.uncertainty_millijoules if drawn else None,
        **_side_by_side(counted, drawn, gpus[uuid].power_limit_milliwatts),
        "counter_step_microseconds": _step(readings),
        "readings": len(readings),
        "reading_median_microseconds": round(statistics.median(took)),
        "reading_longest_microseconds": max(took),
    }


def _counted(first: RawReading, last: RawReading) -> int | None:
    if first.counter_millijoules is None or last.counter_millijoules is None:
        return None
    return last.counter_millijoules - first.counter_millijoules


def _side_by_side(counted: int | None, drawn: Drawn | None, limit_milliwatts: int | None) -> dict[str, Any]:
    """Whether two meters agree, by the rule that flags a run; None where one is not there."""
    if counted is None or drawn is None:
        return {"counter_over_power": None, "agree": None}
    ratio = counted / drawn.millijoules if drawn.millijoules else None
    return {"counter_over_power": ratio, "agree": not disagree(counted, drawn, limit_milliwatts)}


def _step(readings: list[RawReading]) -> int | None:
    """How far apart the counter's changes are, in the median of those seen while it was read fast; None
    where it changed too seldom, or each time it was read."""
    until = readings[0].uptime_microseconds + round(FAST_SECONDS * 1_000_000)
    fast = [each for each in readings if each.uptime_microseconds <= until]
    changed = [
        after.uptime_microseconds
        for before, after in pairwise(fast)
        if before.counter_millijoules != after.counter_millijoules
    ]
    if len(changed) < 3 or len(changed) >= len(fast) - 1:
        return None
    return round(statistics.median(after - before for before, after in pairwise(changed)))


def main(arguments: list[str]) -> int:
    """Compare and print."""
    uuid, seconds = arguments
    clock = SystemClock()
    try:
        found = compare(Nvml(clock), clock, uuid, float(seconds))
    except DriverError as error:
        sys.stderr.write(f"NVML does not answer for {uuid}: {error.reason.value}\n")
        return 1
    except KeyError as error:
        sys.stderr.write(f"no GPU has the UUID {uuid}; there are: {error.args[0]}\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
