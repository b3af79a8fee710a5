"""Which room may import which, read from the source, so that a wrong import is named with its line."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sam_cluster"

#: Rooms of ours that a room may import, beside itself and the package's own version.
ROOMS: dict[str, set[str]] = {
    "core": set(),
    "energy": {"core"},
    "store": {"core"},
    "agent": {"energy", "core"},
    "accounting": {"core", "store"},
    "submissions": {"core"},
    "metrics": {"core"},
    "aggregate": {"energy", "store", "accounting", "submissions", "core"},
    "report": {"metrics", "store", "core", "resources"},
    "simulation": {"agent", "energy", "store", "accounting", "submissions", "core"},
    "standin": {"core"},
    "selftest": {"standin", "agent", "energy", "store", "aggregate", "core", "resources"},
    "cli": {"simulation", "selftest", "standin", "energy", "store", "agent", "accounting", "submissions",
            "metrics", "aggregate", "report", "core", "resources"},
    "resources": set(),
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip

#: What one file may import beyond its room.
FILES: dict[str, set[str]] = {"agent/seal.py": {"store"}}

#: Libraries that one file only may import, so that it can be replaced and its absence be borne.
VENDORS: dict[str, set[str]] = {
    "pynvml": {"agent/nvml.py", "agent/samples.py"},
    "pyslurm": {"accounting/pyslurm_source.py"},
    "obstore": {"store/bucket.py"},
    "dask": {"aggregate/spread/wiring.py"},
    "distributed": {"aggregate/spread/workers.py"},
    "dask_jobqueue": {"aggregate/spread/slurm.py"},
    "jinja2": {"report/render.py"},
    "weasyprint": {"report/pdf.py"},
    "vl_convert": {"report/charts/engine.py"},
}

#: Rooms that need nothing but the standard library (and, in one file of the agent, NVML).
STANDARD_LIBRARY_ONLY = {"core", "energy", "metrics", "agent", "standin", "cli", "resources",
                         "__main__", "__init__"}  # fmt: skip

#: A part of such a room that needs numpy: no node loads it, only this room does.
IN_COLUMNS = "energy/plain"
IN_COLUMNS_FOR = "aggregate"


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"sam_cluster/{self.file}:{self.line} imports {self.module}"


def imports_of(file: str, source: str) -> Iterator[Import]:
    """Each module that a file imports anywhere in it, by its full name."""
    parts = ["sam_cluster", *Path(file).with_suffix("").parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(file, node.lineno, f"{module}.{alias.name}") for alias in node.names)


def fault(found: Import) -> str | None:
    """What is wrong with an import; None where nothing is."""
    room = Path(found.file).parts[0].removesuffix(".py")
    top, *rest = found.module.split(".")
    if top == "sam_cluster":
        target = rest[0] if rest else "__version__"
        allowed = ROOMS[room] | FILES.get(found.file, set()) | {room}
        if target == "__version__" and room != "core":
            return None
        if "/".join(rest).startswith(f"{IN_COLUMNS}/") and room != IN_COLUMNS_FOR:
            is_inside = found.file.startswith(f"{IN_COLUMNS}/")
            return None if is_inside else f"{found}; only {IN_COLUMNS_FOR} may import {IN_COLUMNS}"
        return None if target in allowed else f"{found}; {room} may import {', '.join(sorted(allowed))}"
    if top in VENDORS:
        if found.file in VENDORS[top]:
            return None
        return f"{found}; only {', '.join(sorted(VENDORS[top]))} may import {top}"
    if top == "numpy" and found.file.startswith(f"{IN_COLUMNS}/"):
        return None
    if room in STANDARD_LIBRARY_ONLY and top not in sys.stdlib_module_names:
        return f"{found}; {room} uses the standard library only"
    return None


def test_every_import_of_the_package_follows_the_layers() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    found = [
        each
        for path in files
        for each in imports_of(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8"))
    ]
    assert [complaint for each in found if (complaint := fault(each))] == []


def test_every_room_of_the_package_has_its_rule() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert rooms - set(ROOMS) == set()


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("core/units.py", "import sam_cluster.store.paths"),
        ("core/units.py", "from ..store import paths"),
        ("core/units.py", "import numpy"),
        ("energy/split.py", "import numpy"),
        ("energy/plain/hours.py", "import pyarrow"),
        ("energy/gaps.py", "from .plain.columns import Columns"),
        ("agent/run.py", "from sam_cluster.energy.plain.division import divide"),
        ("metrics/score.py", "from sam_cluster.report import view"),
        ("report/view.py", "from sam_cluster.cli import show"),
        ("aggregate/reduce.py", "def f():\n    from sam_cluster import cli"),
        ("agent/run.py", "from sam_cluster.store import shards"),
        ("agent/run.py", "import pynvml"),
        ("agent/run.py", "import pyarrow"),
        ("aggregate/reduce.py", "import dask.bag"),
        ("cli/report.py", "from jinja2 import Environment"),
        ("report/charts/shares.py", "import vl_convert"),
        ("resources.py", "from .core import errors"),
    ],
)
def test_an_import_against_the_layers_is_named_with_its_line(file: str, source: str) -> None:
    complaints = [complaint for each in imports_of(file, source) if (complaint := fault(each))]
    assert len(complaints) == 1
    assert complaints[0].startswith(f"sam_cluster/{file}:")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("agent/seal.py", "from sam_cluster.store.shards import write"),
        ("agent/nvml.py", "import pynvml"),
        ("energy/plain/hours.py", "import numpy"),
        ("aggregate/divide.py", "from sam_cluster.energy.plain.division import divide"),
        ("report/render.py", "import jinja2"),
        ("store/shards.py", "from ..core.errors import ShardError"),
        ("cli/main.py", "from sam_cluster import __version__"),
        ("aggregate/spread/wiring.py", "import dask"),
    ],
)
def test_an_import_along_the_layers_is_let_pass(file: str, source: str) -> None:
    assert [complaint for each in imports_of(file, source) if (complaint := fault(each))] == []
