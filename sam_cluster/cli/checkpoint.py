"""The digest of a checkpoint, made where the checkpoint lies: gigabytes do not go to the drop box."""

from __future__ import annotations

import hashlib
from math import ceil
from pathlib import Path

from sam_cluster.cli.progress import shown_progress
from sam_cluster.core.errors import UsageError

CHUNK_BYTES = 1 << 20
STAGE = "MiB of the checkpoint"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file. Raises UsageError where it cannot be read."""
    if path.exists() and not path.is_file():
        raise UsageError(f"--checkpoint {path} is no file; name one, or the digest by --checkpoint-sha256")
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file, shown_progress() as progress:
            done, of = 0, ceil(path.stat().st_size / CHUNK_BYTES)
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                done += 1
                progress(STAGE, done, max(done, of))
    except OSError as error:
        raise UsageError(f"--checkpoint {path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()
