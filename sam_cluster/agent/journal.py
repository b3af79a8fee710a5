"""What the agent knows of open runs, on disk: a file for each part of a run, a record a line.

    3f2a91c0 {"r":"run",…}\\n          CRC-32 of the JSON, a space, the JSON

A torn last line is dropped, and no more. A record is: `run` (the head of a part), `gpus`, `boundary`,
`sample`, `end` (its epilog came), `close` (this part is complete).
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

Record = dict[str, Any]

SUFFIX = ".journal"
#: Of what cannot be written, samples are given up first, from this many bytes on.
MOST_UNWRITTEN_BYTES = 8 * 1024 * 1024


def encode(record: Record) -> bytes:
    """A record as a line."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(content: bytes) -> Iterator[Record]:
    """The records that a file holds, up to the first line that is torn or altered."""
    for line in content.splitlines(keepends=True):
        checksum, space, text = line.partition(b" ")
        if not space or not text.endswith(b"\n"):
            return
        try:
            if int(checksum, 16) != zlib.crc32(text[:-1]):
                return
            record = json.loads(text)
        except ValueError:
            return
        yield record


class JournalPart:
    """The journal of one part of a run. What could not be written yet is kept and tried again.

    Records other than samples are kept in memory as well, until the part is gone, so that a file
    that was removed under the agent can be written anew.
    """

    def __init__(self, directory: Journal, name: str) -> None:
        self.name = name
        self._directory = directory
        self._essential: list[bytes] = []
        self._unwritten: list[bytes] = []
        self._unwritten_bytes = 0
        self._sync_wanted = False
        self._descriptor: int | None = None

    def add(self, record: Record, *, sample: bool = False) -> None:
        """Append a record; it is on disk after the next `flush` that returns True."""
        line = encode(record)
        if not sample:
            self._essential.append(line)
            self._sync_wanted = True
        elif self._unwritten_bytes > MOST_UNWRITTEN_BYTES:
            return
        self._unwritten.append(line)
        self._unwritten_bytes += len(line)

    def flush(self) -> bool:
        """Write what is not written; all but samples safe from a loss of power, too. False: not now."""
        try:
            self._reopen_if_gone()
            if self._unwritten:
                self._write(b"".join(self._unwritten))
                self._unwritten, self._unwritten_bytes = [], 0
            if self._sync_wanted and self._descriptor is not None:
                os.fdatasync(self._descriptor)
                self._sync_wanted = False
        except OSError:
            self.close()
            return False
        return True

    def _reopen_if_gone(self) -> None:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self.close()
            self._unwritten = list(self._essential)
        if self._descriptor is None and self._unwritten:
            self._descriptor = self._directory.open_part(self.name)

    def _write(self, content: bytes) -> None:
        """All or nothing: a line half written is cut off again, for nothing after it would be read."""
        assert self._descriptor is not None
        size = os.fstat(self._descriptor).st_size
        written = 0
        try:
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise

    def adopt(self, records: Iterable[Record]) -> None:
        """Go on with a file that an earlier agent wrote; a torn last line is cut off."""
        whole = 0
        for record in records:
            line = encode(record)
            whole += len(line)
            if record["r"] != "sample":
                self._essential.append(line)
        self._descriptor = self._directory.open_part(self.name)
        os.ftruncate(self._descriptor, whole)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Journal:
    """The directory of journals, 0700 and the agent's own. It may be missing for a while."""

    def __init__(self, path: str) -> None:
        self.path = path

    def open_part(self, name: str) -> int:
        """Open a part for appending; make it, and the directory, where they are not there."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(os.path.join(self.path, name + SUFFIX), flags, 0o600)

    def names(self) -> list[str]:
        """The parts that lie there."""
        try:
            files = os.listdir(self.path)
        except OSError:
            return []
        return sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX))

    def read(self, name: str) -> list[Record]:
        """The records of a part. Raises OSError."""
        with open(os.path.join(self.path, name + SUFFIX), "rb") as file:
            return list(decode(file.read()))

    def remove(self, name: str) -> None:
        """Done with a part: it is sealed."""
        try:
            os.unlink(os.path.join(self.path, name + SUFFIX))
        except FileNotFoundError:
            pass

    def set_aside(self, name: str) -> None:
        """Keep a part that cannot be sealed under a name that is not looked at again."""
        path = os.path.join(self.path, name + SUFFIX)
        os.replace(path, path + ".bad")

    def read_state(self, name: str) -> Any:
        """A small document kept beside the journals; None where there is none that can be read."""
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def write_state(self, name: str, document: Any) -> bool:
        """Replace a small document. False: not possible now."""
        temporary = os.path.join(self.path, f".{name}.part")
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            with open(temporary, "w", encoding="ascii") as file:
                json.dump(document, file)
            os.replace(temporary, os.path.join(self.path, name))
        except OSError:
            return False
        return True
