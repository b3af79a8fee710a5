"""Which tests may run side by side: `pytest -n 2 --dist loadgroup` gives each group to one process."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: They start daemons, send signals and look through processes: one after another, beside all others.
OF_A_NODE = {"agent", "slurm"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a fixture that is dear to make stays together: a directory's, else a file's."""
    for item in items:
        path = item.path.relative_to(HERE)
        group = "node" if path.parts[0] in OF_A_NODE else "browser" if path.parts[0] == "browser" else str(path)
        item.add_marker(pytest.mark.xdist_group(group))
