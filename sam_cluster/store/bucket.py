"""Tables in a bucket of an object store that speaks S3, by the same names as in a directory.

A PUT is there whole or not at all, so that nothing needs a temporary name; a commit is a PUT that must be
the first of its name (`If-None-Match: *`). Server, region and credentials come from the environment
variables that all tools of S3 know (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, …), or from the role
of the host.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sam_cluster.core.errors import StoreError
from sam_cluster.core.times import utc_microseconds

from .index import COMMITS, NOTHING
from .objects import ObjectFile
from .place import Entry, Step, no_step, number_of, numbered
from .refusals import NO_BUCKET, refusal

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError
    from obstore.store import S3Store
except ImportError:
    raise StoreError(
        "tables in a bucket need the library obstore; install sam-cluster with its extra: sam-cluster[s3]"
    ) from None

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

#: Says that tables were begun here, and takes a name for the question whether the server gives it twice.
MARK = numbered(COMMITS, 0)
#: What a server lists in one answer.
PAGE = 1_000
#: Of a file the end is asked for first: its footer, and of most files all.
TAIL_BYTES = 1 << 20
READERS = 16
#: The attribute of a commit that tells who made it.
MADE_BY = "sam-cluster-writer"
#: A server that is not there is given up after about two seconds; a large file may take its time.
RETRIES: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(minutes=1)}
CLIENT: ClientConfig = {"allow_http": True, "connect_timeout": "5s", "timeout": "2min"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """s3://bucket/prefix. Where the server cannot tell who was first, writers wait for each other by a lock;
    None: then nobody writes."""

    address: str
    lock: Path | None = None

    @property
    def at_once(self) -> int:
        """Most of the time of a request is waiting."""
        return READERS

    def where(self, name: str) -> str:
        """Its address."""
        return f"{self.address}/{name}"

    def prepare(self) -> None:
        """Put the mark, and find out whether commits are safe here. Raises StoreError where they are not."""
        if not self._gives_a_name_once() and self.lock is None:
            raise StoreError(
                f"the server of {self.address} gives a name twice (it does not heed If-None-Match): of two "
                "writers one could undo what the other did; where one host alone aggregates, set "
                "single_writer = true in [store]"
            )

    def read(self, name: str) -> bytes:
        """As `Place.read`."""
        with _told(self.where(name)):
            return obstore.get(_client(self.address), name).bytes().to_bytes()

    def parquet(self, name: str) -> BinaryIO:
        """As `Place.parquet`."""
        return cast(BinaryIO, ObjectFile(*self._tail(name), partial(self._part, name)))

    def _part(self, name: str, start: int, end: int) -> memoryview:
        """The bytes from start to end, which is not included."""
        with _told(self.where(name)):
            return memoryview(obstore.get_range(_client(self.address), name, start=start, end=end))

    def _tail(self, name: str) -> tuple[int, memoryview]:
        """How many bytes a file has, and the last of them."""
        with _told(self.where(name)):
            answer = obstore.get(_client(self.address), name, options={"range": {"suffix": TAIL_BYTES}})
            return answer.meta["size"], memoryview(answer.bytes())

    def put(self, name: str, content: bytes, step: Step) -> None:
        """As `Place.put`."""
        step(f"put {name}")
        with _told(self.where(name)):
            obstore.put(_client(self.address), name, content, use_multipart=False)

    def create(self, name: str, content: bytes, step: Step) -> bool:
        """As `Place.create`. Raises StoreError where the server cannot say who was first."""
        self.prepare()
        step(f"put {name}")
        if not self._gives_a_name_once():
            assert self.lock is not None
            with _locked(self.lock):
                if self.written_at(name) is not None:
                    return False
                self.put(name, content, no_step)
            return True
        writer = secrets.token_hex(8)
        client = _client(self.address)
        with _told(self.where(name)):
            try:
                obstore.put(
                    client, name, content, mode="create", attributes={MADE_BY: writer}, use_multipart=False
                )
            except AlreadyExistsError:
                # The answer to an earlier try may have been lost: then it is ours that is there.
                with suppress(FileNotFoundError):
                    return obstore.get(client, name).attributes.get(MADE_BY) == writer
                return False
        return True

    def newest(self, directory: str) -> int | None:
        """As `Place.newest`. Names are listed in the order of their numbers, so that of thousands few are:
        whether there is one after a number is asked further and further on, and then back by halves."""
        newest: int | None = None
        ahead, is_bounded = 0, False
        while True:
            after = None if newest is None else numbered(directory, newest + ahead)
            page: list[ObjectMeta] = next(self._pages(directory, after), [])
            numbers = [number for each in page if (number := number_of(each["path"])) is not None]
            if numbers:
                newest = numbers[-1]
            if len(numbers) < PAGE and (numbers or not ahead):
                return newest
            is_bounded = is_bounded or not numbers
            nearer = ahead // 2 if ahead > PAGE else 0
            ahead = nearer if is_bounded else 2 * ahead or PAGE

    def entries(self, directory: str) -> Iterator[Entry]:
        """As `Place.entries`."""
        for page in self._pages(directory):
            for each in page:
                if each["path"].rpartition("/")[0] == directory:
                    yield Entry(each["path"], partial(utc_microseconds, each["last_modified"]))

    def written_at(self, name: str) -> int | None:
        """As `Place.written_at`."""
        try:
            with _told(self.where(name)):
                return utc_microseconds(obstore.head(_client(self.address), name)["last_modified"])
        except FileNotFoundError:
            return None

    def remove(self, names: Iterable[str]) -> None:
        """As `Place.remove`."""
        with _told(self.address):
            obstore.delete(_client(self.address), list(names))

    def _pages(self, directory: str, after: str | None = None) -> Iterator[list[ObjectMeta]]:
        """What lies below a directory, in the order of the names, as many as the server lists at once."""
        with _told(self.where(directory)):
            listed = obstore.list(_client(self.address), directory, offset=after, chunk_size=PAGE)
        while True:
            with _told(self.where(directory)):
                page = next(listed, None)
            if page is None:
                return
            yield list(page)

    def _gives_a_name_once(self) -> bool:
        return _gives_a_name_once(self.address)


@cache
def _client(address: str) -> S3Store:
    """One of a process, for its connections."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return S3Store(bucket, prefix=prefix or None, client_options=CLIENT, retry_config=RETRIES)


@cache
def _gives_a_name_once(address: str) -> bool:
    """Whether the server heeds the condition that a name be new; asked once in a process, by the mark."""
    content = NOTHING.to_json()
    with _told(f"{address}/{MARK}"):
        client = _client(address)
        for _ in range(2):
            try:
                obstore.put(client, MARK, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return True
            except BaseError as error:
                if "501 Not Implemented" not in str(error):
                    raise
                obstore.put(client, MARK, content, use_multipart=False)
                break
    return False


def _locked(path: Path) -> BinaryIO:
    """The file, held by one process or thread at a time of those that see it, until it is closed."""
    try:
        file = path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {error.strerror}; only the service user writes") from None
    return file


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What the library says, in a line. FileNotFoundError is that of a file; a bucket must be there."""
    try:
        yield
    except FileNotFoundError as error:
        if NO_BUCKET not in str(error):
            raise FileNotFoundError(where) from None
        raise refusal(where, error) from None
    except BaseError as error:
        raise refusal(where, error) from None
