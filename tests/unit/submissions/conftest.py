from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from sam_cluster.submissions.box import create_box


@pytest.fixture
def store():
    with tempfile.TemporaryDirectory() as path:  # pytest's own directories are closed to other users
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def box(store):
    create_box(store / "submissions")
    return store / "submissions"
