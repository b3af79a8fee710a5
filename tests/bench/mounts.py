"""File systems of a test's own, to be full or read-only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def mount_small(directory: Path, kibibytes: int) -> None:
    """Puts an empty file system of this size onto a directory. Needs CAP_SYS_ADMIN."""
    _call("mount", "-t", "tmpfs", "-o", f"size={kibibytes}k,mode=755", "tmpfs", str(directory))


def set_read_only(directory: Path, read_only: bool) -> None:
    """Lets nobody write to what is mounted on a directory, root neither; or again."""
    _call("mount", "-o", f"remount,{'ro' if read_only else 'rw'}", str(directory))


def unmount(directory: Path) -> None:
    """Takes a file system away, also from under whoever still uses it."""
    _call("umount", "--lazy", str(directory))


def unmount_below(root: Path) -> None:
    """Takes away whatever is mounted below a directory, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for line in reversed(lines):
        if (mounted := _unescaped(line.split()[1])).is_relative_to(root):
            unmount(mounted)


def _unescaped(text: str) -> Path:
    return Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text))


def _call(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, text=True)
