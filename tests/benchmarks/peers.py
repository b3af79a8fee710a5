"""One other meter, in an environment of its own: `python peers.py METER INTERVAL_SECONDS`.

Says "ready" when it is set up, and upon a line on stdin "began" as soon as it measures; another line ends
that. The answer is a JSON object: the instants at which it had begun and was told to end (CLOCK_BOOTTIME,
microseconds), what it gave for its GPUs in joules, or how it failed. Only its own interface is used, with the
settings that a user would give it.
"""

import json
import os
import sys
import time
import warnings

KWH = 3.6e6


def now_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class NoGpuError(Exception):
    """The meter did not fail, and measured no GPU."""


class Zeus:
    """A window of ZeusMonitor: the counter at its ends, or a process that polls power. It has no interval."""

    def __init__(self, interval):
        from zeus.monitor import ZeusMonitor

        self.monitor = ZeusMonitor(cpu_indices=[])

    def begin(self):
        self.monitor.begin_window("run", sync_execution=False)

    def end(self):
        measured = self.monitor.end_window("run", sync_execution=False)
        if not measured.gpu_energy:
            raise NoGpuError("a measurement without a GPU")
        return sum(measured.gpu_energy.values())


class CodeCarbon:
    """The offline tracker's GPU energy."""

    def __init__(self, interval):
        from codecarbon import OfflineEmissionsTracker

        self.tracker = OfflineEmissionsTracker(
            country_iso_code="GBR", measure_power_secs=interval, save_to_file=False, log_level="error",
            allow_multiple_runs=True, force_cpu_power=1, force_ram_power=1,
        )  # fmt: skip

    def begin(self):
        self.tracker.start()

    def end(self):
        self.tracker.stop()
        return self.tracker.final_emissions_data.gpu_energy * KWH


class Carbontracker:
    """One epoch; the energy of its GPU component, before the PUE of 1.58 that it multiplies by."""

    def __init__(self, interval):
        from carbontracker.tracker import CarbonTracker

        self.tracker = CarbonTracker(
            epochs=2, monitor_epochs=2, epochs_before_pred=0, update_interval=interval, components="gpu",
            verbose=0,
        )  # fmt: skip
        time.sleep(1)  # its thread looks for GPUs

    def begin(self):
        self.tracker.epoch_start()

    def end(self):
        thread = self.tracker.tracker
        self.tracker.epoch_end()
        return float(sum(sum(part.energy_usage(thread.epoch_times)) for part in thread.components)) * KWH


METERS = {"zeus": Zeus, "codecarbon": CodeCarbon, "carbontracker": Carbontracker}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what it prints is not an answer
    warnings.simplefilter("ignore")
    name, interval = sys.argv[1], float(sys.argv[2])
    answer = {"joules": None, "failed": None, "began_us": None, "ended_us": None}
    meter = None

    def attempt(step):
        try:
            return step()
        except (Exception, SystemExit) as error:
            if answer["failed"] is None:
                kind = "" if isinstance(error, NoGpuError) else f"{type(error).__name__}: "
                answer["failed"] = f"{kind}{error}".splitlines()[0][:100]
            return None

    meter = attempt(lambda: METERS[name](interval))
    print("ready", file=answers, flush=True)
    sys.stdin.readline()
    if meter:
        attempt(meter.begin)
    answer["began_us"] = now_us()
    print("began", file=answers, flush=True)
    sys.stdin.readline()
    answer["ended_us"] = now_us()
    if meter:
        answer["joules"] = attempt(meter.end)
    print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
