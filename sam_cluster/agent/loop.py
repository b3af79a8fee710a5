"""The agent's process: waits for events, for NVML's answers, for its children and for time."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

from sam_cluster.core.config import Config
from sam_cluster.core.errors import EventError

from .children import Children
from .events import EventDirectory
from .inotify import Inotify
from .journal import Journal
from .liveness import live_jobs
from .lock import AgentLock
from .node import NodeMeter
from .ports import Clock
from .spool import Account, Spool
from .workers import ThreadedReaders

STATUS_FILE = "status.json"
PROBLEMS_KEPT = 20


class Agent:
    """One agent of one node, from the moment it has the lock until nothing is left to do."""

    def __init__(
        self,
        config: Config,
        node: str,
        boot_id: str,
        clock: Clock,
        readers: ThreadedReaders,
        account: Callable[[], Account],
    ) -> None:
        self._clock = clock
        self._node_name = node
        self._readers = readers
        self._problems: list[str] = []
        self._reported: tuple[object, ...] = ()
        self._events_path = str(config.events)
        self._taken: list[str] = []  # events that are taken, and not yet on disk in the journal
        self._stopping = False
        spool = Spool(str(config.spool))
        self._journal = Journal(spool.journal)
        self._node = NodeMeter(config, node, boot_id, clock, readers, self._journal, live_jobs)
        self._children = Children(spool, self._journal, str(config.store), account, self._report)
        self._inotify = Inotify()
        self._events = self._open_events()
        self._wake_reading, self._wake_writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, lock: AgentLock) -> None:
        """Meter until no run is open and all is sealed, or until SIGTERM."""
        self._catch_signals()
        self._node.resume()
        self._events.sweep(self._clock.now_microseconds())
        while True:
            self._step()
            if self._stopping:
                break
            if self._is_done():
                lock.release()
                self._look_at_events()
                if self._is_done() or not lock.acquire():
                    break
                continue
            self._wait()
        self._node.flush()
        self._node.close()

    def _catch_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _open_events(self) -> EventDirectory:
        directory = EventDirectory(self._events_path)
        self._inotify.watch(self._events_path)
        return directory

    def _step(self) -> None:
        uptime = self._clock.uptime_microseconds()
        self._look_at_events()
        self._node.step()
        if self._node.flush():
            for name in self._taken:
                self._events.remove(name)
            self._taken = []
        sealed, broken = self._children.collect(uptime)
        for name in sealed:
            self._node.sealed(name)
        for name in broken:
            self._node.broken(name)
        if sealed:
            self._children.publish()
        if not self._taken:  # what is not on disk cannot be handed to a child
            self._children.seal(self._node.sealable(), self._node_name, uptime)
        self._write_status()

    def _look_at_events(self) -> None:
        if os.fstat(self._events.descriptor).st_nlink == 0:  # removed, and perhaps made anew
            self._events.close()
            self._events = self._open_events()
        events, bad = self._events.take()
        for name in bad:
            self._events.set_aside(name)
            self._report(f"event set aside: {name}")
        for event in events:
            if event.name in self._taken:
                continue
            try:
                self._node.event(event)
            except EventError as error:
                self._events.set_aside(event.name)
                self._report(str(error))
            else:
                self._taken.append(event.name)

    def _is_done(self) -> bool:
        if self._node.open_runs or self._taken:
            return False
        return self._children.gave_up or not self._node.sealable()

    def _wait(self) -> None:
        poll = select.poll()
        for descriptor in (self._inotify.descriptor, self._readers.wake, self._wake_reading):
            poll.register(descriptor, select.POLLIN)
        until = self._node.next_step_microseconds() - self._clock.uptime_microseconds()
        if self._taken or self._node.sealable():
            until = min(until, 1_000_000)
        poll.poll(min(max(until // 1000 + 1, 1), 60_000))
        self._inotify.drain()
        try:
            os.read(self._wake_reading, 4096)
        except BlockingIOError:
            pass

    def _report(self, text: str) -> None:
        self._problems = [*self._problems, f"{self._clock.now_microseconds() // 1_000_000} {text}"]
        self._problems = self._problems[-PROBLEMS_KEPT:]

    def _write_status(self) -> None:
        """For `sam-agent status`; written when it changes."""
        runs = [run.name for run in self._node.open_runs]
        state = (runs, self._node.sealable(), self._problems)
        if state != self._reported:
            self._reported = state
            document = {"node": self._node_name, "runs": runs, "unsealed": state[1], "problems": state[2]}
            self._journal.write_state(STATUS_FILE, document)
