"""The meter of one node: events and NVML in, sealed shards out. Standard library and pynvml only."""
