"""Where one host ends: the workers of a running Dask cluster, or of one whose workers are Slurm jobs.

Reading is spread, folding and committing are not: one writer makes the tables. What a worker is given are
paths, so that every worker must find the store at the same path, and have the same sam-cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import call
from pathlib import Path
from typing import Any

from sam_cluster import __version__
from sam_cluster.core.errors import SchedulerError

from .slurm import slurm_cluster
from .wiring import Answer, Executor, Item, LocalExecutor, Progress, batches, silent

CONNECT_SECONDS = 10
#: A scheduler is there when its workers are.
WORKER_SECONDS = 30
#: Workers that all die in the middle may be started anew, by their nannies or by who watches them.
LOST_SECONDS = 120
#: How often it is looked whether there are any, while an answer is waited for.
LOOK_SECONDS = 2
#: In Slurm's queue a job may wait.
SLURM_SECONDS = 600
#: A task whose worker died is given to another so many times by the scheduler
#: (distributed.scheduler.allowed-failures); one that failed otherwise, such as on the way to a worker:
RETRIES = 3

WAITING = "waiting for workers"  # as progress


class ClusterExecutor:
    """Dask on the workers of a scheduler. `expect` hears how many tasks there will be, and `progress` that
    there are no workers, for which it waits as long as `patience_seconds`."""

    def __init__(
        self,
        client: Any,
        expect: Callable[[int], None] = lambda tasks: None,
        progress: Progress = silent,
        patience_seconds: float = LOST_SECONDS,
    ) -> None:
        self._client = client
        self._expect = expect
        self._progress = progress
        self._patience_seconds = patience_seconds

    def map(
        self, function: Callable[[Sequence[Item]], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """As Executor says. What a worker was at that died is done by another.

        Raises SchedulerError where several died of the same, where all did, or the scheduler.
        """
        import distributed

        library: Any = distributed
        groups = batches(items)
        self._expect(len(groups))
        # As partials, because Dask looks into every argument for futures of its own.
        calls = [partial(function, group) for group in groups]
        futures = self._client.map(call, calls, pure=False, retries=RETRIES)
        answers: list[Answer] = []
        finished = 0
        try:
            for future, group in zip(futures, groups, strict=True):
                answers.append(self._answer(future, partial(done, finished)))
                finished += len(group)
                done(finished)
        except library.KilledWorker as error:
            raise SchedulerError(
                "workers died one after another of the same shards, the last at "
                f"{error.last_worker.address}; see its log, or give it more memory. Nothing is lost"
            ) from None
        except (library.CancelledError, library.client.FutureCancelledError, library.comm.CommClosedError):
            raise SchedulerError(
                "the Dask scheduler went away in the middle; nothing is lost, run it again"
            ) from None
        return answers

    def _answer(self, future: Any, workers_are_back: Callable[[], None]) -> Any:
        """What a task gave; Dask itself would wait for ever for a worker that does it."""
        gone_since: float | None = None
        while True:
            try:
                return future.result(timeout=min(LOOK_SECONDS, self._patience_seconds))
            except TimeoutError:
                if future.status == "error":  # the task's own
                    raise
            if self._client.nthreads():
                if gone_since is not None:
                    workers_are_back()
                gone_since = None
                continue
            now = time.monotonic()
            gone_since = now if gone_since is None else gone_since
            self._progress(WAITING, 0, 0)
            if now - gone_since >= self._patience_seconds:
                raise SchedulerError(
                    f"all workers went away in the middle, and in {self._patience_seconds:g} s none came; "
                    "nothing is lost: see their logs, start others, and run it again"
                )


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
        with slurm_cluster(store) as (cluster, expect), _client(cluster) as client:
            none_came = (
                f"Slurm started no worker in {SLURM_SECONDS} s: `squeue --me` says why. Their partition and "
                "account are in jobqueue.slurm of Dask's configuration"
            )
            _await_worker(client, SLURM_SECONDS, none_came, progress)
            yield ClusterExecutor(client, expect, progress, SLURM_SECONDS)
    elif scheduler is not None:
        with _client(scheduler) as client:
            none_came = (
                f"the scheduler at {scheduler} has no workers: start some by `dask worker {scheduler}`"
            )
            _await_worker(client, WORKER_SECONDS, none_came, progress)
            yield ClusterExecutor(client, progress=progress)
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
    progress(WAITING, 0, 0)
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
