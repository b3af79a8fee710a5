"""kill -9 of the agent and of its children: no energy is lost, none is counted twice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sam_cluster.agent.journal import encode
from sam_cluster.core.model import Flag, Shard
from tests.agent.node import SERVICE_USER, AgentNode, bounds_millijoules
from tests.agent.slurmd import HookRun
from tests.unit.simulated_node import energy_of

SEAL_STEPS = ("read", "write", "rename", "done")
PUBLISH_STEPS = ("copy", "rename", "remove", "done")


def assert_within_its_uncertainty(
    shard: Shard, node: AgentNode, gpus: list[int], prolog: HookRun, epilog: HookRun
) -> None:
    doubt = sum(boundary.uncertainty_millijoules for boundary in shard.boundaries)
    least, most = bounds_millijoules(node, gpus, prolog, epilog)
    assert least - doubt <= energy_of(shard) <= most + doubt, shard.boundaries
    assert shard.reason is None


@pytest.mark.parametrize("seed", range(3))
def test_killed_between_boundaries_the_energy_is_unchanged(agent_node: AgentNode, seed: int) -> None:
    node, chance = agent_node, random.Random(seed)
    node.standin.square(0, 100_000, 600_000, 900_000)
    prolog = node.prolog(7)
    node.wait(lambda: b'"kind":"start"' in _journals(node), "the first reading")
    for job in (8, 9):  # each of them starts an agent again
        time.sleep(chance.uniform(0, 0.7))
        node.kill_agent()
        time.sleep(chance.uniform(0, 0.7))
        node.prolog(job, "1")
    epilog = node.epilog(7)
    (shard,) = node.wait_shards(1)
    least, most = bounds_millijoules(node, [0], prolog, epilog)
    assert least <= energy_of(shard) <= most, shard.boundaries
    assert Flag.INTERPOLATED not in shard.flags


@pytest.mark.parametrize("kind", ["prolog", "epilog"])
def test_a_boundary_that_fell_into_an_outage_is_within_its_uncertainty(
    agent_node: AgentNode, kind: str
) -> None:
    node = agent_node
    node.standin.constant(0, 200_000)
    node.prolog(6)  # what was read of the GPU before the outage
    node.wait(lambda: b'"kind":"start"' in _journals(node), "the first reading")
    prolog = node.prolog(7) if kind == "epilog" else None
    time.sleep(1)
    node.kill_agent()
    node.agent_file.chmod(0o644)  # and the hooks can start none
    time.sleep(0.5)
    in_outage = node.hook(kind, node.environ(7))
    node.standin.constant(0, 500_000)
    time.sleep(2.5)
    node.agent_file.chmod(0o755)
    epilog = in_outage
    node.prolog(9, "3")
    if prolog is None:
        prolog = in_outage
        node.wait_agent()
        epilog = node.epilog(7)
    (shard,) = node.wait_shards(1)
    assert Flag.INTERPOLATED in shard.flags
    assert_within_its_uncertainty(shard, node, [0], prolog, epilog)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments_each_run_is_there_once_and_within_its_uncertainty(
    agent_node: AgentNode, seed: int
) -> None:
    node, chance = agent_node, random.Random(seed)
    for gpu in range(4):
        node.standin.square(gpu, 100_000, 500_000 + 50_000 * gpu, 700_000)
    open_runs: dict[int, tuple[int, HookRun]] = {}
    done: dict[int, tuple[int, HookRun, HookRun]] = {}
    for job in range(1, 9):
        gpu = chance.randrange(4)
        open_runs[job] = gpu, node.prolog(job, str(gpu))
        if chance.random() < 0.7:
            time.sleep(chance.uniform(0, 0.6))
            _kill_something(node, chance)
        for ended in [other for other in open_runs if chance.random() < 0.5]:
            gpu, prolog = open_runs.pop(ended)
            done[ended] = gpu, prolog, node.epilog(ended, str(gpu))
    for ended, (gpu, prolog) in open_runs.items():
        done[ended] = gpu, prolog, node.epilog(ended, str(gpu))
    for shard, job in zip(node.wait_shards(8), sorted(done), strict=True):
        assert shard.key.job_id == job
        gpu, prolog, epilog = done[job]
        assert_within_its_uncertainty(shard, node, [gpu], prolog, epilog)
    node.wait_ended()
    assert len(node.shards()) == 8
    _assert_nothing_left(node)


def _kill_something(node: AgentNode, chance: random.Random) -> None:
    """The agent or one of its children, whichever lives."""
    if pids := node.processes(chance.choice(["sam-agent", "agent.seal", "agent.publish", ""])):
        node.kill(chance.choice(pids))


@pytest.mark.parametrize("step", SEAL_STEPS)
def test_sealing_killed_at_any_step_and_done_again_gives_one_whole_shard(
    agent_node: AgentNode, step: str
) -> None:
    node = agent_node
    name = _leave_complete_journal(node)
    outbox = _prepared_outbox(node)
    _seal(node, name, outbox, killed_at=step)
    assert {path.name for path in outbox.glob("n1/[!.]*")} <= {f"{name}.parquet"}
    _seal(node, name, outbox)
    assert [path.name for path in outbox.glob("n1/*")] == [f"{name}.parquet"]
    node.command("publish")
    (shard,) = node.shards()
    assert shard.key.job_id == 7


@pytest.mark.parametrize("step", PUBLISH_STEPS)
def test_publishing_killed_at_any_step_and_done_again_gives_one_whole_shard(
    agent_node: AgentNode, step: str
) -> None:
    node = agent_node
    name = _leave_complete_journal(node)
    outbox = _prepared_outbox(node)
    _seal(node, name, outbox)
    content = (outbox / "n1" / f"{name}.parquet").read_bytes()
    _as_service_user(
        "from sam_cluster.agent.publish import publish; from sam_cluster.agent.spool import Spool; "
        f"publish(Spool({str(node.spool)!r}), {str(node.store)!r}, die_at({step!r}))"
    )
    node.command("publish")
    assert [path.read_bytes() for path in node.inbox.rglob("*") if path.is_file()] == [content]
    assert not list(outbox.glob("n1/*"))


def test_other_bytes_under_the_same_name_are_kept_beside_it(agent_node: AgentNode) -> None:
    node = agent_node
    name = _leave_complete_journal(node)
    outbox = _prepared_outbox(node)
    for content in (b"one", b"other", b"other"):
        (outbox / "n1").mkdir(exist_ok=True)
        shutil.chown(outbox / "n1", SERVICE_USER)
        (outbox / "n1" / f"{name}.parquet").write_bytes(content)
        shutil.chown(outbox / "n1" / f"{name}.parquet", SERVICE_USER)
        assert node.command("publish").stdout == "published: 1\n"
    assert sorted(path.read_bytes() for path in node.inbox.rglob("*.parquet")) == [b"one", b"other"]


def _journals(node: AgentNode) -> bytes:
    return b"".join(path.read_bytes() for path in node.spool.glob("journal/*.journal"))


def _assert_nothing_left(node: AgentNode) -> None:
    files = {path.name for path in node.spool.rglob("*") if path.is_file()}
    assert files <= {"gpus.json", "closed.json", "place.json", "status.json", ".lock"}
    assert not list(node.events.iterdir())


def _leave_complete_journal(node: AgentNode) -> str:
    """The journal of a run that is over, as an agent leaves it that was killed before it sealed it."""
    name = "7.0-1790000000.0"
    started = {"uptime_microseconds": 10, "at_microseconds": 1_790_000_000_000_000}
    key = {"cluster": "bench", "job_id": 7, "restart": 0, "sluid": None}
    head = {
        "r": "run", "facts": {"key": key, "node": "n1", "devices": ["0"]}, "node": "n1", "boot_id": "b",
        "started": started, "part": 0, "version": "0", "since": {}, "finished": [], "flags": [],
    }  # fmt: skip
    close = {
        "r": "close", "final": True, "ended": started, "flags": [], "reasons": {}, "reason": "no_reading",
    }  # fmt: skip
    journal = node.spool / "journal"
    journal.mkdir(parents=True, mode=0o700)
    (journal / f"{name}.journal").write_bytes(encode(head) + encode(close))
    return name


def _prepared_outbox(node: AgentNode) -> Path:
    from sam_cluster.agent.spool import Spool, service_account

    return Path(Spool(str(node.spool)).prepare_outbox(service_account(SERVICE_USER)))


def _seal(node: AgentNode, name: str, outbox: Path, *, killed_at: str = "") -> None:
    with (node.spool / "journal" / f"{name}.journal").open("rb") as journal:
        _as_service_user(
            "from sam_cluster.agent.seal import seal; "
            f"seal({journal.fileno()}, {name!r}, {str(outbox)!r}, die_at({killed_at!r}))",
            journal.fileno(),
        )


def _as_service_user(program: str, *descriptors: int) -> None:
    """Run a program in which `die_at(step)` is a step function that dies there."""
    preamble = (
        "import os, signal\n"
        "def die_at(wanted):\n"
        "    return lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == wanted else None\n"
    )
    subprocess.run(
        [sys.executable, "-I", "-c", preamble + program],
        user=SERVICE_USER, extra_groups=[], pass_fds=descriptors, cwd="/", check=False,
    )  # fmt: skip
