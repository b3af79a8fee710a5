"""The digest of a checkpoint, made where the checkpoint lies: gigabytes do not go to the drop box."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sam_cluster.core.errors import UsageError

CHUNK_BYTES = 1 << 20
STEP_BYTES = 256 * CHUNK_BYTES  # so often is the progress shown; what is smaller takes a moment only


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file, with its progress on a terminal. Raises UsageError where it cannot be
    read."""
    if path.exists() and not path.is_file():
        raise UsageError(f"--checkpoint {path} is no file; name one, or the digest by --checkpoint-sha256")
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for chunk in _with_progress(file, path.stat().st_size):
                digest.update(chunk)
    except OSError as error:
        raise UsageError(f"--checkpoint {path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _with_progress(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    is_shown = sys.stderr.isatty() and size_bytes > STEP_BYTES
    done = 0
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
        done += len(chunk)
        if is_shown and done % STEP_BYTES == 0:
            part = min(done / size_bytes, 1.0)
            print(f"\rdigest of the checkpoint: {part:.0%}", end="", file=sys.stderr, flush=True)
    if is_shown:
        print("\rdigest of the checkpoint: done", file=sys.stderr)
