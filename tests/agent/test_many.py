"""Many short runs one after another: nothing of them is left on the node."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from tests.agent.node import AgentNode

RUNS = 500
LONG_RUN = 1_000


def test_500_short_runs_leave_no_descriptor_process_or_file(agent_node: AgentNode) -> None:
    node = agent_node
    node.prolog(LONG_RUN, "3")  # keeps one agent for all of them
    pid = node.wait_agent()
    node.prolog(RUNS + 1)
    node.epilog(RUNS + 1)
    node.wait_shard()
    node.wait(lambda: node.processes() == [pid], "the end of the children")
    descriptors, threads = _descriptors(pid), len(os.listdir(f"/proc/{pid}/task"))

    for job in range(1, RUNS + 1):
        node.prolog(job, str(job % 3))
        node.epilog(job, str(job % 3))
    node.wait(lambda: len(_published(node)) == RUNS + 1, "the shards")
    node.wait(lambda: node.processes() == [pid], "the end of the children")
    # One may be fewer: a child that had just ended has its pipe until the agent has seen that.
    node.wait(lambda: not _descriptors(pid) - descriptors, "the end of what was opened")
    assert len(os.listdir(f"/proc/{pid}/task")) <= threads + 3  # one for each GPU

    node.epilog(LONG_RUN, "3")
    node.wait_ended()
    shards = node.shards()
    assert [shard.key.job_id for shard in shards] == sorted([*range(1, RUNS + 2), LONG_RUN])
    assert not any(shard.reason for shard in shards)
    assert not list(node.events.iterdir())
    left = {path.name for path in node.spool.rglob("*") if path.is_file()}
    assert left == {"gpus.json", "closed.json", "place.json", "status.json", ".lock"}
    assert not node.standin.clients()
    _assert_chained(node)


def _descriptors(pid: int) -> Counter[str]:
    """What a process has open, and how many times."""
    directory = f"/proc/{pid}/fd"
    found: Counter[str] = Counter()
    for number in os.listdir(directory):
        try:
            found[os.readlink(f"{directory}/{number}")] += 1
        except FileNotFoundError:  # closed since it was listed
            continue
    return found


def _published(node: AgentNode) -> list[Path]:
    return list(node.inbox.glob("n1/[!.]*.parquet"))


def _assert_chained(node: AgentNode) -> None:
    """On each GPU what one run left is where the next began to be idle: no joule between them is lost."""
    for gpu in range(3):
        uuid = node.standin.uuid(gpu)
        boundaries = [b for shard in node.shards() for b in shard.boundaries if b.gpu_uuid == uuid]
        boundaries.sort(key=lambda b: (b.uptime_microseconds, b.energy_millijoules))
        for start, end in zip(boundaries[::2], boundaries[1::2], strict=True):
            assert end.since_energy_millijoules == start.energy_millijoules
        for end, start in zip(boundaries[1::2], boundaries[2::2], strict=False):
            assert start.previous_uptime_microseconds == end.uptime_microseconds
            assert start.previous_energy_millijoules == end.energy_millijoules
