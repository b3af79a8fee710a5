"""`sam-cluster run`: one command under the meter, on a machine without Slurm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sam_cluster.standin.standin import Standin
from sam_cluster.store.shards import read_summary


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    standin = Standin.create(tmp_path / "state", gpus=2)
    standin.constant(0, 300_000)
    standin.constant(1, 100_000)
    yield standin


def run(standin: Standin | None, *words: object, **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    where = standin.environment() if standin else {}
    command = [sys.executable, "-m", "sam_cluster", "run", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**plain, **where, **environ}
    )


def test_a_command_has_the_energy_of_the_gpus_it_could_see(standin: Standin) -> None:
    done = run(standin, "--format", "json", "--", "sh", "-c", "sleep 2; echo out; exit 3")
    (row,) = json.loads(done.stderr)
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert row["gpus"] == 2 and row["quality"] == "measured"
    assert row["energy_millijoules"] == pytest.approx(row["seconds"] * 400_000, abs=0.2 * 400_000)


def test_only_the_visible_gpu_counts(standin: Standin) -> None:
    done = run(standin, "--format", "json", "--", "sleep", "1", CUDA_VISIBLE_DEVICES=standin.uuid(1))
    (row,) = json.loads(done.stderr)
    assert row["gpus"] == 1
    assert row["energy_millijoules"] == pytest.approx(row["seconds"] * 100_000, abs=0.2 * 100_000)


def test_what_was_drawn_while_a_counter_restarted_is_in_the_figure(standin: Standin) -> None:
    standin.reset(0, at_us=standin.now_us() + 4_500_000)
    done = run(standin, "--format", "json", "--", "sleep", "5", CUDA_VISIBLE_DEVICES=standin.uuid(0))
    (row,) = json.loads(done.stderr)
    assert (row["flags"], row["quality"]) == (["bridged"], "estimated")
    assert row["energy_millijoules"] == pytest.approx(row["seconds"] * 300_000, abs=0.2 * 300_000)


def test_the_shard_is_kept_where_a_store_is_named(standin: Standin, tmp_path: Path) -> None:
    (tmp_path / "store" / "inbox").mkdir(parents=True)
    done = run(standin, "--store", tmp_path / "store", "--", "true")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "store" / "inbox").rglob("*.parquet")
    shard, _ = read_summary(path)
    assert len(shard.gpus) == 2 and shard.final


def test_without_nvml_the_command_runs_and_the_figure_is_unknown_with_its_reason(tmp_path: Path) -> None:
    done = run(None, "--format", "json", "--", "echo", "ran", LD_LIBRARY_PATH=str(tmp_path))
    (row,) = json.loads(done.stderr)
    assert done.stdout == "ran\n"
    assert (row["energy_millijoules"], row["quality"]) == (None, "unknown")
    assert row["reason"] == "nvml_absent"


def test_a_command_that_is_not_there_is_a_clear_error(standin: Standin) -> None:
    done = run(standin, "--", "/no/such/command")
    assert done.returncode == 2
    assert "/no/such/command" in done.stderr and "Traceback" not in done.stderr
