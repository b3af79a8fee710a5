"""One GPU: its readings in the order of time, and the counter's value at any instant between them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from sam_cluster.core.model import Sample
from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.boundary import POWER_LIMIT_MILLIWATTS, Brought, Reading, bring_to
from sam_cluster.energy.quiet import QuietSeries
from sam_cluster.energy.segments import Course, course
from sam_cluster.energy.series import Drawn, PowerSeries

from .ports import RawReading
from .restart import Restart, bridged
from .states import Mark, MeterState

READINGS_KEPT = 512
MARKS_KEPT = 64
#: Where a counter made of power begins: what was drawn before its first reading can be taken off.
MADE_UP_ORIGIN_MILLIJOULES = 1_000_000_000_000


class GpuMeter:
    """The readings of one GPU since NVML was opened, in segments over which the counter only grew.

    A GPU without the counter gets one made of the integral of its power (`power_only`).
    """

    def __init__(
        self,
        uuid: str,
        boot_id: str,
        driver_version: str | None,
        limit_milliwatts: int | None = None,
        before: GpuMeter | None = None,
    ) -> None:
        """`before`: the meter of this GPU while NVML was open the last time: its power is not forgotten."""
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
        self.series: PowerSeries = before.series if before else PowerSeries()
        self._quiet: QuietSeries = before._quiet if before else QuietSeries()
        self.is_doubtful = False  # the handle was lost or let go of since the last reading
        self._ended: MeterState | None = None  # of a segment that is known to be over
        self._drawn: Drawn | None = (
            before._drawn if before else None
        )  # by the power series, to the last reading
        self._record = 0, Drawn()  # of this segment: what was counted while the series covered it, and drawn
        self._kept: Reading | None = None  # the reading of the last sample that was kept
        self._unkept_energy: int | None = 0  # by the power series, since then

    @property
    def chain(self) -> Mark | None:
        """The last boundary, whoever's it was: what lies between it and the next start is idle."""
        chain = self._chain
        return chain if chain and chain.uptime_microseconds >= self.unfollowed_until else None

    def chain_before(self, uptime: int) -> Mark | None:
        """The last boundary that is no later than an instant (uptime): an event may have been on its way
        while the GPU was read."""
        chain = self.chain
        if chain is None or chain.segment != self.segment or chain.uptime_microseconds <= uptime:
            return chain
        before = [mark for mark in self._marks if mark.uptime_microseconds <= uptime]
        last = max(before, key=lambda mark: mark.uptime_microseconds, default=None)
        return last if last and last.uptime_microseconds >= self.unfollowed_until else None

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
            is_doubtful=self.is_doubtful,
        )

    def resume(self, state: MeterState) -> None:
        """Go on from what was kept. The segment goes on where the boot and, as far as it is known, the
        driver are the same; whether the counter did is seen at the next reading. Else it ended at its last.
        """
        self._chain = state.chain
        if state.boot_id != self._boot_id:
            return
        self.unfollowed_until = state.unfollowed_until
        versions = {state.driver_version, self._driver_version} - {None}
        self.is_doubtful = state.is_doubtful
        if len(versions) > 1 or state.power_only:
            self._ended = state
        else:
            self.segment = state.segment
            self._readings.append(replace(state.last, power_milliwatts=None))
            if state.chain and state.chain.segment == state.segment:
                self._marks.append(state.chain)

    def take(
        self, raw: RawReading, at_microseconds: int, *, keep: bool, is_held: bool
    ) -> tuple[Sample | None, Restart | None]:
        """Take in a reading: the sample that stands for it and those since the one kept before (where
        it is to be kept), and whether the counter restarted before it. `is_held`: by a run, all along."""
        self.series.extend(raw.power)
        self._quiet.extend(raw.use, self.series)
        last = self.last
        uptime = raw.uptime_microseconds
        drawn = self._drawn_since(last, uptime)
        power_energy = max(drawn.millijoules, 0) if drawn else None
        power = self.series.latest_milliwatts
        power_only = raw.counter_millijoules is None
        restart = self._break_before(raw, drawn, power_only=power_only, is_held=is_held)
        self.power_only, self.is_doubtful = power_only, False
        if last and drawn and not restart and raw.counter_millijoules is not None:
            counted, before = self._record
            counted += raw.counter_millijoules - last.counter_millijoules
            self._record = counted, before + drawn
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

    def drawn_until(self, instant: int) -> Drawn | None:
        """By the power series, up to an instant, with what of it the GPU did nothing in."""
        drawn = self.series.until(instant)
        return drawn and replace(drawn, quiet=self._quiet.until(instant, self.series))

    def _drawn_since(self, last: Reading | None, uptime: int) -> Drawn | None:
        """By the power series, since the last reading; None where it does not cover all of that."""
        before, self._drawn = self._drawn, self.series.until(uptime)
        if last is None or self._drawn is None:
            return None
        if before is None and (before := self.series.until(last.uptime_microseconds)) is None:
            return None
        drawn = self._drawn - before
        return drawn if drawn.covered_microseconds >= uptime - last.uptime_microseconds else None

    def _break_before(
        self, raw: RawReading, drawn: Drawn | None, *, power_only: bool, is_held: bool
    ) -> Restart | None:
        """Whether a reading does not go on from the last one."""
        counter, uptime = raw.counter_millijoules, raw.uptime_microseconds
        ended, self._ended = self._ended, None
        if ended and not is_held:
            return None
        segment, last = (ended.segment, ended.last) if ended else (self.segment, self.last)
        was_power_only = ended.power_only if ended else self.power_only
        if last is None or segment is None:
            return None
        took = Course.BROKEN
        if power_only and was_power_only and not ended:
            took = Course.WENT_ON
        elif counter is not None and not was_power_only:
            took = course(
                last.counter_millijoules, counter, uptime - last.uptime_microseconds, drawn, self._record,
                self._limit, is_doubtful=self.is_doubtful,
            )  # fmt: skip
        if took is Course.WENT_ON and not ended:
            return None
        from_zero = took is Course.FROM_ZERO
        counted = counter or 0 if from_zero else 0
        gap = drawn or self.series.between(last.uptime_microseconds, uptime)
        self.segment, self._record = None, (0, Drawn())
        self._readings.clear()
        self._marks.clear()
        # All that it shows was counted since then, or, as far as the runs in between are concerned, nothing.
        if from_zero or is_held:
            shown = MADE_UP_ORIGIN_MILLIJOULES if counter is None else counter
            self._readings.append(Reading(last.uptime_microseconds, 0 if from_zero else shown))
        span = uptime - last.uptime_microseconds
        restart = Restart(segment=segment, last=last, power_only=was_power_only, gap_microseconds=span)
        if gap is None or self._drawn is None:
            return restart
        return bridged(restart, gap, counted, self._drawn, self.series.latest_milliwatts, self._limit)

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
        brought = bring_to(instant, before, after, list(self.series.points), self._limit)
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

    @property
    def limit_milliwatts(self) -> int | None:
        """What the GPU may draw, where the driver says it."""
        return self._limit

    def is_broken_after(self, instant: int) -> bool:
        """Whether the counter is known to have restarted between an instant (uptime) and the first reading
        after it, or shortly before the instant: some of what was drawn since may not have been counted."""
        return instant < self._unbroken_from

    def mark(self, uptime: int, energy_millijoules: int, at_microseconds: int) -> None:
        """Remember a settled boundary of this segment, on both clocks."""
        assert self.segment is not None
        mark = Mark(self.segment, uptime, energy_millijoules, at_microseconds)
        self._marks.append(mark)
        chain = self._chain
        if not chain or chain.segment != mark.segment or chain.uptime_microseconds <= uptime:
            self._chain = mark

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
