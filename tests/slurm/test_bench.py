"""The bench is a Slurm: its nodes, hooks and accounting do what tests of the metering rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.slurm import BenchError, SlurmCluster, requirements
from tests.bench.slurm.record import COMMENT, Recorder, parse_environ, record_cases

RECORDED = Path(__file__).parents[1] / "data" / "environ"
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def bare_hooks(slurm_cluster: SlurmCluster) -> SlurmCluster:
    """The bench at rest and without hooks."""
    slurm_cluster.set_hooks()
    slurm_cluster.wait_idle()
    return slurm_cluster


def test_a_job_on_two_nodes_is_accounted_with_its_gpus_and_its_lab(bare_hooks: SlurmCluster) -> None:
    assert bare_hooks.node_states() == {"n1": "idle", "n2": "idle", "n3": "idle"}
    job = bare_hooks.submit("id -un", user="carol", account="vision", nodes=2, gpus_per_node=2)
    assert bare_hooks.wait(job) == {str(job): "COMPLETED"}
    bare_hooks.wait_accounted(job)
    [row] = bare_hooks.sacct(f"--jobs={job}", fields="User,Account,State,NNodes,AllocTRES")
    assert (row["User"], row["Account"], row["State"], row["NNodes"]) == ("carol", "vision", "COMPLETED", "2")
    assert "gres/gpu=4" in row["AllocTRES"].split(",")
    assert (bare_hooks.work / f"slurm-{job}.out").read_text() == "carol\n"


def test_a_job_of_an_account_that_its_user_is_not_in_is_refused(bare_hooks: SlurmCluster) -> None:
    with pytest.raises(BenchError, match=r"[Ii]nvalid account"):
        bare_hooks.submit(user="alice", account="nlp")


def test_both_hooks_run_as_root_on_every_node_of_a_job_and_see_its_gpus(bare_hooks: SlurmCluster) -> None:
    recorder = Recorder(bare_hooks)
    job = bare_hooks.submit(nodes=3, gpus_per_node=3)
    bare_hooks.wait(job)
    bare_hooks.wait_idle()
    records = recorder.records(job)
    expected = sorted((hook, node) for hook in ("prolog", "epilog") for node in ("n1", "n2", "n3"))
    assert sorted((record.hook, record.node) for record in records) == expected
    for record in records:
        assert record.uid == 0
        assert record.variables()["SLURM_JOB_GPUS"] == "0,1,2"
        assert record.variables()["SLURMD_NODENAME"] == record.node
        assert record.variables()["SLURM_JOB_USER"] == "alice"


def test_recorded_environments_are_those_that_this_slurm_gives(bare_hooks: SlurmCluster) -> None:
    files = record_cases(bare_hooks)
    release = "{:02d}.{:02d}".format(*requirements.slurm_release())
    kept = {path.name: path.read_bytes() for path in RECORDED.glob(f"{release}-*")}
    if not kept:
        pytest.skip(f"nothing is recorded of Slurm {release}")
    assert kept.keys() == files.keys()
    for name, environ in files.items():
        assert _names(environ) == _names(kept[name]), name

    variables = {name.removeprefix(f"{release}-"): parse_environ(environ) for name, environ in files.items()}
    comment, requeued = variables["prolog-comment.environ"], variables["epilog-requeue-0.environ"]
    assert comment["SLURM_JOB_COMMENT"] == COMMENT
    assert comment["SLURM_JOB_USER"] == "carol"
    assert variables["prolog-requeue-0.environ"]["SLURM_JOB_RESTART_COUNT"] == "0"
    assert requeued["SLURM_JOB_RESTART_COUNT"] == "1"
    assert len({variables[f"prolog-array-{task}.environ"]["SLURM_JOB_ID"] for task in (1, 2, 3)}) == 3
    leader = variables["prolog-het-0.environ"]["SLURM_JOB_ID"]
    assert variables["prolog-het-1.environ"]["SLURM_HET_JOB_ID"] == leader
    assert "SLURM_JOB_GPUS" not in variables["prolog-nogpu.environ"]


def test_a_job_outlives_its_slurmd_and_ends_when_that_is_back(bare_hooks: SlurmCluster) -> None:
    job = bare_hooks.submit("sleep 3", extra=["--nodelist=n2"])
    bare_hooks.wait_started(job)
    bare_hooks.kill_slurmd("n2")
    with pytest.raises(BenchError, match=r"slurmd\.n2 does not run"):
        bare_hooks.slurmd_pid("n2")
    bare_hooks.start_slurmd("n2")
    assert set(bare_hooks.wait(job).values()) == {"COMPLETED"}
    bare_hooks.wait_idle()


def test_a_cancelled_job_a_failed_one_and_one_out_of_time_end_as_such(bare_hooks: SlurmCluster) -> None:
    cancelled, failed, late = (bare_hooks.submit(script) for script in ("sleep 99", "exit 3", "sleep 99"))
    bare_hooks.wait_started(cancelled)
    bare_hooks.wait_started(late)
    bare_hooks.expire(late)
    bare_hooks.cancel(cancelled)
    states = bare_hooks.wait([cancelled, failed, late])
    assert states == {str(cancelled): "CANCELLED", str(failed): "FAILED", str(late): "TIMEOUT"}


def test_a_bench_beside_another_leaves_no_process_and_no_file_even_when_killed(
    bare_hooks: SlurmCluster,
) -> None:
    script = f"""
import os, signal
from tests.bench.slurm import SlurmCluster
cluster = SlurmCluster(prolog={str(_daemon_starting_hook(bare_hooks))!r})
cluster.__enter__()
cluster.wait_started(cluster.submit("sleep 1000"))
print(cluster.layout.root, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert killed.returncode == -signal.SIGKILL
    root = Path(killed.stdout.strip())
    daemons = {"munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "slurmstepd", "sleep"}
    assert daemons <= _commands_that_name(root)
    SlurmCluster().stop()
    assert _commands_that_name(root) == set()
    assert not root.exists()
    assert set(bare_hooks.node_states().values()) == {"idle"}


def test_a_bench_that_cannot_start_says_why_and_leaves_nothing(bare_hooks: SlurmCluster) -> None:
    cluster = SlurmCluster(extra_conf="JobSubmitPlugins=nonsense")
    with pytest.raises(BenchError, match=r"slurmctld has ended(.|\n)*nonsense"), cluster:
        pass
    assert _commands_that_name(cluster.layout.root) == set()
    assert not cluster.layout.root.exists()


def _daemon_starting_hook(cluster: SlurmCluster) -> Path:
    hook = cluster.layout.root / "leave-a-daemon"
    hook.write_text("#!/bin/sh\nsetsid -f sleep 1001 </dev/null >/dev/null 2>&1\nexit 0\n")
    hook.chmod(0o755)
    return hook


def _names(environ: bytes) -> set[bytes]:
    return {item.partition(b"=")[0] for item in environ.split(b"\0") if item}


def _commands_that_name(root: Path) -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marks = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if bytes(root) in marks + os.readlink(bytes(process / "cwd")):
                found.add((process / "comm").read_text().strip())
        except OSError:
            continue
    return found
