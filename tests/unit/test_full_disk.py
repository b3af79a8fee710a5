"""A disk that takes no more: the error says where, and nothing is changed or left behind."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sam_cluster.core.errors import StoreError
from sam_cluster.store.paths import StorePaths
from tests.aggregating import digests, in_inbox, put_all, run_aggregate


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a process writes beyond this many bytes of a file fails, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 100, 1_000, 4_000])
def test_a_full_disk_changes_nothing_leaves_nothing_and_says_where(tmp_path: Path, room: int) -> None:
    paths, clean = StorePaths(tmp_path / "store"), StorePaths(tmp_path / "clean")
    put_all(paths)
    put_all(clean)
    waiting = in_inbox(paths)
    with files_of_at_most(room), pytest.raises(StoreError, match=f"^{paths.tables}/.* cannot be written"):
        run_aggregate(paths)
    assert in_inbox(paths) == waiting
    assert list(paths.tables.rglob(".*")) == []
    run_aggregate(paths)
    run_aggregate(clean)
    assert digests(paths) == digests(clean)
