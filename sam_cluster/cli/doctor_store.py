"""Checks of the shared store: what is there, whose it is, and who may write where."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from sam_cluster.cli.findings import Finding, Status, judged
from sam_cluster.core.config import Config
from sam_cluster.core.errors import StoreError
from sam_cluster.store.paths import StorePaths

BOX_MODE = 0o1733
GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_store(config: Config) -> Iterator[Finding]:
    """The store and its directories; of tables in a bucket, whether they can be read."""
    paths = StorePaths.of(config)
    service = _service_user(config)
    yield judged(
        "service user",
        service is not None and service.pw_uid != 0,
        f"{config.publish_as}" if service else f"there is no user {config.publish_as!r} here",
        f"useradd --system {config.publish_as}, on every node and with one UID, or set publish_as in [agent]",
    )
    if not paths.root.is_dir():
        mend = "make the directory on a file system that all nodes mount, or set store in [paths]"
        yield Finding("store", Status.WRONG, f"{paths.root} is not there", mend)
        return
    yield Finding("store", Status.OK, str(paths.root))
    for directory in (paths.inbox, *([] if paths.bucket else [paths.tables]), paths.quarantine):
        yield _closed_directory(directory, service)
    yield _drop_box(paths.submissions, config.publish_as)
    yield from _contents(paths)


def _service_user(config: Config) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(config.publish_as)
    except KeyError:
        return None


def _closed_directory(directory: Path, service: pwd.struct_passwd | None) -> Finding:
    check = directory.name
    owner = service.pw_name if service else "the service user"
    install = f"run sam-cluster aggregate once as {owner}, which makes it"
    try:
        status = directory.stat(follow_symlinks=False)
    except FileNotFoundError:
        return Finding(check, Status.WRONG, f"{directory} is not there", install)
    except OSError as error:
        return Finding(check, Status.SKIPPED, f"{directory}: {error.strerror}", "run doctor as root")
    if not stat.S_ISDIR(status.st_mode):
        return Finding(
            check, Status.WRONG, f"{directory} is not a directory", f"move it away, then {install}"
        )
    if service is not None and status.st_uid != service.pw_uid:
        found = f"{directory} belongs to UID {status.st_uid}"
        return Finding(check, Status.WRONG, found, f"chown -R {owner} {directory}")
    mode = stat.S_IMODE(status.st_mode)
    return judged(
        check,
        not mode & GROUP_OR_OTHERS_WRITE,
        f"{directory}, mode {mode:o}",
        f"chmod go-w {directory}: nobody else may write there",
    )


def _drop_box(box: Path, owner: str) -> Finding:
    mend = f"chmod 1733 {box}, owned by {owner}: anybody may put a file there, and nobody may list it"
    try:
        status = box.stat(follow_symlinks=False)
    except OSError as error:
        mend = f"run sam-cluster aggregate once as {owner}, which makes it"
        return Finding("submissions", Status.WRONG, f"{box}: {error.strerror}", mend)
    mode = stat.S_IMODE(status.st_mode)
    is_right = stat.S_ISDIR(status.st_mode) and mode == BOX_MODE
    return judged("submissions", is_right, f"{box}, mode {mode:o}", mend)


def _contents(paths: StorePaths) -> Iterator[Finding]:
    waiting = _count(paths.inbox, lambda name: name.endswith(".parquet"))
    if waiting is not None:
        yield Finding("waiting shards", Status.OK, f"{waiting} in the inbox")
    quarantined = _count(paths.quarantine, lambda name: not name.endswith(".reason.txt"))
    if quarantined is not None:
        yield judged(
            "quarantined files",
            quarantined == 0,
            f"{quarantined} files that could not be taken",
            f"read the reason beside each in {paths.quarantine}; nothing there is deleted",
            Status.ADVICE,
        )
    try:
        from sam_cluster.store.tables import Tables

        number = Tables(paths).snapshot().number
    except (StoreError, OSError) as error:
        yield Finding(
            "tables can be read",
            Status.WRONG,
            str(error),
            "do what it says; where tables were lost, restore them or aggregate into a new store",
        )
        return
    mend = "run sam-cluster aggregate, from a timer on one host"
    yield judged("aggregated", number > 0, f"commit {number}" if number else "never", mend)


def _count(directory: Path, counts: Callable[[str], bool]) -> int | None:
    if not os.access(directory, os.R_OK | os.X_OK):
        return None
    return sum(counts(name) for _, _, names in os.walk(directory) for name in names)
