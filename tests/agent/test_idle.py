"""GPUs that nobody holds, read by the timer's command: NVML is open for the reading and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable

from sam_cluster.core.model import Flag, Kind
from sam_cluster.standin import profiles

from .node import AgentNode


def test_the_timer_reads_what_nobody_holds_and_lets_go_of_nvml(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.constant(1, 200_000)
    node.prolog(7)
    node.wait_agent()
    node.epilog(7)
    node.wait_shards(1)
    node.wait_ended()
    assert node.command("publish", "--readings").returncode == 0
    node.wait_ended()
    assert not node.waiting_events()
    begin = time.time_ns() // 1000
    node.prolog(8, "1")
    node.wait_agent()
    time.sleep(0.5)
    node.epilog(8, "1")
    node.wait_shards(2)
    node.wait(node.idle_shards, "the readings")
    (idle,) = node.idle_shards()
    assert idle.node == "n1"
    assert sorted(b.gpu_uuid for b in idle.boundaries) == sorted(node.standin.uuid(gpu) for gpu in range(4))
    assert {b.kind for b in idle.boundaries} == {Kind.IDLE}
    (start,) = [b for b in node.shards()[1].boundaries if b.kind is Kind.START]
    (read,) = [b for b in idle.boundaries if b.gpu_uuid == start.gpu_uuid]
    assert start.previous_uptime_microseconds == read.uptime_microseconds
    assert start.previous_at_microseconds == read.at_microseconds < begin
    (chained,) = [b for b in idle.boundaries if b.gpu_uuid == node.standin.uuid(0)]
    (end,) = [b for b in node.shards()[0].boundaries if b.kind is Kind.END]
    assert chained.previous_uptime_microseconds == end.uptime_microseconds


def test_nothing_is_read_on_a_node_that_was_never_metered(agent_node: AgentNode) -> None:
    node = agent_node
    done = node.command("publish", "--readings")
    assert (done.returncode, done.stdout) == (0, "published: 0\n")
    assert not node.agent()
    assert not node.idle_shards()


def test_the_counter_of_a_module_is_called_one_and_has_its_second_meter(
    make_node: Callable[..., AgentNode],
) -> None:
    node = make_node(gpus=1, **profiles.GH200)
    node.standin.constant(0, 500_000)
    node.prolog(7)
    node.wait_agent()
    time.sleep(1)
    node.epilog(7)
    shard = node.wait_shard()
    assert Flag.MODULE_SCOPE in shard.flags
    (end,) = [b for b in shard.boundaries if b.kind is Kind.END]
    assert end.since_power_millijoules is not None
