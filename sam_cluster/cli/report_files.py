"""Writing a report's files, readable by the lab and no one else where the system knows the lab."""

from __future__ import annotations

import grp
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_cluster.report.text import shortened

#: On a line of the terminal.
MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may read files: the group, by number, and the mode. None leaves it to the directory and umask."""

    gid: int | None = None
    mode: int | None = None


def access_of_lab(lab: str) -> Access:
    """Of a lab with a unix group of its name its files belong to that group, and no one else reads them.

    Without such a group the umask decides, and where the caller may not give files to it they stay the
    caller's own.
    """
    try:
        group = grp.getgrnam(lab)
    except (KeyError, ValueError):
        return Access()
    if os.geteuid() == 0 or group.gr_gid in {os.getegid(), *os.getgroups()}:
        return Access(gid=group.gr_gid, mode=0o640)
    return Access(mode=0o600)


def remarks(accesses: Mapping[str, Access]) -> list[str]:
    """A line for what is not as a lab's files should be, with the labs that it is so for."""
    open_to = [lab for lab, access in accesses.items() if access.mode is None]
    kept = [lab for lab, access in accesses.items() if access.mode is not None and access.gid is None]
    lines = []
    if open_to:
        lines.append(
            f"there is no unix group {_named(open_to)}: "
            "who may read the files is left to the umask and the directory"
        )
    if kept:
        lines.append(
            "the files stay yours alone: only root and members may give files to the unix group "
            f"{_named(kept)}"
        )
    return lines


def _named(labs: Sequence[str]) -> str:
    more = len(labs) - MOST_NAMED
    named = ", ".join(repr(shortened(lab)) for lab in labs[:MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


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
