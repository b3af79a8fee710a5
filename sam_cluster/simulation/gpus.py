"""GPUs whose power is a staircase, so that their energy is known to the millijoule."""

from __future__ import annotations

from sam_cluster.agent.ports import (
    Answer,
    Calls,
    Clock,
    DriverError,
    GpuInfo,
    Inventory,
    Opened,
    OpenFailed,
    RawReading,
    Read,
    ReadFailed,
)
from sam_cluster.energy.power import Power

RING_MICROSECONDS = 3_600_000_000


class SimulatedGpu:
    """One GPU: constant power from each call of `set_power` to the next.

    `ring_microseconds` is the spacing of its power samples; None leaves only where power changed.
    """

    def __init__(
        self, info: GpuInfo, clock: Clock, power_milliwatts: int, ring_microseconds: int | None = 1_000_000
    ) -> None:
        self.info = info
        self.has_counter = True
        self._ring = ring_microseconds
        self._clock = clock
        self._power = power_milliwatts
        self._since = clock.uptime_microseconds()
        self._milliwatt_microseconds = 0
        self._restarted_at = 0
        self._steps: list[Power] = [(self._since, power_milliwatts)]

    def set_power(self, power_milliwatts: int) -> None:
        """From now on it draws so much."""
        self._settle()
        self._fill(self._since)
        self._steps += [(self._since, self._power), (self._since + 1, power_milliwatts)]
        self._power = power_milliwatts

    def reset(self) -> None:
        """The counter starts anew; what was drawn before stays drawn."""
        self._settle()
        self._restarted_at = self._milliwatt_microseconds

    def energy_millijoules(self) -> int:
        """All it drew since it was made, whole millijoules."""
        self._settle()
        return self._milliwatt_microseconds // 1_000_000

    def look(self) -> RawReading:
        """What NVML would say."""
        self._settle()
        self._fill(self._since)
        power = [*self._steps, (self._since, self._power)]
        self._steps = [(self._since, self._power)]
        counter = (self._milliwatt_microseconds - self._restarted_at) // 1_000_000
        return RawReading(
            uptime_microseconds=self._since,
            counter_millijoules=counter if self.has_counter else None,
            power=tuple(power),
            ring_microseconds=RING_MICROSECONDS,
        )

    def _fill(self, until: int) -> None:
        if self._ring:
            first = self._steps[-1][0] + self._ring
            self._steps += [(at, self._power) for at in range(first, until, self._ring)]

    def _settle(self) -> None:
        now = self._clock.uptime_microseconds()
        self._milliwatt_microseconds += self._power * (now - self._since)
        self._since = now


class SimulatedReaders:
    """Readers on simulated GPUs, that answer at once unless they are told to fail or to hang."""

    def __init__(self, gpus: list[SimulatedGpu], driver_version: str = "simulated") -> None:
        self.gpus = {gpu.info.uuid: gpu for gpu in gpus}
        self.driver_version = driver_version
        self.failing: dict[str | None, DriverError] = {}  # None: NVML as a whole
        self.hanging = False
        self.is_open = False
        self.is_stuck = False  # what is open cannot be closed now
        self._answers: list[Answer] = []
        self._asked: list[str] = []

    def open(self) -> None:
        """Ask for the inventory."""
        if None in self.failing:
            self._answers.append(OpenFailed(self.failing[None].reason))
            return
        self.is_open = True
        gpus = tuple(gpu.info for gpu in self.gpus.values())
        self._answers.append(Opened(Inventory(driver_version=self.driver_version, gpus=gpus)))

    def read(self, uuid: str) -> None:
        """Ask for a reading; it is taken when the answers are asked for."""
        if uuid not in self._asked:
            self._asked.append(uuid)

    def close(self) -> None:
        """Let go."""
        self.is_open = self.is_open and self.is_stuck
        self._asked = []

    def answers(self) -> list[Answer]:
        """What arrived."""
        if self.hanging:
            return []
        for uuid in self._asked:
            if uuid in self.failing:
                error = self.failing[uuid]
                self._answers.append(ReadFailed(uuid, error.reason, error.remedy))
            else:
                self._answers.append(Read(uuid, self.gpus[uuid].look()))
        self._asked = []
        arrived, self._answers = self._answers, []
        return arrived

    def overdue(self) -> bool:
        """Whether NVML hangs."""
        return self.hanging

    def under_way(self) -> tuple[str, ...]:
        """What hangs."""
        return ("nvml",) if self.is_stuck else ()

    def is_closed(self) -> bool:
        """Whether it was let go of."""
        return not self.is_open

    def calls(self) -> Calls:
        """None: nothing is called."""
        return Calls()
