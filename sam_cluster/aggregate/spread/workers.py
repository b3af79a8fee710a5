"""Where one host ends: the workers of a running Dask cluster, or of one whose workers are Slurm jobs.

Reading is spread, folding and committing are not: one writer makes the tables. What a worker is given are
paths, so that every worker must find the store at the same path, and have the same sam-cluster.
"""

from __future__ import annotations

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
#: In Slurm's queue a job may wait.
SLURM_SECONDS = 600
#: A task whose worker died is given to another so many times by the scheduler
#: (distributed.scheduler.allowed-failures); one that failed otherwise, such as on the way to a worker:
RETRIES = 3


class ClusterExecutor:
    """Dask on the workers of a scheduler. `expect` hears how many tasks there will be."""

    def __init__(self, client: Any, expect: Callable[[int], None] = lambda tasks: None) -> None:
        self._client = client
        self._expect = expect

    def map(
        self, function: Callable[[Sequence[Item]], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """As Executor says. What a worker was at that died is done by another.

        Raises SchedulerError where several died of the same, or the scheduler did.
        """
        import distributed

        library: Any = distributed
        groups = batches(items)
        self._expect(len(groups))
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
        except (library.CancelledError, library.client.FutureCancelledError, library.comm.CommClosedError):
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
        with slurm_cluster(store) as (cluster, expect), _client(cluster) as client:
            none_came = (
                f"Slurm started no worker in {SLURM_SECONDS} s: `squeue --me` says why. Their partition and "
                "account are in jobqueue.slurm of Dask's configuration"
            )
            _await_worker(client, SLURM_SECONDS, none_came, progress)
            yield ClusterExecutor(client, expect)
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
