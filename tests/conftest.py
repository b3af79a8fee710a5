"""Which tests may run side by side: `pytest -n 2 --dist loadgroup` gives each group to one process."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: The first two start daemons, send signals and look through processes: one after another.
GROUPS = {"agent": "node", "slurm": "node", "browser": "browser"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a fixture that is dear to make stays together: a directory's, else a file's."""
    for item in items:
        path = item.path.relative_to(HERE)
        group = GROUPS.get(path.parts[0], str(path))
        item.add_marker(pytest.mark.xdist_group(group))
