"""An object as a file that pyarrow reads: its footer and most small files are had at once, then ranges."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class ObjectFile(io.RawIOBase):
    """An object of so many bytes. The end of it is here already; `part` reads from one byte to another."""

    def __init__(self, size: int, tail: memoryview, part: Callable[[int, int], memoryview]) -> None:
        self._size, self._tail, self._part = size, tail, part
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """All that is asked for, as far as there is so much."""
        start, end = self._at, min(self._at + len(buffer), self._size)
        if start >= end:
            return 0
        of_tail = start - (self._size - len(self._tail))
        if of_tail >= 0:
            buffer[: end - start] = self._tail[of_tail : of_tail + end - start]
        else:
            buffer[: end - start] = self._part(start, end)
        self._at = end
        return end - start
