"""Which jobs are seen to live in /proc, and that nobody but root can say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sam_cluster.agent.liveness import live_jobs

#: A job of this run of the tests, which another beside it does not have.
JOB = os.getpid()


@contextmanager
def called_slurmstepd(directory: Path, user: str | None = None) -> Iterator[None]:
    """A process with the name and the title of a job's step daemon, which anybody can give their own."""
    executable = directory / "slurmstepd"
    shutil.copy(shutil.which("cat") or "/usr/bin/cat", executable)
    executable.chmod(0o755)
    argv = [f"slurmstepd: [{JOB}.extern]"]
    child = subprocess.Popen(
        argv,
        executable=executable,
        user=user,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert child.stdin and child.stdout
    # The kernel closes the pipe that Popen waits for before it sets the name and the title of what it
    # executes: only a program that answers has both.
    child.stdin.write(b"\n")
    assert child.stdout.read(1) == b"\n"
    try:
        yield
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that another user can go through to."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def test_a_step_daemon_of_the_agents_user_says_that_its_job_lives(open_directory: Path) -> None:
    assert JOB not in live_jobs()
    with called_slurmstepd(open_directory):
        assert JOB in live_jobs()
    assert JOB not in live_jobs()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_users_process_that_is_called_a_step_daemon_is_none(open_directory: Path) -> None:
    # Seen alive and then gone, it would end the metering of somebody's run, or of the user's own.
    with called_slurmstepd(open_directory, "nobody"):
        assert JOB not in live_jobs()
