"""The hooks: whatever is broken on a node, they exit 0, say nothing, hold nothing, and return at once."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sam_cluster.agent.events import parse_event
from sam_cluster.agent.lock import began
from sam_cluster.resources import directory
from tests.agent.node import AgentNode
from tests.agent.slurmd import read_to_end
from tests.bench.mounts import mount_small, set_read_only

HOSTILE = "first\nSLURM_JOB_USER=root\n=\tSLURM_JOB_ID=1\x01\x1b[31m 'a' \"b\" $HOME `id` \\ \udcff"


def _no_events_directory(node: AgentNode) -> dict[str, str]:
    return {}


def _events_directory_of_another(node: AgentNode) -> dict[str, str]:
    node.events.mkdir(parents=True)
    shutil.chown(node.events, "nobody")
    return {}


def _events_read_only(node: AgentNode) -> dict[str, str]:
    node.events.mkdir(parents=True)
    mount_small(node.run, 64)
    node.events.mkdir()
    set_read_only(node.run, True)
    return {}


def _events_full(node: AgentNode) -> dict[str, str]:
    node.events.mkdir(parents=True)
    mount_small(node.events, 4)
    return {"SLURM_JOB_COMMENT": "x" * 100_000}


def _events_a_file(node: AgentNode) -> dict[str, str]:
    node.run.mkdir()
    node.events.write_text("")
    return {}


def _events_below_a_file(node: AgentNode) -> dict[str, str]:
    node.run.write_text("")
    return {}


def _agent_missing(node: AgentNode) -> dict[str, str]:
    return {"SAM_AGENT": f"{node.root}/nowhere"}


def _agent_not_executable(node: AgentNode) -> dict[str, str]:
    node.agent_file.chmod(0o644)
    return {}


def _python_missing(node: AgentNode) -> dict[str, str]:
    node.agent_file.write_text("#!/nowhere/python3\n")
    return {}


def _agent_that_sleeps(node: AgentNode) -> dict[str, str]:
    node.agent_file.write_text("#!/bin/sh\nsleep 300\n")
    return {}


def _configuration_wrong(node: AgentNode) -> dict[str, str]:
    node.config.write_text("[paths]\nspol = 1\n")
    return {}


def _agent_file_of_a_dead_process(node: AgentNode) -> dict[str, str]:
    node.events.mkdir(parents=True)
    Path(f"{node.events}.agent").write_text("4194304 1\n")
    return {}


def _agent_file_a_directory(node: AgentNode) -> dict[str, str]:
    Path(f"{node.events}.agent").mkdir(parents=True)
    return {}


def _node_name_a_path(node: AgentNode) -> dict[str, str]:
    return {"SLURMD_NODENAME": "../../etc/$(id); x"}


def _node_name_missing(node: AgentNode) -> dict[str, str]:
    return {"SLURMD_NODENAME": ""}


def _hostile_comment(node: AgentNode) -> dict[str, str]:
    return {"SLURM_JOB_COMMENT": HOSTILE}


def _path_of_a_user(node: AgentNode) -> dict[str, str]:
    return {"PATH": "/tmp:."}


BROKEN = [
    _no_events_directory, _events_directory_of_another, _events_read_only, _events_full, _events_a_file,
    _events_below_a_file, _agent_missing, _agent_not_executable, _python_missing, _agent_that_sleeps,
    _configuration_wrong, _agent_file_of_a_dead_process, _agent_file_a_directory, _node_name_a_path,
    _node_name_missing, _hostile_comment, _path_of_a_user,
]  # fmt: skip


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda function: function.__name__.strip("_"))
def test_a_hook_is_silent_holds_nothing_and_exits_0(
    agent_node: AgentNode, break_it: Callable[[AgentNode], dict[str, str]]
) -> None:
    more = break_it(agent_node)
    reading, writing = os.pipe()
    try:
        for kind in ("prolog", "epilog"):
            # `hook` fails where the exit code is not 0, where something is said, or a pipe is held.
            agent_node.hook(kind, agent_node.environ(7) | more, descriptors=(writing,))
        os.close(writing)
        if break_it is not _agent_that_sleeps:  # that one is no agent, and keeps what it inherits
            assert read_to_end(reading) == b""
    finally:
        os.close(reading)


def test_a_run_without_gpus_leaves_nothing(agent_node: AgentNode) -> None:
    for devices, ordinal in (("", ""), ("NoDevFiles", ""), ("NoDevFiles", "NoDevFiles")):
        without = {"SLURM_JOB_GPUS": "", "CUDA_VISIBLE_DEVICES": devices, "GPU_DEVICE_ORDINAL": ordinal}
        for kind in ("prolog", "epilog"):
            environ = agent_node.environ(7, "0") | without
            agent_node.hook(kind, {name: value for name, value in environ.items() if value})
    assert not agent_node.run.exists()
    assert not agent_node.processes()


@pytest.mark.parametrize("kind", ["prolog", "epilog"])
def test_the_environment_is_kept_as_the_kernel_has_it(agent_node: AgentNode, kind: str) -> None:
    agent_node.agent_file.chmod(0o644)
    environ = agent_node.environ(7) | {
        "SLURM_JOB_COMMENT": HOSTILE,
        "SLURM_JOB_WORK_DIR": "/a\nSLURM_JOB_ID=8",
    }
    done = agent_node.hook(kind, environ)
    (path,) = agent_node.events.iterdir()
    header, _, kept = path.read_bytes().partition(b"\n")
    given = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
    assert dict(item.split(b"=", 1) for item in kept.split(b"\0") if item) == given
    assert kept.endswith(b"\0")
    event = parse_event(path.name, path.read_bytes(), 0)
    assert event.kind == kind
    assert header.split()[-1].decode() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert done.began_us - 10_000 <= event.uptime_microseconds <= done.ended_us
    assert event.environ["SLURM_JOB_ID"] == "7"
    assert event.environ["SLURM_JOB_USER"] == "alice"


def test_what_a_user_writes_into_a_comment_changes_nothing(agent_node: AgentNode) -> None:
    for kind in ("prolog", "epilog"):
        agent_node.hook(kind, agent_node.environ(7) | {"SLURM_JOB_COMMENT": HOSTILE})
    shard = agent_node.wait_shard()
    assert (shard.key.job_id, shard.user, shard.node) == (7, "alice", "n1")


def test_a_node_name_that_is_a_path_names_no_directory(agent_node: AgentNode) -> None:
    for kind in ("prolog", "epilog"):
        agent_node.hook(kind, agent_node.environ(7) | {"SLURMD_NODENAME": "../../../evil"})
    shard = agent_node.wait_shard()
    assert shard.node == os.uname().nodename.partition(".")[0]
    assert [path.name for path in agent_node.inbox.iterdir()] == [shard.node]
    assert not list(agent_node.root.glob("**/evil"))


def test_the_agent_outlives_the_killing_of_the_hooks_process_group(agent_node: AgentNode) -> None:
    agent_node.prolog(7)  # its group is killed as soon as it has ended
    pid = agent_node.wait_agent()
    assert os.getpgid(pid) == pid
    assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1)} == {"/dev/null"}


def test_a_hook_starts_no_second_agent(agent_node: AgentNode) -> None:
    agent_node.prolog(7)
    pid = agent_node.wait_agent()
    for job in (8, 9, 10):
        agent_node.prolog(job)
    assert agent_node.wait_agent() == pid
    assert agent_node.processes("sam-agent") == [pid]


@pytest.mark.parametrize("is_open", [False, True], ids=["stray name", "open directory"])
def test_an_agent_that_can_do_nothing_about_its_events_does_not_end_at_once(
    agent_node: AgentNode, is_open: bool
) -> None:
    # systemd would start the next one without a pause, and a node would do nothing else.
    node = agent_node
    node.events.mkdir(parents=True, mode=0o700)
    if is_open:
        node.events.chmod(0o777)
    else:
        mount_small(node.events, 64)
        (node.events / "README").touch()
        set_read_only(node.events, True)
    agent = node.start_agent()
    time.sleep(3)
    assert agent.poll() is None
    agent.kill()
    agent.wait()


def test_nobody_but_root_can_open_what_the_agent_locks(agent_node: AgentNode) -> None:
    # Who can open it can lock it, and would keep the node's agent from starting.
    agent = agent_node.start_agent(umask=0o022)  # as systemd does
    agent.wait()
    assert stat.S_IMODE(Path(f"{agent_node.events}.agent").stat().st_mode) == 0o600


def test_many_hooks_at_once_start_one_agent_and_lose_no_run(agent_node: AgentNode) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(agent_node.prolog, range(1, 17)))
        list(pool.map(agent_node.epilog, range(1, 17)))
    assert [shard.key.job_id for shard in agent_node.wait_shards(16)] == list(range(1, 17))
    assert not any(shard.reason for shard in agent_node.shards())
    agent_node.wait_ended()


def test_an_agent_that_was_killed_is_replaced_though_nobody_reaps_it(agent_node: AgentNode) -> None:
    agent_node.prolog(7)
    pid = agent_node.wait_agent()
    agent_node.kill_agent()
    agent_node.epilog(7)
    agent_node.wait_shard()
    assert began(pid) is None


def test_another_process_with_the_agents_old_id_is_not_taken_for_it(agent_node: AgentNode) -> None:
    agent_node.events.mkdir(parents=True, mode=0o700)
    Path(f"{agent_node.events}.agent").write_text(f"{os.getpid()} {(began(os.getpid()) or 0) + 1}\n")
    agent_node.prolog(7)
    assert agent_node.wait_agent() != os.getpid()


def test_prolog_and_epilog_differ_in_their_name_only() -> None:
    texts = [(directory("slurm") / f"{kind}.sh").read_text() for kind in ("prolog", "epilog")]
    assert texts[0].replace("prolog", "epilog") == texts[1]
