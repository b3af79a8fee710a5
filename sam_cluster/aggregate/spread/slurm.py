"""Workers of Dask as Slurm jobs, by dask-jobqueue; the scheduler is in this process.

Which partition, account, Python … they have is in Dask's own configuration, under jobqueue.slurm.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Event, Thread
from typing import Any

from sam_cluster.accounting.commands import run_command, said
from sam_cluster.core.errors import SchedulerError

from .wiring import DASK

#: What a worker asks Slurm for where Dask's configuration says nothing. No GPU.
WORKER = {"cores": 2, "memory": "4 GiB"}
JOBS_AT_MOST = 8
#: For fewer another job is not worth its start.
TASKS_A_JOB = 4
#: So often is looked whether a job is to be submitted anew.
LOOK_SECONDS = 5


@contextmanager
def slurm_cluster(store: Path) -> Iterator[tuple[Any, Callable[[int], None]]]:
    """The cluster, and what is to be told how many tasks there will be: it starts jobs for them.

    It is encrypted, and only its own workers have the key: who reaches the port of a scheduler runs code as
    its user. Raises SchedulerError.
    """
    with _cluster(store) as cluster:
        _ask_slurm(cluster.job_script())
        jobs, ended = 1, Event()

        def expect(tasks: int) -> None:
            nonlocal jobs
            jobs = max(jobs, min(ceil(tasks / TASKS_A_JOB), JOBS_AT_MOST))
            cluster.scale(jobs=jobs)

        def replace() -> None:
            """A worker whose job was ended is one too few, which Dask mends only when it is asked again."""
            while not ended.wait(LOOK_SECONDS):
                cluster.scale(jobs=jobs)

        cluster.scale(jobs=jobs)
        thread = Thread(target=replace, name="workers", daemon=True)
        thread.start()
        try:
            yield cluster, expect
        finally:
            ended.set()
            thread.join()


def _cluster(store: Path) -> Any:
    try:
        import dask_jobqueue

        library: Any = dask_jobqueue
        configured = DASK.config.get("jobqueue.slurm")
        # Without a place for its log each worker leaves one where the command was called.
        log = [] if configured["log-directory"] else ["--output=/dev/null"]
        return library.SLURMCluster(
            **{name: configured[name] or value for name, value in WORKER.items()},
            processes=1,  # of a job of several Dask does not see that it was ended
            job_extra_directives=[*log, *configured["job-extra-directives"]],
            scheduler_options={"dashboard_address": "127.0.0.1:0", **configured["scheduler-options"]},
            security=True,
            # Workers find their key there; only this user may read it, and it goes with the scheduler.
            shared_temp_directory=configured["shared-temp-directory"] or str(store),
        )
    except ImportError:
        raise SchedulerError(
            "--slurm needs dask-jobqueue and cryptography: install them by `pip install sam-cluster[slurm]`"
        ) from None


def _ask_slurm(script: str) -> None:
    """Whether Slurm would take such a job. Raises SchedulerError with Slurm's words where it would not."""
    try:
        with NamedTemporaryFile("w", suffix=".sh") as file:
            file.write(script)
            file.flush()
            run_command(["sbatch", "--test-only", file.name], os.environ)
    except subprocess.CalledProcessError as error:
        raise SchedulerError(
            f"Slurm takes no worker: {' '.join(said(error).split())}; name partition and account in "
            "jobqueue.slurm of Dask's configuration"
        ) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise SchedulerError(f"--slurm needs sbatch, which could not be run: {error}") from None
