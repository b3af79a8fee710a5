"""The kernel's word that a file was renamed into a directory."""

from __future__ import annotations

import ctypes
import os

IN_MOVED_TO = 0x00000080
IN_DELETE_SELF = 0x00000400
IN_MOVE_SELF = 0x00000800
IN_NONBLOCK = os.O_NONBLOCK
IN_CLOEXEC = os.O_CLOEXEC


class Inotify:
    """A descriptor that becomes readable when a file is renamed into the watched directory, or when that
    directory itself goes away."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")

    def watch(self, directory: int) -> None:
        """Watch an open directory: the very one, whatever its path leads to by now. Raises OSError."""
        path = b"/proc/self/fd/%d" % directory
        mask = IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
        if self._libc.inotify_add_watch(self.descriptor, path, mask) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

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
