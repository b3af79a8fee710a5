"""A stand-in for the driver's NVML, in C and built where it is used: GPUs whose every joule is known."""
