"""One GPU: its readings in the order of time, and the counter's value at any instant between them."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any

from sam_cluster.core.model import Sample
from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.boundary import POWER_LIMIT_MILLIWATTS, Brought, Reading, bring_to
from sam_cluster.energy.power import Power, integrate

from .ports import RawReading

READINGS_KEPT = 512
MARKS_KEPT = 64
SERIES_KEPT_MICROSECONDS = 60_000_000
#: No GPU draws more. A counter that moves further was not counting in between: it was replaced, or misread.
MOST_MILLIWATTS = 10_000_000
#: A counter moves in steps, so that a reading may hold what was drawn a little earlier.
STEP_MICROSECONDS = 1_000_000
#: Where a counter made of power begins: what was drawn before its first reading can be taken off.
MADE_UP_ORIGIN_MILLIJOULES = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A boundary that was settled: where energy was divided."""

    segment: str
    uptime_microseconds: int
    energy_millijoules: int


@dataclass(frozen=True, slots=True)
class Restart:
    """A segment ended: its last reading, and whether the counter has restarted from nothing since."""

    segment: str
    last: Reading
    from_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterState:
    """What is kept of a GPU while no agent runs, so that what lies between runs is known."""

    boot_id: str
    driver_version: str | None
    segment: str
    last: Reading
    chain: Mark | None
    power_only: bool
    unfollowed_until: int

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> MeterState:
        """Back from a document. Raises TypeError or KeyError where it is none."""
        chain = document["chain"]
        return cls(**{
            **document, "last": Reading(**document["last"]), "chain": Mark(**chain) if chain else None
        })  # fmt: skip


