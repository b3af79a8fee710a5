"""What the agent needs of the world: a clock, and somebody who reads GPUs. No vendor here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from sam_cluster.core.model import Reason
from sam_cluster.energy.power import Power
from sam_cluster.energy.quiet import Use


class Clock(Protocol):
    """Two clocks: `uptime` only ever grows, also while the node sleeps; `now` may jump."""

    def uptime_microseconds(self) -> int:
        """CLOCK_BOOTTIME, as /proc/uptime shows it."""

    def now_microseconds(self) -> int:
        """UTC since 1970."""


class SystemClock:
    """The clocks of this machine."""

    def uptime_microseconds(self) -> int:
        """CLOCK_BOOTTIME, as /proc/uptime shows it."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def now_microseconds(self) -> int:
        """UTC since 1970."""
        return time.time_ns() // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuInfo:
    """A GPU as the driver shows it. `index` is NVML's, which need not be Slurm's or the kernel's."""

    uuid: str
    index: int
    name: str
    minor: int | None = None
    power_limit_milliwatts: int | None = None
    mig_uuids: tuple[str, ...] | None = None  # None where MIG is off
    mig_slices: tuple[int | None, ...] = ()  # compute slices of each, where the driver says it
    is_module: bool = False  # readings are of a module with a CPU in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a driver has. `missing` are GPUs that did not say who they are, by NVML's index, and why."""

    driver_version: str | None
    gpus: tuple[GpuInfo, ...]
    missing: Mapping[int, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReading:
    """What one look at a GPU gave. `counter_millijoules` is None on a GPU without the counter.

    `power` is what was drawn since the look before: (uptime, milliwatts), in the order of time, and `use`
    how busy it was: (uptime, percent);
    `ring_microseconds` how much time the driver itself keeps of it, 0 where it keeps none.
    """

    uptime_microseconds: int
    counter_millijoules: int | None
    power: tuple[Power, ...] = ()
    use: tuple[Use, ...] = ()
    ring_microseconds: int = 0


class Remedy(Enum):
    """What to do about a call that failed."""

    AGAIN = auto()  # ask again, at once and then at the next reading
    FALL_BACK = auto()  # this GPU or driver has no such thing: the other meter
    CLOSE = auto()  # this GPU gives nothing more until NVML is opened anew; the others go on
    REOPEN = auto()  # open NVML anew, in a while


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls into a driver: all so far and what they took, and the longest since the last look at them."""

    count: int = 0
    microseconds: int = 0
    longest_microseconds: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """NVML answered: these GPUs are there."""

    inventory: Inventory


@dataclass(frozen=True, slots=True)
class OpenFailed:
    """NVML did not answer."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Read:
    """A look at a GPU succeeded."""

    uuid: str
    reading: RawReading


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A look at a GPU failed."""

    uuid: str
    reason: Reason
    remedy: Remedy = Remedy.AGAIN


Answer = Opened | OpenFailed | Read | ReadFailed


class Driver(Protocol):
    """NVML, one blocking call at a time. Raises DriverError."""

    def open(self) -> Inventory:
        """Initialise and list the GPUs."""

    def read(self, uuid: str) -> RawReading:
        """The counter, and the power since the last look."""

    def close(self) -> None:
        """Let go of the driver."""

    def calls(self) -> Calls:
        """What it took so far."""


class DriverError(Exception):
    """Raised by a Driver."""

    def __init__(self, reason: Reason, remedy: Remedy = Remedy.AGAIN) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.remedy = remedy


class Readers(Protocol):
    """NVML without waiting: what is asked for is answered later, or never, in `answers`."""

    def open(self) -> None:
        """Ask for the inventory."""

    def read(self, uuid: str) -> None:
        """Ask for a reading; asking again before the answer came does nothing more."""

    def close(self) -> None:
        """Let go of NVML as soon as may be."""

    def answers(self) -> list[Answer]:
        """What has arrived since the last call."""

    def overdue(self) -> bool:
        """Whether a call has been hanging for longer than a call may."""

    def under_way(self) -> tuple[str, ...]:
        """What is being asked for at this moment: GPUs, by UUID, and NVML itself."""

    def is_closed(self) -> bool:
        """Whether this process has let go of NVML, and is not about to open it."""

    def calls(self) -> Calls:
        """What the calls into the driver took so far."""
