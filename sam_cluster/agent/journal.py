"""What the agent knows of open runs, on disk: a file for each part of a run, a record a line.

    3f2a91c0 {"r":"run",…}\\n          CRC-32 of the JSON, a space, the JSON

A torn last line is dropped, and no more. A record is: `run` (the head of a part), `gpus`, `flags`,
`boundary`, `sample`, `end` (its epilog came), `close` (this part is complete).
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

Record = dict[str, Any]

SUFFIX = ".journal"
#: Of what cannot be written, samples are given up first, from this many bytes on.
MOST_UNWRITTEN_BYTES = 1024 * 1024


def encode(record: Record) -> bytes:
    """A record as a line."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode_lines(lines: Iterable[bytes]) -> Iterator[tuple[bytes, Record]]:
    """The lines of a file, and their records, up to the first line that is torn or altered. One at a time: a
    day of many GPUs is far more than an agent may hold at once."""
    for line in lines:
        checksum, _, text = line.partition(b" ")
        if not text.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text[:-1]):
            return
        try:
            record = json.loads(text)
        except ValueError:
            return
        yield line, record


def decode(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of a file's lines, up to the first that is torn or altered."""
    return (record for _, record in decode_lines(lines))


class JournalPart:
    """The journal of one part of a run. What could not be written yet is kept and tried again.

    Lines other than samples are kept in memory as well, until the part is gone, so that a file that was
    removed under the agent can be written anew.
    """

    def __init__(self, directory: Journal, name: str) -> None:
        self.name = name
        self._directory = directory
        self._essential: list[bytes] = []
        self._written_bytes = 0
        self._unwritten: list[bytes] = []
        self._unwritten_bytes = 0
        self._sync_wanted = False
        self._descriptor: int | None = None

    def found(self, line: bytes, record: Record) -> None:
        """Take note of the next line that an earlier agent left of it."""
        self._written_bytes += len(line)
        if record["r"] != "sample":
            self._essential.append(line)

    def add(self, record: Record) -> None:
        """Append a record; it is on disk after the next `flush` that returns True."""
        line = encode(record)
        if record["r"] != "sample":
            self._essential.append(line)
            self._sync_wanted = True
        elif self._unwritten_bytes > MOST_UNWRITTEN_BYTES:
            return
        self._unwritten.append(line)
        self._unwritten_bytes += len(line)

    def flush(self) -> bool:
        """Write what is not written; all but samples safe from a loss of power, too. False: not now."""
        if not self._unwritten and not self._sync_wanted and self._is_in_place():
            return True
        try:
            descriptor = self._opened()
            if self._unwritten:
                self._write(descriptor, b"".join(self._unwritten))
                self._unwritten, self._unwritten_bytes = [], 0
            if self._sync_wanted:
                os.fdatasync(descriptor)
                self._sync_wanted = False
        except OSError:
            self.close()
            return False
        return True

    def _is_in_place(self) -> bool:
        """Whether all that was written is still there."""
        status = self._directory.status(self.name)
        return status is not None and status.st_size == self._written_bytes

    def _opened(self) -> int:
        """The file, holding just what was written to it: what is torn is cut off, for nothing after it
        would be read; a file that is gone is made anew from what is kept in memory."""
        if self._descriptor is not None:
            mine, there = os.fstat(self._descriptor), self._directory.status(self.name)
            if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
                self.close()
        if self._descriptor is None:
            self._descriptor = self._directory.open_part(self.name)
            if os.fstat(self._descriptor).st_size < self._written_bytes:
                self._unwritten, self._written_bytes = list(self._essential), 0
                self._sync_wanted = True
            os.ftruncate(self._descriptor, self._written_bytes)
        return self._descriptor

    def _write(self, descriptor: int, content: bytes) -> None:
        """All or nothing: of a line half written nothing counts, and closing leaves it to be cut off."""
        written = 0
        while written < len(content):
            written += os.write(descriptor, content[written:])
        self._written_bytes += written

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Journal:
    """The directory of journals, 0700 and the agent's own. It may be missing for a while."""

    def __init__(self, path: str) -> None:
        self.path = path

    def file(self, name: str) -> str:
        """The path of a part."""
        return os.path.join(self.path, name + SUFFIX)

    def open_part(self, name: str) -> int:
        """Open a part for appending; make it, and the directory, where they are not there."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.file(name), flags, 0o600)

    def status(self, name: str) -> os.stat_result | None:
        """Of the file that a part's path leads to; None where there is none."""
        try:
            return os.stat(self.file(name), follow_symlinks=False)
        except OSError:
            return None

    def names(self) -> list[str]:
        """The parts that lie there."""
        try:
            files = os.listdir(self.path)
        except OSError:
            return []
        return sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX))

    def read(self, name: str) -> list[Record]:
        """The records of a part. Raises OSError."""
        return [record for _, record in self.read_lines(name)]

    def read_lines(self, name: str) -> Iterator[tuple[bytes, Record]]:
        """The lines of a part, and their records, one by one. Raises OSError."""
        with open(self.file(name), "rb") as file:
            yield from decode_lines(file)

    def is_empty(self, name: str) -> bool:
        """Whether a part was made and nothing written to it. Raises OSError."""
        status = os.stat(os.path.join(self.path, name + SUFFIX), follow_symlinks=False)
        return stat.S_ISREG(status.st_mode) and status.st_size == 0

    def remove(self, name: str) -> None:
        """Done with a part: it is sealed. Where it cannot be removed, the next agent seals it again."""
        try:
            os.unlink(self.file(name))
        except OSError:
            pass

    def set_aside(self, name: str) -> None:
        """Keep a part that cannot be sealed under a name that is not looked at again."""
        try:
            os.replace(self.file(name), self.file(name) + ".bad")
        except OSError:
            pass

    def read_state(self, name: str) -> Any:
        """A small document kept beside the journals; None where there is none that can be read."""
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def has_state(self, name: str) -> bool:
        """Whether a small document is there."""
        return os.path.exists(os.path.join(self.path, name))

    def write_state(self, name: str, document: Any) -> bool:
        """Replace a small document. False: not possible now."""
        temporary = os.path.join(self.path, f".{name}.part")
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            with open(temporary, "w", encoding="ascii") as file:
                file.write(json.dumps(document))
            os.replace(temporary, os.path.join(self.path, name))
        except OSError:
            return False
        return True
