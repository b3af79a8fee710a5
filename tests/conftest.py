"""Which tests may run side by side (`pytest -n 2`): each group is one process's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

#: Agents and Slurm start daemons, send signals and look through processes: one after another. A browser is
#: started once.
GROUPS = {"tests/agent": "node", "tests/slurm": "node", "tests/browser": "browser"}


def group_of(nodeid: str) -> str:
    """What shares what is dear to make stays together: a directory, else a file."""
    file = nodeid.partition("::")[0]
    return GROUPS.get(file.rpartition("/")[0], file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """By group, the largest first."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)
