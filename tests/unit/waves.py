"""A GPU for the simulated node with the counter of the bench: any waveform, and the exact truth."""

from __future__ import annotations

from pathlib import Path

from sam_cluster.agent.ports import Clock, GpuInfo, RawReading
from sam_cluster.core.model import Flag, Kind, Shard
from sam_cluster.simulation.gpus import SimulatedReaders
from tests.bench.nvml.waveform import Counter, Epoch, History, Segment, Waveform

from .simulated_node import SECOND, SimulatedNode, uuid_of

LIMIT_MILLIWATTS = 700_000
MILLIWATTS = 1000
RING_MICROSECONDS = 24 * SECOND


def steps(low: int, high: int, period: int) -> Waveform:
    """Half a period at one power, half at another (watts, microseconds)."""
    halves = (
        Segment(0, low * MILLIWATTS, low * MILLIWATTS),
        Segment(period // 2, high * MILLIWATTS, high * MILLIWATTS),
    )
    return Waveform(halves, period)


def constant(watts: int) -> Waveform:
    return Waveform((Segment(0, watts * MILLIWATTS, watts * MILLIWATTS),))


class WaveGpu:
    """Answers as SimulatedGpu does. `sample_us`: spacing of the driver's ring; None: there is none, and power
    is what it is at each look."""

    def __init__(
        self,
        clock: Clock,
        waveform: Waveform,
        *,
        base: int = 10**9,
        counter_ppm: int = 10**6,
        sensor_ppm: int = 10**6,
        step_us: int = 100_000,
        phase_us: int = 0,
        sample_us: int | None = 100_000,
    ) -> None:
        self.info = GpuInfo(
            uuid=uuid_of(0), index=0, name="W", minor=0, power_limit_milliwatts=LIMIT_MILLIWATTS
        )
        self._clock = clock
        now = clock.uptime_microseconds()
        self._begun = now
        self.history = History.starting(now, waveform)
        self.counter = Counter(self.history, step_us, phase_us, [Epoch(now, base, counter_ppm)])
        self._sensor_ppm = sensor_ppm
        self._sample_us = sample_us
        self._looked = now - 1

    def draw(self, waveform: Waveform) -> None:
        self.history.replace(self._clock.uptime_microseconds(), waveform)

    def reset(self) -> None:
        self.counter.reset(self._clock.uptime_microseconds(), 0)

    def truth(self, start: int, end: int) -> float:
        return float(self.history.millijoules(start, end))

    def look(self) -> RawReading:
        now = self._clock.uptime_microseconds()
        instants = [now]
        if self._sample_us:
            first = self._looked - self._looked % self._sample_us + self._sample_us
            held = range(first, now + 1, self._sample_us)
            instants = list(held[-(RING_MICROSECONDS // self._sample_us) :])
        self._looked = now
        return RawReading(
            uptime_microseconds=now,
            counter_millijoules=self.counter.millijoules(now),
            power=tuple((at, self._power(at)) for at in instants),
            ring_microseconds=RING_MICROSECONDS if self._sample_us else 0,
        )

    def _power(self, at: int) -> int:
        nanojoules = (self.history.half_nanojoules(at + 10) - self.history.half_nanojoules(at)) // 20
        return nanojoules * self._sensor_ppm // 10**6


class WaveNode(SimulatedNode):
    """A node with one such GPU."""

    def __init__(self, directory: Path, waveform: Waveform, **gpu: int | None) -> None:
        super().__init__(directory)
        self.gpu = WaveGpu(self.clock, waveform, **gpu)  # type: ignore[arg-type]
        self.readers = SimulatedReaders([self.gpu])  # type: ignore[list-item]
        self.start_agent()

    def run(self, seconds: float) -> Shard:
        """A run of so long, and what is sealed of it."""
        self.prolog(7)
        self.wait(seconds)
        self.epilog(7)
        self.wait(2)
        (shard,) = self.shards()
        return shard

    def truth_of(self, shard: Shard) -> float:
        """What was drawn between the first and the last boundary."""
        start, end = shard.boundaries[0], shard.boundaries[-1]
        assert (start.kind, end.kind) == (Kind.START, Kind.END)
        return self.gpu.truth(start.uptime_microseconds, end.uptime_microseconds)


def doubt_of(shard: Shard) -> int:
    """The uncertainty that the boundaries state, and the sensor's 5 % of what was bridged."""
    outer = [b for b in shard.boundaries if b.kind is not Kind.HOUR]
    bridged = sum(b.bridged_millijoules or 0 for b in outer)
    return sum(b.uncertainty_millijoules for b in outer) + bridged // 20 + 1


def flags_of(shard: Shard) -> set[Flag]:
    """But for how the GPU was found."""
    return set(shard.flags) - {Flag.ASSUMED_GPU}
