"""From shards to rows of the tables `shards` and `readings`: plain functions, each batch by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from sam_cluster.core.errors import ShardError
from sam_cluster.store.columns import columns_of, kept
from sam_cluster.store.footers import parsed
from sam_cluster.store.plainness import are_plain
from sam_cluster.store.rows import empty, from_rows
from sam_cluster.store.shards import Footer, is_current, parse_footer, read_footer
from sam_cluster.store.soundness import complaint

from .inbox import Begun, InboxFile, Rejected, begin, read
from .plain.shards import rows_of
from .shard_rows import Row, reading_rows, shard_row
from .spread.waiting import answers


@dataclass(slots=True)
class Batch:
    """What some files hold. `unread` could not be read this time, and stay where they are; `missing` were
    not there, to whoever looked."""

    shards: pa.Table = field(default_factory=lambda: empty("shards"))
    readings: pa.Table = field(default_factory=lambda: empty("readings"))
    files: list[tuple[InboxFile, str]] = field(default_factory=list)  # with the SHA-256 of each
    rejected: list[Rejected] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)

    def reject(self, file: InboxFile, error: ShardError) -> None:
        """Name a file that is no shard."""
        self.rejected.append(Rejected(file.path, f"{file.node}.{file.name}", str(error)))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that has the footer of a shard, and its SHA-256."""

    file: InboxFile
    digest: str
    footer: Footer


def read_batch(files: Sequence[InboxFile]) -> Batch:
    """The rows of some shards. One that is torn, foreign or untrue costs nothing but itself."""
    batch = Batch()
    sealed: list[Sealed] = []
    for file, found in zip(files, answers(begin, opened, files), strict=True):
        if isinstance(found, Sealed):
            sealed.append(found)
        elif isinstance(found, ShardError):
            batch.reject(file, found)
        elif isinstance(found, FileNotFoundError):
            batch.missing.append(file.path)
        else:
            batch.unread.append(f"{file.location}: {found.strerror or found}")
    if left := fold_plain(batch, sealed):
        fold_one_by_one(batch, left)
    return batch


def opened(begun: Begun) -> Sealed | ShardError | OSError:
    """The footer of a file; or why there is none, as a value, for it is no matter of the others."""
    file = begun.file
    try:
        content = read(begun)
        return Sealed(file, hashlib.sha256(content).hexdigest(), read_footer(content, file.location))
    except (ShardError, OSError) as error:
        return error.with_traceback(None)  # which would keep the content


def fold_plain(batch: Batch, sealed: Sequence[Sealed]) -> list[Sealed]:
    """Take the rows of those that are plain into a batch, all at once; and give the others."""
    current = [each for each in sealed if is_current(each.footer)]
    table, which = parsed([each.footer.text for each in current])
    found, of_them = columns_of(table)
    current = [current[which[at]] for at in of_them]
    plain = are_plain(found, [each.file.node for each in current], [each.file.name for each in current])
    taken = [each for each, is_plain in zip(current, plain.tolist(), strict=True) if is_plain]
    digests = [each.digest for each in taken]
    batch.shards, batch.readings = rows_of(kept(found, plain), digests)
    batch.files += [(each.file, each.digest) for each in taken]
    done = {id(each) for each in taken}
    return [each for each in sealed if id(each) not in done]


def fold_one_by_one(batch: Batch, sealed: Sequence[Sealed]) -> None:
    """Add the rows of shards to a batch, each looked at in full."""
    shards: list[Row] = []
    readings: list[Row] = []
    for each in sealed:
        file = each.file
        try:
            shard = parse_footer(each.footer, file.location)
            if wrong := complaint(shard, file.node, file.name):
                raise ShardError(wrong)
        except ShardError as error:
            batch.reject(file, error)
            continue
        batch.files.append((file, each.digest))
        shards.append(shard_row(shard, each.digest))
        readings.extend(reading_rows(shard, each.digest))
    batch.shards = pa.concat_tables([batch.shards, from_rows("shards", shards)])
    batch.readings = pa.concat_tables([batch.readings, from_rows("readings", readings)])


def concat(batches: Iterable[Batch]) -> Batch:
    """Several batches as one."""
    parts = list(batches)
    whole = Batch(
        shards=pa.concat_tables([empty("shards"), *(part.shards for part in parts)]),
        readings=pa.concat_tables([empty("readings"), *(part.readings for part in parts)]),
    )
    for part in parts:
        whole.files += part.files
        whole.rejected += part.rejected
        whole.unread += part.unread
        whole.missing += part.missing
    return whole
