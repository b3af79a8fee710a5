"""Where one host ends: the workers of a running Dask cluster, and workers as Slurm jobs.

Reading is spread, folding and committing are not: one writer makes the tables. What a worker is given are
paths, so that every worker must find the store at the same path, and have the same sam-cluster.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import call
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from sam_cluster import __version__
from sam_cluster.accounting.commands import run_command, said
from sam_cluster.core.errors import SamClusterError

from .wiring import DASK, Answer, Executor, Item, LocalExecutor, Progress, batches, silent

CONNECT_SECONDS = 10
#: A scheduler is there when its workers are.
WORKER_SECONDS = 30
#: In Slurm's queue a job may wait.
SLURM_SECONDS = 600
#: A task whose worker died is given to another so many times by the scheduler
#: (distributed.scheduler.allowed-failures); one that failed otherwise, such as on the way to a worker:
RETRIES = 3
SLURM_JOBS_AT_MOST = 8
#: What a worker asks Slurm for where Dask's configuration (jobqueue.slurm) says nothing. No GPU.
SLURM_WORKER = {"cores": 2, "memory": "4 GiB"}


class SchedulerError(SamClusterError):
    """Raised when the workers that were asked for cannot be had, or are lost."""


class ClusterExecutor:
    """Dask on the workers of a scheduler."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(
        self, function: Callable[[Sequence[Item]], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """As Executor says. What a worker was at that died is done by another.

        Raises SchedulerError where several died of the same, or the scheduler did.
        """
        import distributed

        library: Any = distributed
        groups = batches(items)
        # As partials, because Dask looks into every argument for futures of its own.
        calls = [partial(function, group) for group in groups]
        futures = self._client.map(call, calls, pure=False, retries=RETRIES)
        sizes = {future.key: len(group) for future, group in zip(futures, groups, strict=True)}
        finished = 0
        try:
            for future in library.as_completed(futures):
                if future.status != "finished":
                    break
                finished += sizes[future.key]
                done(finished)
            return list(self._client.gather(futures))
        except library.KilledWorker as error:
            raise SchedulerError(
                "workers died one after another of the same shards, the last at "
                f"{error.last_worker.address}; see its log, or give it more memory. Nothing is lost"
            ) from None
        except (library.CancelledError, library.client.FutureCancelledError, OSError):
            raise SchedulerError(
                "the Dask scheduler went away in the middle; nothing is lost, run it again"
            ) from None


@contextmanager
def open_executor(
    *,
    store: Path,
    scheduler: str | None = None,
    slurm: bool = False,
    progress: Progress = silent,
) -> Iterator[Executor]:
    """Threads of this process; a running cluster by its scheduler's address; or workers as Slurm jobs.

    Raises SchedulerError.
    """
    if slurm:
        with _slurm_cluster(store) as cluster, _client(cluster) as client:
            none_came = (
                f"Slurm started no worker in {SLURM_SECONDS} s: `squeue --me` says why. Their partition and "
                "account are in jobqueue.slurm of Dask's configuration"
            )
            _await_worker(client, SLURM_SECONDS, none_came, progress)
            yield ClusterExecutor(client)
    elif scheduler is not None:
        with _client(scheduler) as client:
            none_came = (
                f"the scheduler at {scheduler} has no workers: start some by `dask worker {scheduler}`"
            )
            _await_worker(client, WORKER_SECONDS, none_came, progress)
            yield ClusterExecutor(client)
    else:
        yield LocalExecutor()


@contextmanager
def _client(address: Any) -> Iterator[Any]:
    import distributed

    library: Any = distributed
    try:
        client = library.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:  # the last where tls:// is not configured
        raise SchedulerError(
            f"no Dask scheduler answers at {address}: {error}; start one by `dask scheduler`, "
            "or leave --scheduler away to use threads"
        ) from None
    with client:
        yield client


def _await_worker(client: Any, seconds: int, none_came: str, progress: Progress) -> None:
    """Wait for the first worker, and see that scheduler and workers are of this release."""
    progress("waiting for workers", 0, 0)
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError:
        raise SchedulerError(none_came) from None
    hosts = client.get_versions(packages=["sam_cluster"])
    for name, host in {"the scheduler": hosts["scheduler"], **hosts["workers"]}.items():
        found = host["packages"]["sam_cluster"]
        if found != __version__:
            raise SchedulerError(
                f"{name} has sam-cluster {found}, and this host {__version__}: install the same on every host"
            )


@contextmanager
def _slurm_cluster(store: Path) -> Iterator[Any]:
    """A scheduler in this process, encrypted: who reaches another one's port runs code as its user."""
    try:
        import dask_jobqueue

        library: Any = dask_jobqueue
        configured = DASK.config.get("jobqueue.slurm")
        # Without a place for its log each worker leaves one where the command was called.
        log = [] if configured["log-directory"] else ["--output=/dev/null"]
        cluster = library.SLURMCluster(
            **{name: configured[name] or value for name, value in SLURM_WORKER.items()},
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
    with cluster:
        _ask_slurm(cluster.job_script())
        cluster.adapt(minimum_jobs=1, maximum_jobs=SLURM_JOBS_AT_MOST)
        yield cluster


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
