"""Which GPU a word names: never another one, never all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.identity import resolve
from sam_cluster.agent.ports import GpuInfo, Inventory
from sam_cluster.core.model import Reason, Rung

#: NVML's order is not the kernel's.
NODE = tuple(
    GpuInfo(uuid=f"GPU-{index}", index=index, name="H100", minor=minor)
    for index, minor in enumerate((3, 1, 0, 2))
)
SLICES = ("MIG-aaaa", "MIG-bbbb")
WITH_MIG = (replace(NODE[0], mig_uuids=SLICES), *NODE[1:])


def one(
    word: str,
    gpus: tuple[GpuInfo, ...] = NODE,
    site_map: dict[int, str] | None = None,
    missing: dict[int, Reason] | None = None,
):
    inventory = Inventory(driver_version="1", gpus=gpus, missing=missing or {})
    (held,) = resolve([word], inventory, site_map or {})
    return held


def test_a_uuid_names_its_gpu() -> None:
    held = one("GPU-2")
    assert (held.uuid, held.rung, held.name) == ("GPU-2", Rung.UUID, "H100")


def test_a_uuid_that_the_driver_does_not_show_is_lost_and_stays_named() -> None:
    held = one("GPU-9")
    assert (held.uuid, held.rung, held.reason) == ("GPU-9", Rung.UUID, Reason.GPU_LOST)


@pytest.mark.parametrize("word", ["MIG-bbbb", "MIG-GPU-0/7/0"])
def test_a_slice_names_its_parent(word: str) -> None:
    held = one(word, WITH_MIG)
    assert (held.uuid, held.rung, held.mig_uuid) == ("GPU-0", Rung.MIG_UUID, word)


def test_an_index_goes_by_the_map_of_the_site() -> None:
    by_uuid = one("0", site_map={0: "GPU-3"})
    assert (by_uuid.uuid, by_uuid.rung) == ("GPU-3", Rung.SITE_MAP)
    by_minor = one("0", site_map={0: "/dev/nvidia0"})
    assert (by_minor.uuid, by_minor.rung) == ("GPU-2", Rung.DEVICE_MINOR)
    assert one("0", site_map={0: "/dev/nvidia9"}).reason is Reason.GPU_UNRESOLVED
    assert one("0", site_map={0: "GPU-9"}).reason is Reason.GPU_LOST


def test_an_index_without_a_map_is_assumed_to_be_nvmls() -> None:
    held = one("1")
    assert (held.uuid, held.rung) == ("GPU-1", Rung.ASSUMED_INDEX)


def test_nothing_is_assumed_where_gpus_differ_or_are_cut() -> None:
    mixed = (replace(NODE[0], name="A100"), *NODE[1:])
    for gpus in (mixed, WITH_MIG):
        held = one("1", gpus)
        assert (held.uuid, held.rung, held.reason) == (None, Rung.UNRESOLVED, Reason.GPU_UNRESOLVED)


def test_a_gpu_that_did_not_say_who_it_is_has_its_reason_and_no_other_takes_its_place() -> None:
    hung = {1: Reason.NVML_HUNG}
    rest = (NODE[0], *NODE[2:])
    for word, site_map in (("1", {}), ("GPU-1", {}), ("0", {0: "GPU-1"}), ("0", {0: "/dev/nvidia1"})):
        assert one(word, rest, site_map, hung).reason is Reason.NVML_HUNG
    assert one("2", rest, missing=hung).uuid == "GPU-2"
    assert one("GPU-1", rest, missing={**hung, 5: Reason.GPU_LOST}).reason is Reason.GPU_LOST


@given(st.lists(st.text(max_size=12) | st.sampled_from(["0", "3", "GPU-1", "MIG-aaaa", "all", "٢"])))
def test_each_word_names_at_most_one_gpu_and_none_without_a_reason(words: list[str]) -> None:
    held = resolve(words, Inventory(driver_version="1", gpus=WITH_MIG), {0: "GPU-1"})
    assert [gpu.requested for gpu in held] == words
    for gpu in held:
        assert (gpu.uuid is None) <= (gpu.reason is not None)
        assert (gpu.rung is Rung.UNRESOLVED) == (gpu.uuid is None)
