"""Which GPUs a run was given: from the words in the hook's environment to UUIDs.

The rungs, best first: a UUID; a MIG slice's UUID (its parent is metered); a GRES index that the
site's map gives a UUID or a device file; the index as NVML's, assumed, where all GPUs of the node
are of one kind and whole. Else there is no GPU, with a reason; never "all GPUs".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sam_cluster.core.model import GpuHeld, Reason, Rung

from .ports import GpuInfo

DEVICE_FILE = "/dev/nvidia"
INDEX = re.compile(r"[0-9]{1,4}")


def resolve(
    devices: Iterable[str], gpus: Iterable[GpuInfo], site_map: Mapping[int, str]
) -> tuple[GpuHeld, ...]:
    """One GpuHeld a word, in their order. `site_map`: GRES index to UUID or device file."""
    known = tuple(gpus)
    return tuple(_resolve_one(word, known, site_map) for word in devices)


def _resolve_one(word: str, gpus: tuple[GpuInfo, ...], site_map: Mapping[int, str]) -> GpuHeld:
    if word.startswith("GPU-"):
        return _by_uuid(word, word, gpus, Rung.UUID)
    if word.startswith("MIG-"):
        return _by_mig_uuid(word, gpus)
    if not INDEX.fullmatch(word):
        return _unresolved(word)
    index = int(word)
    if (named := site_map.get(index)) is not None:
        if named.startswith(DEVICE_FILE):
            return _by_minor(word, int(named.removeprefix(DEVICE_FILE)), gpus)
        return _by_uuid(word, named, gpus, Rung.SITE_MAP)
    return _by_assumed_index(word, index, gpus)


def _held(
    word: str, gpu: GpuInfo, rung: Rung, mig_uuid: str | None = None, mig_slices: int | None = None
) -> GpuHeld:
    return GpuHeld(
        uuid=gpu.uuid,
        requested=word,
        rung=rung,
        name=gpu.name,
        mig_uuid=mig_uuid,
        mig_slices=mig_slices,
        power_limit_milliwatts=gpu.power_limit_milliwatts,
        is_module=gpu.is_module,
    )


def _unresolved(word: str) -> GpuHeld:
    return GpuHeld(uuid=None, requested=word, rung=Rung.UNRESOLVED, reason=Reason.GPU_UNRESOLVED)


def _by_uuid(word: str, uuid: str, gpus: tuple[GpuInfo, ...], rung: Rung) -> GpuHeld:
    """The GPU of this UUID; one that the driver does not show is named all the same, and lost."""
    for gpu in gpus:
        if gpu.uuid == uuid:
            return _held(word, gpu, rung)
    return GpuHeld(uuid=uuid, requested=word, rung=rung, reason=Reason.GPU_LOST)


def _by_mig_uuid(word: str, gpus: tuple[GpuInfo, ...]) -> GpuHeld:
    """The slice's parent. Drivers before 470 wrote MIG-GPU-UUID/GI/CI, which names it outright."""
    for gpu in gpus:
        if word in (gpu.mig_uuids or ()) or word.startswith(f"MIG-{gpu.uuid}/"):
            slices = dict(zip(gpu.mig_uuids or (), gpu.mig_slices, strict=False)).get(word)
            return _held(word, gpu, Rung.MIG_UUID, mig_uuid=word, mig_slices=slices)
    return _unresolved(word)


def _by_minor(word: str, minor: int, gpus: tuple[GpuInfo, ...]) -> GpuHeld:
    for gpu in gpus:
        if gpu.minor == minor:
            return _held(word, gpu, Rung.DEVICE_MINOR)
    return _unresolved(word)


def _by_assumed_index(word: str, index: int, gpus: tuple[GpuInfo, ...]) -> GpuHeld:
    alike = len({gpu.name for gpu in gpus}) == 1 and all(gpu.mig_uuids is None for gpu in gpus)
    for gpu in gpus:
        if alike and gpu.index == index:
            return _held(word, gpu, Rung.ASSUMED_INDEX)
    return _unresolved(word)
