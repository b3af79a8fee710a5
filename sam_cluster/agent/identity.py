"""Which GPUs a run was given: from the words in the hook's environment to UUIDs.

The rungs, best first: a UUID; a MIG slice's UUID (its parent is metered); a GRES index that the
site's map gives a UUID or a device file; the index as NVML's, assumed, where all GPUs of the node
are of one kind and whole. Else there is no GPU, with a reason; never "all GPUs".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sam_cluster.core.model import GpuHeld, Reason, Rung

from .ports import GpuInfo, Inventory

DEVICE_FILE = "/dev/nvidia"
INDEX = re.compile(r"[0-9]{1,4}")


def resolve(devices: Iterable[str], inventory: Inventory, site_map: Mapping[int, str]) -> tuple[GpuHeld, ...]:
    """One GpuHeld a word, in their order. `site_map`: GRES index to UUID or device file."""
    return tuple(_resolve_one(word, inventory, site_map) for word in devices)


def _resolve_one(word: str, inventory: Inventory, site_map: Mapping[int, str]) -> GpuHeld:
    if word.startswith("GPU-"):
        return _by_uuid(word, word, inventory, Rung.UUID)
    if word.startswith("MIG-"):
        return _by_mig_uuid(word, inventory)
    if not INDEX.fullmatch(word):
        return _unresolved(word)
    index = int(word)
    if (named := site_map.get(index)) is not None:
        if named.startswith(DEVICE_FILE):
            return _by_minor(word, int(named.removeprefix(DEVICE_FILE)), inventory)
        return _by_uuid(word, named, inventory, Rung.SITE_MAP)
    return _by_assumed_index(word, index, inventory)


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


def _unresolved(word: str, reason: Reason = Reason.GPU_UNRESOLVED) -> GpuHeld:
    return GpuHeld(uuid=None, requested=word, rung=Rung.UNRESOLVED, reason=reason)


def _why_not_there(inventory: Inventory, otherwise: Reason) -> Reason:
    """Why the driver does not show a GPU: where some did not say who they are, it is one of them."""
    reasons = set(inventory.missing.values())
    return reasons.pop() if len(reasons) == 1 else otherwise


def _by_uuid(word: str, uuid: str, inventory: Inventory, rung: Rung) -> GpuHeld:
    """The GPU of this UUID; one that the driver does not show is named all the same, and lost."""
    for gpu in inventory.gpus:
        if gpu.uuid == uuid:
            return _held(word, gpu, rung)
    reason = _why_not_there(inventory, Reason.GPU_LOST)
    return GpuHeld(uuid=uuid, requested=word, rung=rung, reason=reason)


def _by_mig_uuid(word: str, inventory: Inventory) -> GpuHeld:
    """The slice's parent. Drivers before 470 wrote MIG-GPU-UUID/GI/CI, which names it outright."""
    for gpu in inventory.gpus:
        if word in (gpu.mig_uuids or ()) or word.startswith(f"MIG-{gpu.uuid}/"):
            slices = dict(zip(gpu.mig_uuids or (), gpu.mig_slices, strict=False)).get(word)
            return _held(word, gpu, Rung.MIG_UUID, mig_uuid=word, mig_slices=slices)
    return _unresolved(word, _why_not_there(inventory, Reason.GPU_UNRESOLVED))


def _by_minor(word: str, minor: int, inventory: Inventory) -> GpuHeld:
    for gpu in inventory.gpus:
        if gpu.minor == minor:
            return _held(word, gpu, Rung.DEVICE_MINOR)
    return _unresolved(word, _why_not_there(inventory, Reason.GPU_UNRESOLVED))


def _by_assumed_index(word: str, index: int, inventory: Inventory) -> GpuHeld:
    gpus = inventory.gpus
    alike = len({gpu.name for gpu in gpus}) == 1 and all(gpu.mig_uuids is None for gpu in gpus)
    if alike and index in inventory.missing:
        return _unresolved(word, inventory.missing[index])
    for gpu in gpus:
        if alike and gpu.index == index:
            return _held(word, gpu, Rung.ASSUMED_INDEX)
    return _unresolved(word)
