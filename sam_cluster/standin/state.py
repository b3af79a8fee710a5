"""The state that the stand-in's clients map, field by field as in ``state.h``."""

from __future__ import annotations

from ctypes import Array, Structure, c_char, c_int32, c_int64, c_uint32, c_uint64

MAGIC = 0x4C4D564E4D4153
VERSION = 2
MAX_GPUS = 16
MAX_SLICES = 7
MAX_SEGMENTS = 64
MAX_WAVEFORMS = 8
MAX_EPOCHS = 8
MAX_CLIENTS = 256
ALL_GPUS = MAX_GPUS
FOREVER = 0xFFFF_FFFF

#: Groups of NVML calls that errors, latencies and counts are kept for, in the order of ``enum function``.
FUNCTIONS = ("init", "shutdown", "enumeration", "uuid", "energy", "power", "fieldvalues", "samples",
             "utilization", "other", "any")  # fmt: skip


class Energy(Structure):
    """An amount of energy in half nanojoules, split so that each part fits 64 bits."""

    millijoules: int
    half_nanojoules: int
    _fields_ = [("millijoules", c_int64), ("half_nanojoules", c_int64)]


class Segment(Structure):
    start_us: int
    start_mw: int
    end_mw: int
    _fields_ = [("start_us", c_int64), ("start_mw", c_int32), ("end_mw", c_int32)]


class Waveform(Structure):
    from_us: int
    period_us: int
    offset: Energy
    segment_count: int
    segments: Array[Segment]
    _fields_ = [
        ("from_us", c_int64), ("period_us", c_int64), ("offset", Energy), ("segment_count", c_int64),
        ("segments", Segment * MAX_SEGMENTS),
    ]  # fmt: skip


class Epoch(Structure):
    _fields_ = [("at_us", c_int64), ("gain_ppm", c_int64), ("base_millijoules", c_uint64), ("origin", Energy)]


class Slice(Structure):
    _fields_ = [
        ("uuid", c_char * 96), ("gpu_instance_id", c_uint32), ("compute_instance_id", c_uint32),
        ("slice_count", c_uint32),
    ]  # fmt: skip


class Gpu(Structure):
    uuid: bytes
    serial: bytes
    pci_bus_id: bytes
    minor_number: int
    idle_mw: int
    slice_count: int
    waveform_count: int
    epoch_count: int
    slices: Array[Slice]
    waveforms: Array[Waveform]
    epochs: Array[Epoch]
    counter_step_us: int
    counter_phase_us: int
    _fields_ = [
        ("uuid", c_char * 96), ("name", c_char * 96), ("serial", c_char * 32), ("pci_bus_id", c_char * 32),
        ("minor_number", c_uint32), ("architecture", c_uint32), ("power_limit_mw", c_uint32),
        ("idle_mw", c_uint32), ("persistence_mode", c_uint32), ("supports_energy", c_uint32),
        ("supports_samples", c_uint32), ("averages_power", c_uint32), ("module_scope", c_uint32),
        ("temperature_celsius", c_uint32), ("memory_bytes", c_uint64), ("counter_step_us", c_int64),
        ("counter_phase_us", c_int64), ("sensor_period_us", c_int64), ("power_gain_ppm", c_int64),
        ("gpu_scope_ppm", c_int64), ("sample_period_us", c_int64), ("sample_limit", c_int64),
        ("slice_count", c_int64),
        ("waveform_count", c_int64), ("epoch_count", c_int64), ("slices", Slice * MAX_SLICES),
        ("waveforms", Waveform * MAX_WAVEFORMS), ("epochs", Epoch * MAX_EPOCHS),
    ]  # fmt: skip


class System(Structure):
    manual_clock: int
    now_us: int
    epoch_offset_us: int
    gpu_count: int
    order: Array[c_uint32]
    _fields_ = [
        ("manual_clock", c_int64), ("now_us", c_int64), ("epoch_offset_us", c_int64),
        ("driver_version", c_char * 80), ("nvml_version", c_char * 80), ("cuda_driver_version", c_int32),
        ("gpu_count", c_uint32), ("order", c_uint32 * MAX_GPUS),
    ]  # fmt: skip


class Fault(Structure):
    error: int
    latency_us: int
    _fields_ = [("error", c_uint64), ("latency_us", c_int64)]


class State(Structure):
    magic: int
    version: int
    system: System
    gpus: Array[Gpu]
    faults: Array[Array[Fault]]
    calls: Array[Array[c_uint64]]
    clients: Array[c_int32]
    _fields_ = [
        ("magic", c_uint64), ("version", c_uint64), ("sequence", c_uint64), ("system", System),
        ("gpus", Gpu * MAX_GPUS), ("faults", (Fault * len(FUNCTIONS)) * (MAX_GPUS + 1)),
        ("calls", (c_uint64 * len(FUNCTIONS)) * (MAX_GPUS + 1)), ("clients", c_int32 * MAX_CLIENTS),
    ]  # fmt: skip
