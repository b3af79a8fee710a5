"""The wheel holds what it should, and templates and hooks are found however the package is installed."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FIND = (
    "import sam_cluster.resources as r; "
    "print(*(p for n in ('templates', 'slurm') for p in sorted(r.directory(n).iterdir())), sep='\\n')"
)

#: What both kinds of installation must find.
FILES = {
    f"{name}/{path.name}"
    for name in ("templates", "slurm")
    for path in (ROOT / name).iterdir()
    if path.is_file()
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    words = (sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(ROOT))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def installed(directory: Path, *what: str) -> Path:
    """The Python of a fresh environment with the package and nothing else of ours in it.

    pip and the build back end are this environment's own, so that nothing is downloaded.
    """
    venv.create(directory, with_pip=False)
    python = directory / "bin" / "python"
    words = (
        sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index",
        "--no-build-isolation", "--ignore-installed", "--quiet", "--disable-pip-version-check", *what,
    )  # fmt: skip
    packages = os.pathsep.join(site.getsitepackages())
    environ = {**os.environ, "PYTHONPATH": packages, "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def found_by(python: Path, elsewhere: Path) -> list[Path]:
    # Away from the checkout, and without this environment's packages.
    words = (str(python), "-I", "-c", FIND)
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=elsewhere)
    return [Path(line) for line in done.stdout.splitlines()]


def names(paths: list[Path]) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in paths if path.is_file()}


def test_the_wheel_holds_the_package_the_templates_and_the_hooks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sam_cluster").rglob("*")
        if path.suffix in (".py", ".typed", ".c", ".h")
    }
    assert modules - held == set()
    assert {f"sam_cluster/{name}" for name in FILES} - held == set()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        strays = [name for name in archive.namelist() if "__pycache__" in name or "/tests/" in name]
    assert {top.partition("-")[0] for top in tops} == {"sam_cluster"}
    assert strays == []


def test_the_wheel_has_both_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()
    assert "sam-cluster = sam_cluster.cli.program:program" in text
    assert "sam-agent = sam_cluster.agent.main:main" in text


def test_from_a_wheel_the_resources_are_found_inside_the_package(wheel: Path, tmp_path: Path) -> None:
    paths = found_by(installed(tmp_path / "env", str(wheel)), tmp_path)
    assert names(paths) == FILES
    assert all(tmp_path in path.parents for path in paths)


def test_from_an_editable_installation_the_resources_are_those_of_the_checkout(tmp_path: Path) -> None:
    paths = found_by(installed(tmp_path / "env", "--editable", str(ROOT)), tmp_path)
    assert names(paths) >= FILES
    assert {path.parent for path in paths} == {ROOT / "templates", ROOT / "slurm"}
