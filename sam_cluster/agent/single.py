"""One command under the meter, on a machine without Slurm: the same state machine, and no hooks."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping

from sam_cluster.core.config import Config
from sam_cluster.core.errors import UsageError
from sam_cluster.core.model import NO_JOB, Shard

from .events import Event
from .journal import Journal
from .node import NodeMeter
from .nvml import Nvml
from .ports import Clock, DriverError, SystemClock
from .records import shard_from_records
from .unread import PATIENCE_MICROSECONDS
from .workers import ThreadedReaders

#: How long the first reading is waited for before the command starts.
START_MICROSECONDS = 5_000_000
#: As shells have it.
EXIT_SIGNAL_BASE = 128


class MeteredCommand:
    """Meters a command from its start to its end, on the GPUs that CUDA_VISIBLE_DEVICES names, else on
    all of the machine. `directory` holds the journal meanwhile."""

    def __init__(self, config: Config, node: str, boot_id: str, directory: str) -> None:
        self._clock: Clock = SystemClock()
        self._boot_id = boot_id
        self._driver = Nvml(self._clock)
        self._readers = ThreadedReaders(self._driver, self._clock)
        self._journal = Journal(directory)
        self._meter = NodeMeter(
            config, node, boot_id, self._clock, self._readers, self._journal, live_jobs=set
        )
        self._cluster = config.cluster_name or node

    def run(self, command: list[str], environ: Mapping[str, str]) -> tuple[int, list[Shard]]:
        """The command's exit code, and the shards of its run (one a day).

        Raises UsageError where the command cannot be started; then nothing was metered.
        """
        job = {
            "SLURM_JOB_ID": str(self._clock.now_microseconds() // 1_000_000),
            "SLURM_CLUSTER_NAME": self._cluster,
            "SLURM_JOB_NUM_NODES": "1",
            "SLURM_JOB_UID": str(os.getuid()),
            "CUDA_VISIBLE_DEVICES": environ.get("CUDA_VISIBLE_DEVICES") or ",".join(self._all_gpus()),
        }
        self._hook("prolog", job)
        self._wait(self._is_started, START_MICROSECONDS)
        try:
            child = subprocess.Popen(command, env=dict(environ))
        except OSError as error:
            raise UsageError(f"cannot run {command[0]!r}: {error.strerror}") from None
        # An interrupt at the terminal goes to the command as well, and it decides what it means.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._wait(lambda: child.poll() is not None, None, os.pidfd_open(child.pid))
        finally:
            signal.signal(signal.SIGINT, before)
        self._hook("epilog", job)
        self._wait(lambda: not self._meter.open_runs, 2 * PATIENCE_MICROSECONDS)
        sealable = [shard_from_records(self._journal.read(name)) for name in self._meter.complete.names]
        shards = [shard for shard in sealable if shard.key.job_id != NO_JOB]
        self._meter.close()
        code = child.returncode
        return (code if code >= 0 else EXIT_SIGNAL_BASE - code), shards

    def _all_gpus(self) -> list[str]:
        try:
            return [gpu.uuid for gpu in self._driver.open().gpus]
        except DriverError:
            return []
        finally:
            self._driver.close()

    def _hook(self, kind: str, environ: Mapping[str, str]) -> None:
        uptime = self._clock.uptime_microseconds()
        self._meter.event(Event(kind, kind, uptime, self._clock.now_microseconds(), self._boot_id, environ))

    def _is_started(self) -> bool:
        is_read = all(run.gpus is not None and not run.waiting for run in self._meter.open_runs)
        return is_read or self._meter.is_without_nvml

    def _wait(self, is_over: Callable[[], bool], longest: int | None, *descriptors: int) -> None:
        """Step until it is over. `longest` in microseconds."""
        until = None if longest is None else self._clock.uptime_microseconds() + longest
        poll = select.poll()
        for descriptor in (self._readers.wake, *descriptors):
            poll.register(descriptor, select.POLLIN)
        while True:
            self._meter.step()
            self._meter.flush()
            uptime = self._clock.uptime_microseconds()
            if is_over() or (until is not None and uptime >= until):
                break
            left = min(self._meter.next_step_microseconds(), until or 1 << 62) - uptime
            poll.poll(min(max(left // 1000 + 1, 1), 60_000))
        for descriptor in descriptors:
            os.close(descriptor)
