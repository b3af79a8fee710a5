"""Energy of a node beside its GPUs: wraps neither lose nor gain, and what is not known is not zero."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.host import HostMeter
from sam_cluster.agent.rapl import MOST_MILLIWATTS, RaplDomain, domains
from sam_cluster.core.model import HostDomain, Reason, Shard
from sam_cluster.simulation.clock import SimulatedClock
from tests.bench.powercap import Powercap

from .simulated_node import NOON, SECOND, SimulatedNode, energy_of

PACKAGE, DRAM, SECOND_PACKAGE = "intel-rapl:0", "intel-rapl:0:1", "intel-rapl:1"
ZONES = {PACKAGE: "package-0", "intel-rapl:0:0": "core", DRAM: "dram", SECOND_PACKAGE: "package-1"}
WATT = 1_000_000  # microjoules a second


@given(
    st.integers(1_000, 10**7),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_wraps_neither_lose_nor_gain(largest: int, first: float, steps: list[tuple[int, float]]) -> None:
    """Looked at before it can have gone round twice, at any power up to the most, from anywhere."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Powercap(Path(directory), {PACKAGE: "package-0"}, largest)
        tree.start_at(PACKAGE, round(largest * first))
        domain, uptime = RaplDomain("package-0", str(tree.root / PACKAGE)), SECOND
        domain.look(uptime)
        longest = largest * 1000 // MOST_MILLIWATTS
        for span, power in steps:
            passed = min(span, longest)
            uptime += passed
            tree.draw(PACKAGE, round(MOST_MILLIWATTS * passed // 1000 * power))
            domain.look(uptime)
        assert domain.total_microjoules == tree.truth[PACKAGE]
        assert domain.breaks == 0
        uptime += longest + 2
        tree.draw(PACKAGE, largest + 5)
        domain.look(uptime)
        assert domain.breaks == 1


def test_packages_and_their_memory_are_found_and_nothing_else(tmp_path: Path) -> None:
    tree = Powercap(
        tmp_path / "powercap", {**ZONES, "intel-rapl-mmio:0": "package-0", "intel-rapl:2": "psys"}
    )
    assert [d.name for d in domains(str(tree.root))] == ["package-0", "package-0.dram", "package-1"]
    assert domains(str(tmp_path / "nowhere")) == ()


@pytest.fixture
def tree(tmp_path: Path) -> Powercap:
    return Powercap(tmp_path / "powercap", ZONES)


@pytest.fixture
def node(tmp_path: Path, tree: Powercap) -> SimulatedNode:
    node = SimulatedNode(tmp_path)
    start(node, tree)
    return node


def start(node: SimulatedNode, tree: Powercap) -> None:
    node.start_agent(host=HostMeter(str(tree.root), 64, node.clock))


def live(node: SimulatedNode, tree: Powercap, seconds: int) -> None:
    """Packages draw 200 W and 100 W, memory 20 W."""
    for _ in range(seconds):
        for zone, watts in ((PACKAGE, 200), (SECOND_PACKAGE, 100), (DRAM, 20)):
            tree.draw(zone, watts * WATT)
        node.wait(1)


def energies(shard: Shard) -> dict[str, int | None]:
    assert shard.host
    return {domain.name: domain.energy_millijoules for domain in shard.host.domains}


def test_each_run_is_told_what_the_node_drew_meanwhile_over_wraps(
    node: SimulatedNode, tree: Powercap
) -> None:
    tree.start_at(PACKAGE, tree.largest - 500 * WATT)
    live(node, tree, 5)
    node.prolog(1, "0")
    live(node, tree, 10)
    node.prolog(2, "1")
    live(node, tree, 20)
    node.epilog(1)
    live(node, tree, 5)
    node.epilog(2)
    first, second = node.shards()
    assert energies(first) == {"package-0": 6_000_000, "package-0.dram": 600_000, "package-1": 3_000_000}
    assert energies(second) == {"package-0": 5_000_000, "package-0.dram": 500_000, "package-1": 2_500_000}
    assert energy_of(first) == 30 * 50_000  # GPU energy knows nothing of it
    assert first.host and first.host.cpus == 64


def test_parts_of_a_long_run_are_told_of_all_of_it(tmp_path: Path, tree: Powercap) -> None:
    node = SimulatedNode(tmp_path, start=NOON // (86_400 * SECOND) * 86_400 * SECOND + 86_390 * SECOND)
    start(node, tree)
    node.prolog(1)
    live(node, tree, 25)
    node.epilog(1)
    parts = node.shards()
    assert len(parts) == 2
    told = [energies(part)["package-0"] for part in parts]
    assert sum(energy or 0 for energy in told) == 25 * 200_000
    assert all(told)


def test_a_domain_that_is_not_there_or_not_readable_has_its_reason(
    node: SimulatedNode, tree: Powercap
) -> None:
    node.prolog(1)
    live(node, tree, 5)
    tree.hide(SECOND_PACKAGE)
    live(node, tree, 5)
    node.epilog(1)
    (shard,) = node.shards()
    assert shard.host
    assert shard.host.domains == (
        HostDomain(name="package-0", energy_millijoules=2_000_000),
        HostDomain(name="package-0.dram", energy_millijoules=200_000),
        HostDomain(name="package-1", reason=Reason.HOST_UNREADABLE),
    )


@pytest.mark.parametrize(
    ("zones", "names"),
    [({}, ["package"]), ({PACKAGE: "package-0"}, ["package-0", "dram"])],
)
def test_what_a_node_has_no_counter_of_is_absent(
    tmp_path: Path, zones: dict[str, str], names: list[str]
) -> None:
    tree = Powercap(tmp_path / "powercap", zones)
    node = SimulatedNode(tmp_path)
    start(node, tree)
    node.prolog(1)
    node.wait(5)
    node.epilog(1)
    (shard,) = node.shards()
    assert shard.host
    assert [domain.name for domain in shard.host.domains] == names
    assert shard.host.domains[-1] == HostDomain(name=names[-1], reason=Reason.HOST_ABSENT)


def not_followed(node: SimulatedNode, tree: Powercap) -> Iterator[str]:
    """Ways in which a run was not followed all along; each leaves one shard."""
    yield "an agent that died under it"
    node.prolog(1)
    live(node, tree, 5)
    node.kill_agent()
    start(node, tree)
    live(node, tree, 5)
    node.epilog(1)
    yield "a prolog that waited for an agent"
    event = node.event("prolog", 2)
    node.pass_unwatched(100)
    node.deliver(event)
    live(node, tree, 5)
    node.epilog(2)
    yield "a node that slept"
    node.prolog(3)
    live(node, tree, 5)
    node.pass_unwatched(3600)
    node.epilog(3)
    yield "an end without a start"
    node.epilog(4)


def test_a_run_that_was_not_followed_has_no_figure(node: SimulatedNode, tree: Powercap) -> None:
    ways = list(not_followed(node, tree))
    shards = node.shards()
    assert len(shards) == len(ways)
    for shard, way in zip(shards[:3], ways, strict=False):
        assert set(energies(shard).values()) == {None}, way
        assert shard.host
        assert {domain.reason for domain in shard.host.domains} == {Reason.HOST_INTERRUPTED}, way


def test_without_being_asked_for_it_is_not_looked_at(tmp_path: Path) -> None:
    node = SimulatedNode(tmp_path)
    node.prolog(1)
    node.wait(5)
    node.epilog(1)
    (shard,) = node.shards()
    assert shard.host is None


def test_look_at_the_clock() -> None:
    """A meter that is never looked at while nothing runs begins anew with the next run."""
    clock = SimulatedClock(NOON)
    with tempfile.TemporaryDirectory() as directory:
        tree = Powercap(Path(directory), {PACKAGE: "package-0"})
        meter = HostMeter(str(tree.root), 1, clock)
        meter.begin("a", clock.uptime_microseconds())
        clock.advance(3600 * SECOND)
        meter.begin("b", clock.uptime_microseconds())
        tree.draw(PACKAGE, 7_000)
        told = meter.end("b", clock.uptime_microseconds())
    assert told.domains[0] == HostDomain(name="package-0", energy_millijoules=7)
