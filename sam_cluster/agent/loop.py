"""The agent's process: waits for events, for NVML's answers, for its children and for time."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from dataclasses import asdict

from sam_cluster.core.config import Config
from sam_cluster.core.errors import EventError

from .children import Children
from .cost import this_process
from .events import EventDirectory
from .host import HostMeter
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
SWEEP_MICROSECONDS = 600_000_000
RETRY_MICROSECONDS = 1_000_000
LONGEST_WAIT_MILLISECONDS = 60_000
#: Where something lies among the events that an agent can do nothing about, systemd starts the next as soon
#: as it has ended: it stays so long, or a node would do nothing else.
LINGER_MICROSECONDS = 60_000_000
#: So old at most is what the status says of the agent's cost.
STATUS_MICROSECONDS = 60_000_000


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
        self._boot_id = boot_id
        self._readers = readers
        self._problems: list[str] = []
        self._reported: tuple[object, ...] = ()
        self._reported_at = 0
        self._taken: list[str] = []  # events that are taken, and not yet on disk in the journal
        self._next_sweep = 0
        self._began = clock.uptime_microseconds()
        self._stopping = False
        spool = Spool(str(config.spool))
        self._journal = Journal(spool.journal)
        host = HostMeter(str(config.powercap), os.cpu_count() or 1, clock) if config.host_energy else None
        self._node = NodeMeter(
            config, node, boot_id, clock, readers, self._journal, live_jobs, this_process, host
        )
        self._children = Children(spool, self._journal, str(config.store), account, self._report)
        self._inotify = Inotify()
        self._events: EventDirectory | None = None
        self._events_path = str(config.events)
        self._wake_reading, self._wake_writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, lock: AgentLock) -> None:
        """Meter until no run is open and all is sealed, until SIGTERM, or until another agent has the
        lock (whose file was removed): then nothing more is written."""
        self._catch_signals()
        for name in self._node.resume():
            self._report(f"journal set aside: {name} holds no run")
        while lock.keep():
            self._step()
            if self._stopping:
                break
            if self._is_done():
                lock.release()
                if not self._is_event_there() or not lock.acquire():
                    break
                continue
            self._wait()
        lock.release()
        self._node.close()

    def _catch_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _step(self) -> None:
        uptime = self._clock.uptime_microseconds()
        if events := self._opened_events():
            self._look_at(events, uptime)
        self._node.step()
        is_on_disk = self._node.flush()
        if is_on_disk and events:
            self._taken = [name for name in self._taken if not events.remove(name)]
        sealed, broken = self._children.collect(uptime)
        for name in sealed:
            self._node.complete.sealed(name)
        for name in broken:
            self._node.complete.broken(name)
        if is_on_disk:
            self._children.seal(self._node.complete.names, uptime)
        self._children.publish(uptime)
        self._write_status(uptime)

    def _opened_events(self) -> EventDirectory | None:
        """The directory of events, opened anew where it is another one by now; None: not possible now."""
        if self._events is not None and self._events.is_in_place():
            return self._events
        if self._events is not None:
            self._events.close()
            self._events = None
        try:
            events = EventDirectory(self._events_path)
            self._inotify.watch(events.descriptor)
        except (OSError, EventError) as error:
            self._report(f"no events can be seen: {error}")
            return None
        self._events = events
        return events

    def _look_at(self, events: EventDirectory, uptime: int) -> None:
        if uptime >= self._next_sweep:
            self._next_sweep = uptime + SWEEP_MICROSECONDS
            events.sweep(self._clock.now_microseconds())
        found, bad = events.take(self._boot_id, self._taken)
        for name in bad:
            events.set_aside(name)
            self._report(f"event set aside: {name}")
        for event in found:
            try:
                self._node.event(event)
            except EventError as error:
                events.set_aside(event.name)
                self._report(str(error))
            else:
                self._taken.append(event.name)

    def _is_event_there(self) -> bool:
        events = self._opened_events()
        return bool(events and events.names())

    def _is_done(self) -> bool:
        if self._node.open_runs or self._node.is_reading_idle or self._taken:
            return False
        can_see = self._events is not None and not self._events.is_stuck
        if not can_see and self._clock.uptime_microseconds() - self._began < LINGER_MICROSECONDS:
            return False
        if self._children.is_about_to_publish(self._clock.uptime_microseconds()):
            return False
        return self._children.gave_up or not self._node.complete.names

    def _wait(self) -> None:
        poll = select.poll()
        for descriptor in (self._inotify.descriptor, self._readers.wake, self._wake_reading):
            poll.register(descriptor, select.POLLIN)
        wait = self._node.next_step_microseconds() - self._clock.uptime_microseconds()
        is_pending = self._taken or self._node.complete.names or not self._node.open_runs
        if is_pending or self._events is None:
            wait = min(wait, RETRY_MICROSECONDS)
        poll.poll(min(max(wait // 1000 + 1, 1), LONGEST_WAIT_MILLISECONDS))
        self._inotify.drain()
        try:
            os.read(self._wake_reading, 4096)
        except BlockingIOError:
            pass

    def _report(self, text: str) -> None:
        if not self._problems or not self._problems[-1].endswith(f" {text}"):
            entry = f"{self._clock.now_microseconds() // 1_000_000} {text}"
            self._problems = [*self._problems, entry][-PROBLEMS_KEPT:]

    def _write_status(self, uptime: int) -> None:
        """For `sam-agent status` and `release`; written when it changes, and now and then what it costs."""
        runs = [run.name for run in self._node.open_runs]
        state = (runs, self._node.complete.names, self._problems, self._node.release_state)
        if state == self._reported and uptime - self._reported_at < STATUS_MICROSECONDS:
            return
        self._reported, self._reported_at = state, uptime
        cost = self._node.cost
        document = {
            "node": self._node_name,
            "process": os.getpid(),
            "runs": runs,
            "unsealed": state[1],
            "problems": state[2],
            "release": state[3],
            "cost": asdict(cost) if cost else None,
        }
        self._journal.write_state(STATUS_FILE, document)
