from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths


@pytest.fixture
def store():
    with tempfile.TemporaryDirectory() as path:  # pytest's own directories are closed to other users
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def box(store):
    prepare(StorePaths(store))
    return StorePaths(store).submissions
