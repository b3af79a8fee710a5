"""The user's end of the drop box: one file for one result or confirmation."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import SubmissionError
from .model import MAX_FILE_BYTES, Confirmation, Submission, stripped
from .munge import Munge

# O_PATH, because users may write into the box and not read it.
BOX = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PUBLIC = 0o644  # whatever the umask: the service user must read it, and nobody else may change it


def compose(
    *,
    now: datetime,
    cluster: str,
    jobs: Sequence[str],
    accuracy: float,
    task: str,
    texts: Mapping[str, str | None] | None = None,
    epochs: float | None = None,
    data_fraction: float | None = None,
) -> Submission:
    """A new submission with an id of its own.

    `now` is any aware time; `texts` may hold metric, dataset, split, model, note, checkpoint_sha256 and
    supersedes. Blanks around a text are dropped. Raises SubmissionError for what cannot be taken.
    """
    return Submission(
        id=uuid.uuid4().hex,
        submitted_at=now.astimezone(UTC),
        cluster=cluster.strip(),
        jobs=tuple(jobs),
        accuracy=accuracy,
        task=task.strip(),
        epochs=epochs,
        data_fraction=data_fraction,
        **stripped(texts or {}),
    )


def drop(document: Submission | Confirmation, box: Path, munge: Munge | None) -> str:
    """Puts what is handed in into the box and returns the file's name, which nobody can guess.

    The file is whole or not there. Raises SubmissionError where the box is missing, closed or full.
    """
    payload = document.to_json()
    credential = munge.vouch(payload.encode("utf-8")) if munge else None
    content = json.dumps({"munge": credential, "payload": payload}, ensure_ascii=False).encode("utf-8")
    if len(content) > MAX_FILE_BYTES:
        raise SubmissionError(
            f"this result takes {len(content)} bytes, and at most {MAX_FILE_BYTES} are taken; "
            "name arrays by their own id, or shorten the texts"
        )
    name = f"{uuid.uuid4().hex}.json"
    try:
        directory = os.open(box, BOX)
        try:
            _write(content, name, directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise SubmissionError(
            f"the {'result' if isinstance(document, Submission) else 'confirmation'} was not handed in: "
            f"{box}: {error.strerror}; "
            "if that is not for you to mend, ask who runs the cluster to see what sam-cluster doctor says"
        ) from None
    return name


def _write(content: bytes, name: str, directory: int) -> None:
    part = f".{name}.part"
    descriptor = os.open(part, NEW_FILE, PUBLIC, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, PUBLIC)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(part, dir_fd=directory)
        raise
