"""Compile the stand-in's library."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent
SONAME = "libnvidia-ml.so.1"
COMPILE = (
    "gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-pthread",
    "-shared", "-Wl,-z,defs", f"-Wl,-soname,{SONAME}",
)  # fmt: skip


def build(directory: Path) -> Path:
    """Compile the library below ``directory``, once for each state of its sources, and return its path."""
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(repr([COMPILE, *(source.read_bytes() for source in sources)]).encode())
    library = directory / f"nvml-{digest.hexdigest()[:16]}" / SONAME
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        unfinished = library.with_suffix(f".{os.getpid()}")
        subprocess.run([*COMPILE, "-o", unfinished, *(s for s in sources if s.suffix == ".c")], check=True)
        unfinished.replace(library)
    return library


@functools.cache
def shared_library() -> Path:
    """The library for this process and its children: compiled on first use, removed when the process ends."""
    directory = tempfile.mkdtemp(prefix="nvml-standin-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.chmod(directory, 0o755)  # processes of other users load it too
    return build(Path(directory))
