"""Tables in a directory: what is named is renamed into its place, and what must be first is linked there.

All that is said to be written is on the disk, directory entries included.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sam_cluster.core.errors import StoreError

from .place import Entry, Step, number_of, numbered

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640  # whatever the umask: the readers' group reads


@dataclass(frozen=True, slots=True)
class Directory:
    """STORE/tables"""

    path: Path

    @property
    def at_once(self) -> int:
        """One after another: pyarrow reads the columns of a file in threads."""
        return 1

    def where(self, name: str) -> str:
        """Its path."""
        return str(self.path / name)

    def prepare(self) -> None:
        """Make the directories that are not there."""
        make_directories({self.path / name: DIRECTORY_MODE for name in ("", "commits", "index")})

    def read(self, name: str) -> bytes:
        """As `Place.read`."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(
                f"{self.where(name)} cannot be read: {error.strerror}; restore it from a backup"
            ) from None

    def parquet(self, name: str) -> Path:
        """Its path, from which pyarrow reads by itself."""
        return self.path / name

    def put(self, name: str, content: bytes, step: Step) -> None:
        """To the disk under a temporary name, then renamed."""
        path = self.path / name
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        temporary = _temporary(path)
        step(f"write {path.name}")
        write_durably(temporary, content)
        step(f"rename {path.name}")
        temporary.rename(path)
        _sync(path.parent)

    def create(self, name: str, content: bytes, step: Step) -> bool:
        """To the disk under a temporary name, then linked, which fails where the name is taken."""
        path = self.path / name
        temporary = _temporary(path)
        step(f"write {path.name}")
        write_durably(temporary, content)
        step(f"link {path.name}")
        try:
            os.link(temporary, path)
        except FileExistsError:
            # A network file system may have done it and lost the answer.
            if temporary.stat().st_nlink != 2 or not path.samefile(temporary):
                return False
        finally:
            temporary.unlink()
        _sync(path.parent)
        return True

    def newest(self, directory: str) -> int | None:
        """As `Place.newest`."""
        path = self.path / directory
        try:
            numbers = [number for each in os.scandir(path) if (number := number_of(each.name)) is not None]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"the tables in {self.path.parent} cannot be read: {error.strerror}; "
                "readers must be in the group of STORE/tables"
            ) from None
        number = max(numbers, default=0)
        # A listing may be old on a network file system, a name that is asked for is not.
        while (self.path / numbered(directory, number + 1)).exists():
            number += 1
        return number

    def entries(self, directory: str) -> Iterator[Entry]:
        """As `Place.entries`."""
        path = self.path / directory
        try:
            names = sorted(each.name for each in os.scandir(path) if each.is_file(follow_symlinks=False))
        except FileNotFoundError:
            return
        for name in names:
            yield Entry(f"{directory}/{name}", partial(_modified_microseconds, path / name))

    def written_at(self, name: str) -> int | None:
        """As `Place.written_at`."""
        try:
            return _modified_microseconds(self.path / name)
        except FileNotFoundError:
            return None

    def remove(self, names: Iterable[str]) -> None:
        """As `Place.remove`."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)


def make_directories(modes: Mapping[Path, int]) -> None:
    """Make those that are not there. Raises StoreError where that is not possible."""
    for path, mode in modes.items():
        try:
            path.mkdir(parents=True)
            path.chmod(mode)  # mkdir heeds the umask
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(
                f"{path} cannot be made: {error.strerror}; make it, and give it to the service user"
            ) from None


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and see it on the disk. Raises StoreError, and then leaves none: a full disk is not to be
    fuller after each attempt."""
    try:
        with path.open("wb") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise StoreError(
            f"{path.parent} cannot be written to: {error.strerror}; "
            "nothing was changed, begin again when it can"
        ) from None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _sync(directory: Path) -> None:
    """See a directory's entries on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _modified_microseconds(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000
