"""A stand-in for the driver's ``libnvidia-ml.so.1``: control it, and know the truth.

Every process that finds the library through ``Standin.environment()`` maps one state file. What the
controller changes there is in force at once in all of them, and what the GPUs truly drew is known exactly.
Times are microseconds of the stand-in's one clock, power is in milliwatts, and a GPU is named by its
physical number (not by its NVML index, which ``set_order`` changes).
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from sam_cluster.standin import profiles, state
from sam_cluster.standin.library import build, shared_library
from sam_cluster.standin.waveform import Counter, Epoch, History, Segment, Waveform, whole_millijoules

__all__ = ["Standin", "build"]


class Standin:
    """The controller of one state file: the GPUs of one machine.

    Once there is one, a ``pynvml`` in this same process also finds the stand-in, by the library's name; it
    says that there is no NVML unless the environment of this process names a state file.
    """

    def __init__(self, path: Path, library: Path) -> None:
        """Map the state file at ``path``; ``create`` writes it first."""
        self.path, self.library = path, library
        self._c = ctypes.CDLL(str(library))
        self._c.standin_state_size.restype = ctypes.c_size_t
        if (size := self._c.standin_state_size()) != ctypes.sizeof(state.State):
            raise RuntimeError(f"state.py has {ctypes.sizeof(state.State)} bytes where state.h has {size}")
        with path.open("r+b") as file:
            self._state = state.State.from_buffer(mmap.mmap(file.fileno(), size))
        self._lock = threading.Lock()
        self._counters: list[Counter] = []

    @classmethod
    def create(cls, path: Path, gpus: int = 4, *, manual_clock: bool = False, library: Path | None = None,
               **defaults: str | int) -> Standin:  # fmt: skip
        """Write a fresh state file: the driver is loaded now, every counter is 0, every GPU idle.

        ``defaults`` override ``profiles.SYSTEM`` and, for every GPU, ``profiles.H100``. A manual clock
        stands still, at one second, until ``set_clock`` or ``advance``.
        """
        if not 1 <= gpus <= state.MAX_GPUS:
            raise ValueError(f"{gpus} GPUs: the stand-in has 1 to {state.MAX_GPUS}")
        of_system = {name: value for name, value in defaults.items() if name in profiles.SYSTEM}
        of_gpu = {name: value for name, value in defaults.items() if name not in profiles.SYSTEM}
        empty = path.with_name(f"{path.name}.new")  # clients of a former one keep the file that they mapped
        empty.write_bytes(bytes(ctypes.sizeof(state.State)))
        empty.replace(path)
        standin = cls(path, library or shared_library())
        system = standin._state.system
        system.manual_clock, system.now_us, system.gpu_count = manual_clock, 1_000_000, gpus
        system.epoch_offset_us = time.time_ns() // 1000 - standin.now_us()
        _assign(system, profiles.SYSTEM | of_system, profiles.SYSTEM)
        for gpu in range(gpus):
            standin.configure(gpu, **(profiles.H100 | of_gpu))
            standin._load_driver(gpu)
        standin.set_order(range(gpus))
        standin._state.magic, standin._state.version = state.MAGIC, state.VERSION
        return standin

    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment to find this stand-in."""
        return {"LD_LIBRARY_PATH": str(self.library.parent), "SAM_STANDIN_STATE": str(self.path)}

    # ---- clock ----

    def now_us(self) -> int:
        if self._state.system.manual_clock:
            return self._state.system.now_us
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def epoch_us(self) -> int:
        """The time in microseconds since 1970 that NVML's stamps are in."""
        return self.now_us() + self._state.system.epoch_offset_us

    def set_clock(self, now_us: int) -> None:
        """Move the manual clock, forwards: what was drawn is not drawn again."""
        with self._changing() as before_us:
            if not self._state.system.manual_clock or now_us < before_us:
                raise ValueError(f"only a manual clock is set, and not from {before_us} to {now_us} us")
            self._state.system.now_us = now_us

    def advance(self, us: int) -> None:
        self.set_clock(self.now_us() + us)

    # ---- power ----

    def set_waveform(self, gpu: int, segments: Sequence[tuple[int, int, int]],
                     period_us: int | None = None) -> None:  # fmt: skip
        """From now on draw ``(start_us, start_mw, end_mw)``, ...; what was drawn before stays as it was."""
        if len(segments) > state.MAX_SEGMENTS:
            raise ValueError(f"{len(segments)} segments: the stand-in holds {state.MAX_SEGMENTS}")
        waveform = Waveform(tuple(Segment(*segment) for segment in segments), period_us)
        with self._changing() as now_us:
            self._counters[gpu].history.replace(now_us, waveform)
            self._publish(gpu, now_us)

    def constant(self, gpu: int, mw: int) -> None:
        self.set_waveform(gpu, [(self.now_us(), mw, mw)])

    def square(self, gpu: int, low_mw: int, high_mw: int, period_us: int) -> None:
        """Half a period low, half a period high, from now on."""
        now_us = self.now_us()
        halves = [(now_us, low_mw, low_mw), (now_us + period_us // 2, high_mw, high_mw)]
        self.set_waveform(gpu, halves, period_us)

    def truth_millijoules(self, gpu: int, t0_us: int, t1_us: int) -> Fraction:
        """What the GPU truly draws between two instants, whatever its counter and sensors say."""
        return self._counters[gpu].history.millijoules(t0_us, t1_us)

    # ---- counter ----

    def reset(self, gpu: int, base: int = 0, at_us: int | None = None) -> int:
        """Let the counter start again from ``base`` millijoules, now or at a time to come; returns when."""
        with self._changing() as now_us:
            if at_us is not None and at_us < now_us:
                raise ValueError(f"a reset at {at_us} us is {now_us - at_us} us too late")
            if self._counters[gpu].resets_after(now_us) >= state.MAX_EPOCHS - 1:
                raise ValueError(f"the stand-in holds {state.MAX_EPOCHS - 1} resets to come")
            when_us = now_us if at_us is None else at_us
            self._counters[gpu].reset(when_us, base)
            self._publish(gpu, now_us)
        return when_us

    def set_counter(self, gpu: int, *, gain_ppm: int | None = None, step_us: int | None = None,
                    phase_us: int | None = None) -> None:  # fmt: skip
        """Let the counter count otherwise from now on, without a jump.

        It shows ``gain_ppm`` millionths of the truth (0: it is frozen), as of the last instant
        ``phase_us`` + k * ``step_us``. Each such change loses the fraction of a millijoule.
        """
        counter = self._counters[gpu]
        with self._changing() as now_us:
            counter.change(
                now_us,
                gain_ppm=counter.epoch_at(now_us).gain_ppm if gain_ppm is None else gain_ppm,
                step_us=counter.step_us if step_us is None else step_us,
                phase_us=counter.phase_us if phase_us is None else phase_us,
            )
            self._publish(gpu, now_us)

    # ---- faults and counts ----

    def set_error(self, gpu: int | None, function: str, code: int, count: int | None = None) -> None:
        """Let calls of a group (see ``state.FUNCTIONS``) return ``code``: for ever, or ``count`` times."""
        fault = self._state.faults[_row(gpu)][state.FUNCTIONS.index(function)]
        fault.error = code << 32 | (state.FOREVER if count is None else count) if code else 0

    def set_latency(self, gpu: int | None, function: str, us: int) -> None:
        """Let calls of a group take ``us`` of real time longer; calls that wait already see the change."""
        self._state.faults[_row(gpu)][state.FUNCTIONS.index(function)].latency_us = us

    def calls(self, function: str = "any", gpu: int | None = None) -> int:
        """How often NVML was called, by all clients: for one GPU, or whatever it was for."""
        rows = self._state.calls if gpu is None else [self._state.calls[gpu]]
        return sum(row[state.FUNCTIONS.index(function)] for row in rows)

    def clients(self) -> int:
        """How many living processes have NVML initialised."""
        return sum(_is_alive(pid) for pid in self._state.clients if pid)

    # ---- identity ----

    def set_order(self, order: Sequence[int]) -> None:
        """Let NVML index i be the physical GPU ``order[i]``; handles that are held stay where they are."""
        if sorted(order) != list(range(self._state.system.gpu_count)):
            raise ValueError(f"{list(order)} does not name each GPU once")
        with self._changing():
            self._state.system.order[: len(order)] = list(order)

    def set_mig(self, gpu: int, slice_counts: Sequence[int]) -> list[str]:
        """Cut a GPU into MIG devices of so many slices each (none: MIG mode off); returns their UUIDs."""
        if sum(slice_counts) > state.MAX_SLICES or min(slice_counts, default=1) < 1:
            raise ValueError(f"{list(slice_counts)} is not a division of {state.MAX_SLICES} slices")
        uuids = [f"MIG-{self._uuid(f'{gpu}/{index}')}" for index in range(len(slice_counts))]
        with self._changing():
            for index, count in enumerate(slice_counts):
                self._state.gpus[gpu].slices[index] = state.Slice(uuids[index].encode(), index + 1, 0, count)
            self._state.gpus[gpu].slice_count = len(slice_counts)
        return uuids

    def uuid(self, gpu: int) -> str:
        return f"GPU-{self._uuid(str(gpu))}"

    def configure(self, gpu: int, **properties: str | int) -> None:
        """Set properties of a GPU, any that ``profiles.H100`` names."""
        with self._changing():
            _assign(self._state.gpus[gpu], properties, profiles.H100)

    # ---- the state file ----

    @contextmanager
    def _changing(self) -> Iterator[int]:
        """Keep clients out while the state changes; yields the instant from which the change is in force."""
        with self._lock:
            self._c.standin_change_begin(ctypes.byref(self._state))
            try:
                yield self.now_us()
            finally:
                self._c.standin_change_end(ctypes.byref(self._state))

    def _load_driver(self, gpu: int) -> None:
        now_us, target = self.now_us(), self._state.gpus[gpu]
        idle = Waveform((Segment(now_us, target.idle_mw, target.idle_mw),))
        self._counters.append(Counter(History.starting(now_us, idle), 100_000, 0, [Epoch(now_us, 0)]))
        target.uuid, target.minor_number = self.uuid(gpu).encode(), gpu
        target.serial = f"13205210{gpu:05d}".encode()
        target.pci_bus_id = f"00000000:{0x07 + 0x0D * gpu:02X}:00.0".encode()
        self._publish(gpu, now_us)

    def _publish(self, gpu: int, now_us: int) -> None:
        """Write down what a GPU draws and how it is counted."""
        counter, target = self._counters[gpu], self._state.gpus[gpu]
        counter.forget_before(now_us)
        spells = counter.history.spells[-state.MAX_WAVEFORMS :]
        for place, spell in zip(target.waveforms, spells, strict=False):
            place.from_us, place.period_us = spell.from_us, spell.waveform.period_us or 0
            place.offset = whole_millijoules(spell.offset_half_nanojoules)
            place.segment_count = len(spell.waveform.segments)
            for index, segment in enumerate(spell.waveform.segments):
                place.segments[index] = state.Segment(segment.start_us, segment.start_mw, segment.end_mw)
        for index, epoch in enumerate(counter.epochs):
            origin = state.Energy(*whole_millijoules(counter.history.half_nanojoules(epoch.at_us)))
            target.epochs[index] = state.Epoch(epoch.at_us, epoch.gain_ppm, epoch.base_millijoules, origin)
        target.waveform_count, target.epoch_count = len(spells), len(counter.epochs)
        target.counter_step_us, target.counter_phase_us = counter.step_us, counter.phase_us

    def _uuid(self, name: str) -> str:
        """Its own for each GPU of each machine, and the same again for the same state file."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.path}#{name}"))


def _assign(target: ctypes.Structure, properties: profiles.Properties, known: profiles.Properties) -> None:
    if unknown := properties.keys() - known.keys():
        raise ValueError(f"no such property: {', '.join(sorted(unknown))}")
    for name, value in properties.items():
        setattr(target, name, value.encode() if isinstance(value, str) else value)


def _row(gpu: int | None) -> int:
    return state.ALL_GPUS if gpu is None else gpu


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped holds no driver any more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX"
