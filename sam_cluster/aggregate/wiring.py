"""Dask, and nothing else: how plain functions are spread over threads, a cluster, or Slurm jobs.

The answers come in the order of what was asked, so that they are the same wherever they were computed.
Tasks are batches: one a shard costs more than reading it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import dask
import dask.callbacks

from sam_cluster.core.errors import SamClusterError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

DASK: Any = dask  # what it says of its types is not what it does

#: Called with the name of a stage, how many of its tasks are done, and of how many.
Progress = Callable[[str, int, int], None]

SHARDS_IN_A_TASK = 250
CONNECT_SECONDS = 30
#: A task whose worker died is given to another so many times.
RETRIES = 3
SLURM_JOBS_AT_MOST = 8
#: What a worker asks Slurm for where Dask's configuration (jobqueue.slurm) says nothing. No GPU.
SLURM_WORKER = {"cores": 2, "memory": "4 GiB"}


class SchedulerError(SamClusterError):
    """Raised when the Dask scheduler that was asked for cannot be had."""


class Executor(Protocol):
    """Somewhere to compute."""

    def map(
        self, function: Callable[[Item], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """The function of each item, in their order; `done` hears how many are finished."""


def silent(stage: str, done: int, of: int) -> None:
    """No progress is shown."""


def batches(items: Sequence[Item], size: int = SHARDS_IN_A_TASK) -> list[Sequence[Item]]:
    """The items in groups of at most `size`."""
    return [items[at : at + size] for at in range(0, len(items), size)]


class LocalExecutor:
    """Dask in this process: `threads`, or `synchronous` for one thing after another."""

    def __init__(self, scheduler: str = "threads") -> None:
        self._scheduler = scheduler

    def map(
        self, function: Callable[[Item], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """As Executor says."""
        finished = 0

        def count(*_: Any) -> None:
            nonlocal finished
            finished += 1
            done(finished)

        # As a partial, because Dask looks into every argument for tasks of its own.
        tasks = [DASK.delayed(partial(function, item), pure=False, traverse=False)() for item in items]
        with DASK.callbacks.Callback(posttask=count):
            return list(DASK.compute(*tasks, scheduler=self._scheduler))


class ClusterExecutor:
    """Dask on the workers of a scheduler."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(
        self, function: Callable[[Item], Answer], items: Sequence[Item], done: Callable[[int], None]
    ) -> list[Answer]:
        """As Executor says. A task whose worker died is tried again elsewhere."""
        import distributed

        library: Any = distributed
        futures = self._client.map(function, items, pure=False, retries=RETRIES)
        for finished, _ in enumerate(library.as_completed(futures), 1):
            done(finished)
        return list(self._client.gather(futures))


@contextmanager
def open_executor(*, scheduler: str | None = None, slurm: bool = False) -> Iterator[Executor]:
    """Threads of this process; a running cluster by its scheduler's address; or workers as Slurm jobs.

    Raises SchedulerError.
    """
    if slurm:
        with _slurm_cluster() as cluster, _client(cluster) as client:
            yield ClusterExecutor(client)
    elif scheduler is not None:
        with _client(scheduler) as client:
            yield ClusterExecutor(client)
    else:
        yield LocalExecutor()


@contextmanager
def _client(address: Any) -> Iterator[Any]:
    import distributed

    library: Any = distributed
    try:
        client = library.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise SchedulerError(
            f"no Dask scheduler answers at {address}: {error}; start one by `dask scheduler`, "
            "or leave --scheduler away to use threads"
        ) from None
    with client:
        yield client


@contextmanager
def _slurm_cluster() -> Iterator[Any]:
    try:
        import dask_jobqueue
    except ImportError:
        raise SchedulerError(
            "--slurm needs dask-jobqueue: install it by `pip install sam-cluster[slurm]`"
        ) from None
    library: Any = dask_jobqueue
    configured = {name: DASK.config.get(f"jobqueue.slurm.{name}", None) for name in SLURM_WORKER}
    wanted = {name: configured[name] or value for name, value in SLURM_WORKER.items()}
    with library.SLURMCluster(**wanted) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=SLURM_JOBS_AT_MOST)
        yield cluster
