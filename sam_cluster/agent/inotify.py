"""The kernel's word that a file was renamed into a directory."""

from __future__ import annotations

import ctypes
import os

IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_NONBLOCK = os.O_NONBLOCK
IN_CLOEXEC = os.O_CLOEXEC


class Inotify:
    """A descriptor that becomes readable when a file is renamed into a watched directory, or when that
    directory itself comes or goes: the kernel is silent of that to who holds it open, so that the one
    above it is watched as well."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")

    def watch(self, directory: int) -> None:
        """Watch an open directory: this very one, whatever its path leads to by now. Raises OSError."""
        path = f"/proc/self/fd/{directory}"
        self._add(path, IN_MOVED_TO)
        self._add(f"{path}/..", IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

    def _add(self, path: str, mask: int) -> None:
        if self._libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask) < 0:
            raise OSError(ctypes.get_errno(), f"inotify_add_watch: {path}")

    def drain(self) -> None:
        """Take what was reported; what it was is looked up in the directory."""
        try:
            while os.read(self.descriptor, 65536):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)
