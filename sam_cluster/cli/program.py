"""sam-cluster as a program of its own: the command line in a process that nobody shares.

pyarrow imports pandas, where that is installed, with the first `pa.array` of a list, to see whether the
list is one of its series: a third of the time that `sam-cluster jobs` takes. Nothing here hands pyarrow
anything of pandas, so that in this process there is none: a finder on `sys.meta_path` says so, and pyarrow
does without, as where it is not installed. (None in `sys.modules` is no way: compiled modules import it.)

numpy starts a thread a core for linear algebra, of which there is none here: an eighth of that time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from sam_cluster.cli.main import main

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class WithoutPandas:
    """Says of pandas that it is not installed. A finder by what it has: the class of finders in
    `importlib.abc` would load `tempfile`, and with it more than the rest of this module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` says; of all other modules it knows nothing."""
        if fullname == "pandas":
            raise ModuleNotFoundError("sam-cluster does without pandas", name=fullname)
        return None


def program(environ: MutableMapping[str, str] = os.environ) -> int:
    """Runs the command line of this process, and returns its exit code."""
    sys.meta_path.insert(0, WithoutPandas())
    environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return main()
