"""The driver's rings of samples, in one call each. pynvml makes two, the first to ask how many there are."""

from __future__ import annotations

import struct
from ctypes import byref, c_uint, c_ulonglong
from typing import Any

import pynvml

#: No driver is known to keep more of a GPU; one that does is asked again with room for twice as many.
ROOM = 1024


def samples_since(handle: Any, of_what: int, since: int) -> list[tuple[int, int]]:
    """Stamps (microseconds by the wall clock) and values of a GPU's samples after a stamp. Raises
    NVMLError."""
    room, count, kind = ROOM, c_uint(), c_uint()
    call = pynvml._nvmlGetFunctionPointer("nvmlDeviceGetSamples")
    while True:
        count.value = room
        samples = (pynvml.c_nvmlSample_t * room)()
        code = call(handle, c_uint(of_what), c_ulonglong(since), byref(kind), byref(count), samples)
        if code != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(code)
        if count.value < room:
            break
        room *= 2
    # From the memory: field by field it takes ten times as long, which is felt at some hundred samples.
    layout = "=QI4x" if kind.value == pynvml.NVML_VALUE_TYPE_UNSIGNED_INT else "=QQ"
    memory = memoryview(samples).cast("B")[: count.value * struct.calcsize(layout)]
    return [(int(stamp), int(value)) for stamp, value in struct.iter_unpack(layout, memory)]
