"""Where the templates and the hook scripts lie.

sam_cluster/templates, sam_cluster/slurm     in a wheel: inside the package
templates, slurm                             in a checkout or an editable install: beside the package
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parent

#: A file of each directory that tells ours from another of the same name beside the package.
LANDMARKS = {"templates": "base.html.j2", "slurm": "prolog.sh"}


def directory(name: Literal["templates", "slurm"]) -> Path:
    """The directory of that name. Raises FileNotFoundError where the installation lacks it."""
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name / LANDMARKS[name]).is_file():
            return parent / name
    raise FileNotFoundError(
        f"this installation of sam-cluster has no {name}/{LANDMARKS[name]}, "
        f"neither in {PACKAGE} nor beside it; install the wheel again"
    )
