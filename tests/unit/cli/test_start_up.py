"""What a command loads before it answers: counted in modules, which do not depend on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.report.tables import job_rows

from .stores import make_store

PROGRAM = """
import sys
before = set(sys.modules)
from sam_cluster.cli.{module} import {module}
code = {module}()
print(*sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(code)
"""

#: Libraries that take a tenth of a second and more, and that reading tables does without.
HEAVY = {"pandas", "dask", "distributed", "jinja2", "vl_convert", "pynvml", "duckdb", "polars", "weasyprint",
         "obstore"}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path, job_rows(7, "2026-10-05 10:00", 2, 1.5))


def loaded_by(*words: str, module: str = "program") -> tuple[str, set[str]]:
    """What a command line printed, and the modules that it loaded."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("SAM_CLUSTER")}
    source = PROGRAM.format(module=module)
    done = subprocess.run([sys.executable, "-c", source, *words], capture_output=True, text=True, env=bare)
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "most"),
    [(("--version",), 230), (("score", "--accuracy", "0.8", "--kwh", "3"), 190)],
    ids=["version", "score"],
)
def test_what_reads_no_table_loads_no_table_library(words: tuple[str, ...], most: int) -> None:
    printed, modules = loaded_by(*words)
    assert printed
    assert {name.partition(".")[0] for name in modules} & (HEAVY | {"pyarrow", "numpy"}) == set()
    assert len(modules) <= most


@pytest.mark.parametrize("words", [("jobs", "--period", "2026-10"), ("results",)], ids=["jobs", "results"])
def test_reading_tables_loads_pyarrow_and_nothing_else_that_is_heavy(
    store: Path, words: tuple[str, ...]
) -> None:
    _, modules = loaded_by(*words, "--store", str(store))
    assert "pyarrow" in modules
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    assert len(modules) <= 360


def test_the_answer_is_the_same_without_pandas(store: Path) -> None:
    words = ("jobs", "--period", "2026-10", "--format", "json", "--store", str(store))
    answer, modules = loaded_by(*words, module="main")
    assert "pandas" in modules  # by pyarrow: where it is not, sam_cluster.cli.program is needed no more
    assert '"job_id": "7"' in answer
    assert loaded_by(*words)[0] == answer


@pytest.mark.parametrize(("told", "found"), [(None, "1"), ("3", "3")])
def test_numpy_starts_one_thread_for_linear_algebra_unless_it_is_told_otherwise(
    told: str | None, found: str
) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if told is not None:
        environ["OPENBLAS_NUM_THREADS"] = told
    # By what a library in C sees.
    source = (
        "import ctypes; from sam_cluster.cli.program import program; program(); "
        "getenv = ctypes.CDLL(None).getenv; getenv.restype = ctypes.c_char_p; "
        "print(getenv(b'OPENBLAS_NUM_THREADS').decode())"
    )
    command = [sys.executable, "-c", source, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert done.stdout.split()[-1] == found
