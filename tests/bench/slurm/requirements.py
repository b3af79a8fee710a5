"""What the bench needs of the machine it runs on."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess

_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Binary, and the Debian package that brings it.
_BINARIES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "slurmdbd": "slurmdbd",
    "sbatch": "slurm-client",
    "sacctmgr": "slurm-client",
    "munged": "munge",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "useradd": "passwd",
}
# Plugin that is a package of its own, as a pattern: its directory differs between releases.
_PLUGINS = {
    "/usr/lib/*/slurm*/accounting_storage_mysql.so": "slurm-wlm-mysql-plugin",
    "/usr/lib/*/slurm*/select_cons_tres.so": "slurm-wlm-basic-plugins",
}


def available() -> str | None:
    """Why the bench cannot run on this machine, or None where it can."""
    if os.geteuid() != 0:
        return "a Slurm bench needs root"
    missing = {package for binary, package in _BINARIES.items() if find(binary) is None}
    if not missing:
        missing = {package for pattern, package in _PLUGINS.items() if not glob.glob(pattern)}
    if missing:
        return f"a Slurm bench needs the Debian packages {' '.join(sorted(missing))}"
    return None


def find(binary: str) -> str | None:
    """Full path of a program of the system, or None; daemons are often not on a user's PATH."""
    return shutil.which(binary, path=_SEARCH_PATH)


def client_environment() -> dict[str, str]:
    """Environment for everything the bench starts: nothing of the caller's leaks into jobs and hooks."""
    return {"PATH": _SEARCH_PATH, "LANG": "C.UTF-8", "TZ": "UTC"}


def slurm_release() -> tuple[int, int]:
    """Slurm's release as (year, month), (22, 5) for 22.05.8."""
    argv = [find("slurmd") or "slurmd", "-V"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"slurmd -V names no release: {text!r}")
    return int(found[1]), int(found[2])
