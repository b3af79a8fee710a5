"""NVML in threads: one for opening and closing, one for each GPU, so that a call that hangs stops
neither the events nor the other GPUs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from sam_cluster.core.model import Reason

from .ports import Answer, Calls, Clock, Driver, DriverError, Opened, OpenFailed, Read, ReadFailed

#: A call that takes longer is said to hang.
DEADLINE_MICROSECONDS = 5_000_000
STACK_BYTES = 256 * 1024
NVML = "nvml"


class _Worker:
    """One thread that does one thing at a time; a request while it is busy is remembered once."""

    def __init__(
        self, name: str, work: Callable[[], None], clock: Clock, done: Callable[[], None] | None = None
    ) -> None:
        self._clock = clock
        self._work = work
        self._done = done
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._asked = 0
        self._busy_since: int | None = None
        threading.Thread(target=self._loop, name=name, daemon=True).start()

    def ask(self) -> None:
        """Do it, and once more if it is under way: what is under way may have begun too early."""
        with self._lock:
            if self._asked < 2:
                self._asked += 1
                self._wanted.put(None)

    @property
    def is_asked(self) -> bool:
        """Whether it has something to do, or is at it."""
        return self._asked > 0

    def overdue(self) -> bool:
        """Whether it has been at one call for longer than a call may take."""
        since = self._busy_since
        return since is not None and self._clock.uptime_microseconds() - since > DEADLINE_MICROSECONDS

    def _loop(self) -> None:
        while True:
            self._wanted.get()
            self._busy_since = self._clock.uptime_microseconds()
            try:
                self._work()
            finally:
                self._busy_since = None
                with self._lock:
                    self._asked -= 1
                if self._done:
                    self._done()


class ThreadedReaders:
    """Readers on a Driver. `wake` is a descriptor that becomes readable when an answer arrives."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        threading.stack_size(STACK_BYTES)
        self._driver = driver
        self._clock = clock
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._gpus: dict[str, _Worker] = {}
        self._open = False
        self._close_wanted = False
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._control = _Worker(NVML, self._open_or_close, clock, self._tell)

    def open(self) -> None:
        """Ask for the inventory."""
        self._close_wanted = False
        self._control.ask()

    def read(self, uuid: str) -> None:
        """Ask for a reading."""
        if uuid not in self._gpus:
            self._gpus[uuid] = _Worker(uuid, lambda: self._read(uuid), self._clock)
        self._gpus[uuid].ask()

    def close(self) -> None:
        """Let go of NVML. The threads stay for the next time: one that hangs is not followed by another."""
        self._close_wanted = True
        self._control.ask()

    def answers(self) -> list[Answer]:
        """What has arrived since the last call."""
        try:
            os.eventfd_read(self.wake)
        except BlockingIOError:
            pass
        arrived = []
        while not self._answers.empty():
            arrived.append(self._answers.get())
        return arrived

    def overdue(self) -> bool:
        """Whether a call has been hanging for longer than a call may."""
        return self._control.overdue() or any(worker.overdue() for worker in self._gpus.values())

    def under_way(self) -> tuple[str, ...]:
        """What is being asked for at this moment."""
        asked = sorted(uuid for uuid, worker in self._gpus.items() if worker.is_asked)
        return (NVML, *asked) if self._control.is_asked else tuple(asked)

    def is_closed(self) -> bool:
        """Whether NVML is closed, and nothing is asked that could open it."""
        return not self._open and not self._control.is_asked

    def calls(self) -> Calls:
        """What the driver's calls took so far."""
        return self._driver.calls()

    def _answer(self, answer: Answer) -> None:
        self._answers.put(answer)
        self._tell()

    def _tell(self) -> None:
        os.eventfd_write(self.wake, 1)

    def _open_or_close(self) -> None:
        if self._open:
            self._driver.close()
            self._open = False
        if self._close_wanted:
            return
        try:
            inventory = self._driver.open()
        except DriverError as error:
            self._answer(OpenFailed(error.reason))
        except Exception:  # whatever a library may do, the thread goes on
            self._answer(OpenFailed(Reason.NVML_ABSENT))
        else:
            self._open = True
            self._answer(Opened(inventory))

    def _read(self, uuid: str) -> None:
        try:
            self._answer(Read(uuid, self._driver.read(uuid)))
        except DriverError as error:
            self._answer(ReadFailed(uuid, error.reason, error.remedy))
        except Exception:  # whatever a library may do, the thread goes on
            self._answer(ReadFailed(uuid, Reason.NVML_FAILED))
