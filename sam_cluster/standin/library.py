"""Compile the stand-in's library, where and when it is needed: no compiled file is in the package."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sam_cluster.core.errors import SamClusterError

SOURCES = Path(__file__).parent
SONAME = "libnvidia-ml.so.1"
COMPILE = (
    "cc", "-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-pthread", "-shared", "-Wl,-z,defs",
    f"-Wl,-soname,{SONAME}",
)  # fmt: skip


class StandinError(SamClusterError):
    """Raised when the stand-in cannot be built or loaded on this machine."""


def build(directory: Path) -> Path:
    """Compile the library below ``directory``, once for each state of its sources, and return its path.

    Raises StandinError where there is no compiler, or it fails.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(repr([COMPILE, *(source.read_bytes() for source in sources)]).encode())
    library = directory / f"nvml-{digest.hexdigest()[:16]}" / SONAME
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        unfinished = library.with_suffix(f".{os.getpid()}")
        _compile([*COMPILE, "-o", str(unfinished), *(str(s) for s in sources if s.suffix == ".c")])
        unfinished.replace(library)
    return library


def _compile(words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StandinError(
            f"no C compiler: {words[0]}: {error.strerror}; NVML's stand-in is compiled where it is used: "
            "install gcc or clang, and the headers of the C library"
        ) from None
    if done.returncode:
        complaint = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise StandinError(
            f"the stand-in for NVML cannot be compiled: {complaint}; install the headers of the C library "
            "(libc6-dev, glibc-devel)"
        )


@functools.cache
def shared_library() -> Path:
    """The library for this process and its children: compiled on first use, removed when the process ends."""
    directory = tempfile.mkdtemp(prefix="nvml-standin-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    Path(directory).chmod(0o755)  # processes of other users load it too
    return build(Path(directory))
