"""Whatever is broken on a node: the hooks return (as `AgentNode.hook` asserts), and the run is in the store
at last, with its figure or its reason."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sam_cluster.agent.journal import encode
from sam_cluster.core.model import Flag, Reason, Shard
from tests.agent.node import SERVICE_USER, AgentNode, bounds_millijoules
from tests.agent.slurmd import HookRun
from tests.bench.mounts import mount_small, set_read_only
from tests.unit.simulated_node import energy_of

HANG_US = 60_000_000
OK, UNINITIALIZED, UNSUPPORTED, TIMEOUT, NO_FUNCTION, LOST, RESET_REQUIRED, MISMATCH, UNKNOWN = (
    0, 1, 3, 10, 13, 15, 16, 18, 999,
)  # fmt: skip


def assert_figure(shard: Shard, node: AgentNode, gpus: list[int], prolog: HookRun, epilog: HookRun) -> None:
    doubt = sum(boundary.uncertainty_millijoules for boundary in shard.boundaries)
    least, most = bounds_millijoules(node, gpus, prolog, epilog)
    if Flag.INTERPOLATED not in shard.flags:
        doubt = 0
    assert least - doubt <= energy_of(shard) <= most + doubt, shard.boundaries


def reasons(shard: Shard) -> list[Reason | None]:
    return [gpu.reason for gpu in shard.gpus]


# ---- NVML ----


def test_without_nvml_a_run_has_its_reason(agent_node: AgentNode) -> None:
    agent_node.standin.path.unlink()  # the stand-in says then what a missing driver does
    agent_node.prolog(7, "0,1")
    agent_node.epilog(7, "0,1")
    shard = agent_node.wait_shard()
    assert shard.reason is Reason.NVML_ABSENT
    assert reasons(shard) == [Reason.NVML_ABSENT] * 2
    agent_node.wait_ended()


def test_nvml_that_hangs_at_first_delays_no_hook_and_a_run_gets_its_figure(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.set_latency(None, "init", HANG_US)
    prolog = node.prolog(7, "0,1")
    node.wait_agent()
    time.sleep(2)
    node.standin.set_latency(None, "init", 0)
    time.sleep(1)
    epilog = node.epilog(7, "0,1")
    assert_figure(node.wait_shard(), node, [0, 1], prolog, epilog)


def test_nvml_that_hangs_at_the_end_delays_no_hook_and_a_run_gets_its_figure(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.constant(0, 300_000)
    prolog = node.prolog(7, "0,1")
    node.wait_agent()
    time.sleep(1)
    node.standin.set_latency(0, "energy", HANG_US)
    time.sleep(1.2)
    epilog = node.epilog(7, "0,1")
    other = node.prolog(8, "2"), node.epilog(8, "2")
    shard = node.wait_shard()  # what hangs on one GPU keeps no run on another
    assert shard.key.job_id == 8
    assert_figure(shard, node, [2], *other)
    node.standin.set_latency(0, "energy", 0)
    assert_figure(node.wait_shards(2)[0], node, [0, 1], prolog, epilog)


@pytest.mark.parametrize("code", [LOST, RESET_REQUIRED, UNKNOWN])
def test_one_gpu_that_fails_spoils_none_of_the_others(agent_node: AgentNode, code: int) -> None:
    node = agent_node
    node.standin.set_error(1, "energy", code)
    prolog = node.prolog(7, "0,1,2,3")
    time.sleep(1)
    epilog = node.epilog(7, "0,1,2,3")
    shard = node.wait_shard()
    reason = Reason.NVML_FAILED if code == UNKNOWN else Reason.GPU_LOST
    assert reasons(shard) == [None, reason, None, None]
    assert_figure(shard, node, [0, 2, 3], prolog, epilog)


def test_a_gpu_that_is_lost_keeps_what_was_read_of_it(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.constant(1, 500_000)
    node.configure(interval_seconds=0.5)
    prolog = node.prolog(7, "0,1")
    node.wait_agent()
    time.sleep(1.5)
    node.standin.set_error(1, "any", LOST)
    lost = node.standin.now_us()
    time.sleep(1)
    epilog = node.epilog(7, "0,1")
    shard = node.wait_shard()
    assert {Flag.EARLY_END} <= set(shard.flags)
    truth = float(node.standin.truth_millijoules(1, prolog.began_us, lost))
    measured = energy_of(shard) - float(node.standin.truth_millijoules(0, prolog.ended_us, epilog.began_us))
    assert 0.3 * truth <= measured <= truth + 0.2 * 500_000


@pytest.mark.parametrize("code", [UNINITIALIZED, UNSUPPORTED, TIMEOUT, MISMATCH, UNKNOWN])
def test_a_call_that_fails_now_and_then_costs_nothing(agent_node: AgentNode, code: int) -> None:
    node = agent_node
    node.standin.constant(0, 300_000)
    prolog = node.prolog(7, "0,1")
    node.wait_agent()
    node.wait(lambda: b'"kind":"start"' in _journals(node), "the first reading")
    node.standin.set_error(0, "energy", code, count=1)
    time.sleep(2.5)
    epilog = node.epilog(7, "0,1")
    shard = node.wait_shard()
    assert_figure(shard, node, [0, 1], prolog, epilog)
    assert not {Flag.COUNTER_RESET, Flag.POWER_ONLY, Flag.EARLY_END} & set(shard.flags)


@pytest.mark.parametrize("code", [UNSUPPORTED, NO_FUNCTION])
def test_a_gpu_that_has_no_counter_is_metered_by_power_beside_one_that_has(
    agent_node: AgentNode, code: int
) -> None:
    node = agent_node
    node.standin.set_error(0, "energy", code)
    node.standin.constant(0, 400_000)
    prolog = node.prolog(7, "0,1")
    time.sleep(1.5)
    epilog = node.epilog(7, "0,1")
    shard = node.wait_shard()
    assert_figure(shard, node, [0, 1], prolog, epilog)
    by_power = {b.gpu_uuid for b in shard.boundaries if Flag.POWER_ONLY in b.flags}
    assert by_power == {node.standin.uuid(0)}


def test_the_driver_is_let_go_of_when_opening_it_fails_half_way(agent_node: AgentNode) -> None:
    node = agent_node
    node.standin.set_error(None, "enumeration", UNKNOWN)
    node.prolog(7)
    node.wait_agent()
    node.wait(lambda: node.standin.calls("shutdown"), "the release of the driver")
    node.epilog(7)
    assert node.wait_shard().reason is Reason.NVML_FAILED
    node.wait(lambda: not node.standin.clients(), "the release of the driver")


# ---- spool ----


def test_a_spool_that_is_read_only_for_a_while_loses_nothing(agent_node: AgentNode) -> None:
    node = agent_node
    node.spool.mkdir()
    mount_small(node.spool, 1024)
    set_read_only(node.spool, True)
    prolog = node.prolog(7)
    node.wait(node.agent, "an agent")
    time.sleep(1)
    epilog = node.epilog(7)
    time.sleep(1)
    assert node.waiting_events()  # not taken away before they are on disk
    set_read_only(node.spool, False)
    assert_figure(node.wait_shard(), node, [0], prolog, epilog)


@pytest.mark.parametrize("when", ["before the run", "inside the run"])
def test_a_spool_that_is_full_for_a_while_loses_nothing(agent_node: AgentNode, when: str) -> None:
    node = agent_node
    node.spool.mkdir()
    mount_small(node.spool, 256)
    filler = node.spool / "filler"
    if when == "before the run":
        _fill(filler)
    prolog = node.prolog(7)
    node.wait(lambda: node.agent() and node.standin.calls("energy"), "the first reading")
    if when == "inside the run":
        node.wait_agent()
        _fill(filler)
    time.sleep(1)
    epilog = node.epilog(7)
    time.sleep(1.5)
    filler.unlink()
    assert_figure(node.wait_shard(), node, [0], prolog, epilog)
    node.wait_ended()
    assert not list(node.spool.glob("journal/*.bad"))


@pytest.mark.parametrize("take_away", [shutil.rmtree, lambda path: mount_small(path, 1024)],
                         ids=["removed", "mounted over"])  # fmt: skip
def test_a_spool_that_goes_away_under_a_run_loses_nothing(
    agent_node: AgentNode, take_away: Callable[[Path], None]
) -> None:
    node = agent_node
    prolog = node.prolog(7, "0,1")
    node.wait(lambda: b'"kind":"start"' in _journals(node), "the first reading")
    take_away(node.spool)
    time.sleep(1)
    epilog = node.epilog(7, "0,1")
    assert_figure(node.wait_shard(), node, [0, 1], prolog, epilog)


def test_a_journal_that_is_torn_loses_its_last_line_only(agent_node: AgentNode) -> None:
    node = agent_node
    prolog = node.prolog(7)
    node.wait(lambda: b'"kind":"start"' in _journals(node), "the first reading")
    node.kill_agent()
    (path,) = node.spool.glob("journal/*.journal")
    path.write_bytes(path.read_bytes()[:-20])
    time.sleep(0.5)
    epilog = node.epilog(7)
    assert_figure(node.wait_shard(), node, [0], prolog, epilog)


def test_a_journal_that_holds_no_run_is_set_aside_and_keeps_no_other(agent_node: AgentNode) -> None:
    node = agent_node
    journal = node.spool / "journal"
    journal.mkdir(parents=True, mode=0o700)
    (journal / "5.0-1.0.journal").write_bytes(encode({"r": "run"}))
    (journal / "6.0-1.0.journal").mkdir()
    (journal / "torn.journal").write_bytes(b"no journal at all")
    prolog = node.prolog(7)
    time.sleep(0.5)
    epilog = node.epilog(7)
    assert_figure(node.wait_shard(), node, [0], prolog, epilog)
    said = node.command("status").stdout
    assert all(f"{name} holds no run" in said for name in ("5.0-1.0", "6.0-1.0", "torn"))


# ---- store ----


def test_what_is_sealed_while_the_store_is_away_arrives_when_it_is_back(agent_node: AgentNode) -> None:
    node = agent_node
    away = node.store.rename(node.root / "away")
    for job in (7, 8):
        node.prolog(job)
        node.epilog(job)
        node.wait(lambda job=job: len(list(node.spool.glob("outbox/n1/*.parquet"))) == job - 6, "the shard")
        node.wait_ended()
    assert "not published" in node.command("status").stdout
    assert not node.store.exists()
    away.rename(node.store)
    node.prolog(9)  # the next agent brings what still lies there
    node.wait_shards(2)
    node.epilog(9)
    node.wait_shards(3)


def test_a_store_that_hangs_keeps_neither_runs_nor_agents(agent_node: AgentNode) -> None:
    node = agent_node
    node.prolog(7)
    node.wait_agent()
    (path,) = node.spool.glob("journal/*.journal")
    directory = node.inbox / "n1"
    directory.mkdir()
    hanging = directory / f".{path.stem}.parquet.part"
    os.mkfifo(hanging)  # whoever opens it for writing waits, as on a server that does not answer
    for place in (directory, hanging):
        shutil.chown(place, SERVICE_USER)
    node.epilog(7)
    node.wait(lambda: node.processes("agent.publish"), "a child that publishes")
    node.wait(lambda: not node.agent(), "the end of the agent")
    for job in (8, 9):
        node.prolog(job)
        node.epilog(job)
        node.wait(lambda: not node.waiting_events(), "the events to be taken")
    node.wait(lambda: len(list(node.spool.glob("outbox/n1/*.parquet"))) == 3, "the shards")
    assert not node.shards()
    hanging.rename(directory / "answered")
    with (directory / "answered").open("rb"):
        node.wait(lambda: len(node.shards()) >= 2, "what waited behind it")
    node.wait_ended()
    node.command("publish")
    assert [shard.key.job_id for shard in node.wait_shards(3)] == [7, 8, 9]


def test_without_the_service_user_runs_wait_and_status_says_so(agent_node: AgentNode) -> None:
    node = agent_node
    right = node.config.read_text()
    node.config.write_text(right.replace(f'"{SERVICE_USER}"', '"nobody-of-that-name"'))
    prolog = node.prolog(7)
    time.sleep(0.5)
    epilog = node.epilog(7)
    node.wait(lambda: "useradd" in node.command("status").stdout, "a complaint")
    node.wait_ended()
    node.config.write_text(right)
    node.prolog(8)
    assert_figure(node.wait_shard(), node, [0], prolog, epilog)


# ---- events ----


@pytest.mark.parametrize("what", ["the directory of events", "all of /run"])
def test_events_removed_under_the_agent_are_seen_again_at_once(agent_node: AgentNode, what: str) -> None:
    node = agent_node
    prolog = node.prolog(7)
    pid = node.wait_agent()
    node.wait(lambda: b'"kind":"start"' in _journals(node), "the first reading")
    gone = node.events if what == "the directory of events" else node.run
    shutil.rmtree(gone.rename(node.root / "gone"))  # the agent makes it anew while it is being emptied
    time.sleep(0.5)
    epilog = node.epilog(7)
    shard = node.wait_shard()
    assert_figure(shard, node, [0], prolog, epilog)
    assert Flag.INTERPOLATED not in shard.flags
    assert node.agent() in (pid, None)
    node.wait_ended()


def test_the_agents_file_removed_under_it_makes_no_second_agent(agent_node: AgentNode) -> None:
    node = agent_node
    node.prolog(7)
    pid = node.wait_agent()
    Path(f"{node.events}.agent").unlink()
    node.prolog(8)
    node.wait(lambda: node.agent() == pid, "the agent's file")
    assert node.wait_agent() == pid
    node.wait(lambda: node.processes("sam-agent") == [pid], "the end of the second agent")


def test_what_is_no_event_is_moved_aside_and_keeps_no_other(agent_node: AgentNode) -> None:
    node = agent_node
    node.events.mkdir(parents=True, mode=0o700)
    (node.events / "1.event").write_text("nonsense")
    (node.events / "2.event").symlink_to("/etc/passwd")
    os.mkfifo(node.events / "3.event")
    (node.events / "4.event").mkdir()
    (node.events / "5.event").write_text(
        "sam-event 1 prolog 1.00 00000000-0000-0000-0000-000000000000\nA=1\0"
    )
    prolog = node.prolog(7)
    time.sleep(0.5)
    epilog = node.epilog(7)
    assert_figure(node.wait_shard(), node, [0], prolog, epilog)
    assert {path.name for path in node.events.iterdir()} == {f".{number}.event.bad" for number in range(1, 6)}


def _journals(node: AgentNode) -> bytes:
    return b"".join(path.read_bytes() for path in node.spool.glob("journal/*.journal"))


def _fill(path: Path) -> None:
    with pytest.raises(OSError, match="No space"), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
