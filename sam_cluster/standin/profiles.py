"""Properties of the GPUs and of the driver that the stand-in plays."""

from __future__ import annotations

Properties = dict[str, str | int]

#: The driver's, on any machine.
SYSTEM: Properties = {
    "driver_version": "570.124.06",
    "nvml_version": "12.570.124.06",
    "cuda_driver_version": 12080,
}
#: A GPU's, and all that can be set of it.
H100: Properties = {
    "name": "NVIDIA H100 80GB HBM3",
    "architecture": 9,
    "power_limit_mw": 700_000,
    "idle_mw": 70_000,  # utilization is 0 up to here; what a GPU draws at first
    "persistence_mode": 1,
    "supports_energy": 1,
    "supports_samples": 1,
    "averages_power": 1,  # power usage is a mean over one second
    "module_scope": 0,  # readings are of the whole module, CPU included
    "temperature_celsius": 40,
    "memory_bytes": 80 << 30,
    "sensor_period_us": 100_000,  # how often a power reading changes
    "power_gain_ppm": 1_000_000,  # what power readings show of the truth
    "gpu_scope_ppm": 1_000_000,  # of a module's power, what power usage shows of its GPU alone
    "sample_period_us": 20_000,
    "sample_limit": 1200,  # how many samples the ring holds
}
GH200: Properties = H100 | {
    "name": "NVIDIA GH200 480GB",
    "module_scope": 1,
    "power_limit_mw": 900_000,
    "memory_bytes": 96 << 30,
}
#: Ampere, but its chip (GA100) shows the power of the moment.
A100: Properties = H100 | {
    "name": "NVIDIA A100-SXM4-80GB",
    "architecture": 7,
    "averages_power": 0,
    "power_limit_mw": 400_000,
}