class GpuMeter:
    """The readings of one GPU since NVML was opened, in segments over which the counter only grew.

    A GPU without the counter gets one made of the integral of its power (`power_only`).
    """

    def __init__(
        self, uuid: str, boot_id: str, driver_version: str | None, limit_milliwatts: int | None = None
    ) -> None:
        self.uuid = uuid
        self.segment: str | None = None
        self.power_only = False
        self.unfollowed_until = 0  # up to this uptime a run held it and had no reading
        self._chain: Mark | None = None
        self._boot_id = boot_id
        self._driver_version = driver_version
        self._limit = limit_milliwatts
        self._readings: deque[Reading] = deque(maxlen=READINGS_KEPT)
        self._marks: deque[Mark] = deque(maxlen=MARKS_KEPT)
        self._unbroken_from = 0  # the first reading after the last break that was seen (uptime)
        self._series: deque[Power] = deque()
        self._kept: Reading | None = None  # the reading of the last sample that was kept
        self._unkept_energy: int | None = 0  # by the power series, since then

    @property
    def chain(self) -> Mark | None:
        """The last boundary, whoever's it was: what lies between it and the next start is idle."""
        chain = self._chain
        return chain if chain and chain.uptime_microseconds >= self.unfollowed_until else None

    @property
    def first(self) -> Reading | None:
        """The earliest reading of this segment that is still known."""
        return self._readings[0] if self._readings else None

    @property
    def last_kept(self) -> int | None:
        """When the last sample was kept (uptime)."""
        return self._kept.uptime_microseconds if self._kept else None

    @property
    def last(self) -> Reading | None:
        """The latest reading of this segment."""
        return self._readings[-1] if self._readings else None

    @property
    def state(self) -> MeterState | None:
        """What to keep of it; None before its first reading."""
        if self.segment is None or self.last is None:
            return None
        return MeterState(
            boot_id=self._boot_id,
            driver_version=self._driver_version,
            segment=self.segment,
            last=self.last,
            chain=self.chain,
            power_only=self.power_only,
            unfollowed_until=self.unfollowed_until,
        )

    def resume(self, state: MeterState) -> None:
        """Go on from what was kept. The segment goes on where the boot and, as far as it is known, the
        driver are the same; whether the counter did is seen at the next reading."""
        self._chain = state.chain
        if state.boot_id != self._boot_id:
            return
        self.unfollowed_until = state.unfollowed_until
        versions = {state.driver_version, self._driver_version} - {None}
        if len(versions) < 2 and not state.power_only:
            self.segment = state.segment
            self._readings.append(replace(state.last, power_milliwatts=None))
            if state.chain and state.chain.segment == state.segment:
                self._marks.append(state.chain)

    def take(
        self, raw: RawReading, at_microseconds: int, *, keep: bool
    ) -> tuple[Sample | None, Restart | None]:
        """Take in a reading: the sample that stands for it and those since the one kept before (where
        it is to be kept), and whether the counter restarted before it."""
        self._extend_series(raw.power)
        last = self.last
        uptime = raw.uptime_microseconds
        power_energy = integrate(self._recent(last), last.uptime_microseconds, uptime) if last else None
        power = self._series[-1][1] if self._series else None
        power_only = raw.counter_millijoules is None
        restart = self._break_before(raw, power_only=power_only)
        self.power_only = power_only
        counter = raw.counter_millijoules
        if counter is None:
            counter = self._made_up_counter(None if restart else last, uptime, power_energy, power)
        if restart:
            self._unbroken_from = uptime
        if self.segment is None:
            self.segment = f"{self._boot_id[:8]}.{uptime}"
        reading = Reading(uptime, counter, power)
        self._readings.append(reading)
        unkept = self._unkept_energy
        self._unkept_energy = None if unkept is None or power_energy is None else unkept + power_energy
        return self._sample(reading, raw, at_microseconds) if keep else None, restart

    def _break_before(self, raw: RawReading, *, power_only: bool) -> Restart | None:
        """Whether a reading does not go on from the last one. A counter that goes down has restarted; it
        never wraps."""
        last, counter = self.last, raw.counter_millijoules
        if last is None or self.segment is None:
            return None
        from_zero = False
        if power_only == self.power_only:
            if counter is None:
                return None
            span = raw.uptime_microseconds - last.uptime_microseconds + STEP_MICROSECONDS
            most = millijoules_from_power(MOST_MILLIWATTS, span)
            if 0 <= counter - last.counter_millijoules <= most:
                return None
            from_zero = counter < last.counter_millijoules and counter <= most
        restart = Restart(self.segment, last, from_zero)
        self.segment = None
        self._readings.clear()
        self._marks.clear()
        if from_zero:  # and was at nothing no earlier than that
            self._readings.append(Reading(last.uptime_microseconds, 0))
        return restart

    def _sample(self, reading: Reading, raw: RawReading, at_microseconds: int) -> Sample:
        uptime = reading.uptime_microseconds
        span = uptime - self._kept.uptime_microseconds if self._kept else 0
        energy = self._unkept_energy if span else None
        self._kept, self._unkept_energy = reading, 0
        mean = None if energy is None else energy * 1_000_000 // span
        return Sample(
            gpu_uuid=self.uuid,
            at_microseconds=at_microseconds,
            uptime_microseconds=uptime,
            counter_millijoules=raw.counter_millijoules,
            power_energy_millijoules=energy,
            power_milliwatts=reading.power_milliwatts if mean is None else mean,
        )

    def at(self, instant: int, known: Reading | None = None) -> Brought | None:
        """The counter at an instant (uptime) no later than the last reading; None where the readings
        do not reach back to it. It never contradicts a boundary that was settled before.

        `known` is what a run knows of this segment from before the instant: an agent that has just started
        has no reading of its own from there."""
        after = next((r for r in self._readings if r.uptime_microseconds >= instant), None)
        if after is None:
            return None
        before = next((r for r in reversed(self._readings) if r.uptime_microseconds <= instant), None)
        if before is None and known and known.counter_millijoules <= after.counter_millijoules:
            before = known
        brought = bring_to(instant, before, after, list(self._series), self._limit)
        if brought is None:
            return None
        if self.is_broken_after(instant):
            drawn = millijoules_from_power(self._limit or POWER_LIMIT_MILLIWATTS, brought.lag_microseconds)
            doubt = max(brought.uncertainty_millijoules, drawn)
            brought = replace(brought, uncertainty_millijoules=doubt)
        energy = brought.energy_millijoules
        for mark in self._marks:
            if mark.uptime_microseconds == instant:
                return replace(brought, energy_millijoules=mark.energy_millijoules)
            if mark.uptime_microseconds < instant:
                energy = max(energy, mark.energy_millijoules)
        for mark in self._marks:
            if mark.uptime_microseconds > instant:
                energy = min(energy, mark.energy_millijoules)
        return replace(brought, energy_millijoules=energy)

    def is_broken_after(self, instant: int) -> bool:
        """Whether the counter is known to have restarted between an instant (uptime) and the first reading
        after it, or shortly before the instant: some of what was drawn since may not have been counted."""
        return instant < self._unbroken_from

    def mark(self, uptime: int, energy_millijoules: int) -> None:
        """Remember a settled boundary of this segment."""
        assert self.segment is not None
        mark = Mark(self.segment, uptime, energy_millijoules)
        self._marks.append(mark)
        chain = self._chain
        if not chain or chain.segment != mark.segment or chain.uptime_microseconds <= uptime:
            self._chain = mark

    def _extend_series(self, power: tuple[Power, ...]) -> None:
        last = self._series[-1][0] if self._series else -1
        for point in power:
            if point[0] > last:
                self._series.append(point)
                last = point[0]
        while self._series and self._series[0][0] < self._series[-1][0] - SERIES_KEPT_MICROSECONDS:
            self._series.popleft()

    def _recent(self, last: Reading | None) -> list[Power]:
        """The end of the series, from just before the last reading on."""
        recent: list[Power] = []
        for point in reversed(self._series):
            recent.append(point)
            if last and point[0] < last.uptime_microseconds:
                break
        return recent[::-1]

    def _made_up_counter(
        self, last: Reading | None, uptime: int, power_energy: int | None, power: int | None
    ) -> int:
        """The integral of power since the segment began. What the series leaves open, the mean of the
        power at both ends fills."""
        if last is None:
            return MADE_UP_ORIGIN_MILLIJOULES
        if power_energy is None:
            mean = ((last.power_milliwatts or power or 0) + (power or 0)) // 2
            power_energy = mean * (uptime - last.uptime_microseconds) // 1_000_000
        return last.counter_millijoules + power_energy
