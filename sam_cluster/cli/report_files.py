"""Writing a report's files, readable by the lab and no one else where the system knows the lab."""

from __future__ import annotations

import grp
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may read files: the group, by number, and the mode. None leaves it to the directory and umask."""

    gid: int | None = None
    mode: int | None = None


def access_of_lab(lab: str) -> Access:
    """Of a lab with a unix group of its name its files belong to that group, and no one else reads them.

    Says on stderr what cannot be so: without such a group the umask decides, and where the caller may not
    give files to it they stay the caller's own.
    """
    try:
        group = grp.getgrnam(lab)
    except (KeyError, ValueError):
        print(
            f"there is no unix group {lab!r}: who may read the files is left to the umask and the directory",
            file=sys.stderr,
        )
        return Access()
    if os.geteuid() == 0 or group.gr_gid in {os.getegid(), *os.getgroups()}:
        return Access(gid=group.gr_gid, mode=0o640)
    print(
        f"the files stay yours alone: only root and members may give files to the unix group {lab!r}",
        file=sys.stderr,
    )
    return Access(mode=0o600)


def write(files: Mapping[str, bytes], directory: Path, access: Access) -> list[Path]:
    """Writes each file under another name first, so that a reader sees the old one or the new one whole,
    and never with more readers than it will have."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        part = directory / f".{name}.{secrets.token_hex(8)}.part"
        try:
            mode = 0o666 if access.mode is None else 0o600
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                if access.gid is not None:
                    os.fchown(file.fileno(), -1, access.gid)
                if access.mode is not None:
                    os.fchmod(file.fileno(), access.mode)
                file.write(content)
            part.replace(directory / name)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return [directory / name for name in files]
