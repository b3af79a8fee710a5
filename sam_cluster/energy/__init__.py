"""Readings to millijoules. Pure: no clock, no disk, no NVML."""
