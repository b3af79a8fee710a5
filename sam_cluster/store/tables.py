"""The tables as of one commit: which files are current, and the rows in them.

    snapshot = Tables(paths).snapshot()
    jobs = snapshot.read("jobs", start_microseconds=…, end_microseconds=…)

A snapshot stays readable for an hour after a later commit superseded it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.errors import StoreError

from .index import COMMITS, NOTHING, FileEntry, Manifest, Month, files_from_file, index_from_file, month_of
from .named import are_meant, numbers_of
from .paths import StorePaths
from .place import Place, answers, numbered
from .posix import Directory
from .rows import empty, extent_columns, extents, in_order, only
from .schemas import KEYS, TABLES
from .upgrade import read_columns, read_parts

#: Among the properties of a commit: from when on samples are kept, where they are not for ever.
SAMPLES_KEPT_FROM = "samples_kept_from_microseconds"


def place_of(paths: StorePaths) -> Place:
    """Where the tables of a store lie. Raises StoreError where the library for that is not installed."""
    if paths.bucket is None:
        return Directory(paths.tables)
    from .bucket import Bucket

    return Bucket(paths.bucket, paths.lock if paths.single_writer else None)


class Tables:
    """The tables of a store."""

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths

    def snapshot(self) -> Snapshot:
        """What the last commit says. Before the first there is one of number 0, without rows.

        Raises StoreError where there is no store, or where it cannot be read.
        """
        place = place_of(self.paths)
        while True:
            number = place.newest(COMMITS)
            if number is None:
                raise StoreError(
                    f"there are no tables in {self.paths.tables_at}; name the store by --store or in the "
                    "configuration, and run sam-cluster aggregate first"
                )
            if number == 0:
                return Snapshot(self.paths, NOTHING)
            try:
                return Snapshot(self.paths, Manifest.from_file(place, numbered(COMMITS, number)))
            except FileNotFoundError:
                continue  # superseded and removed between the two looks


class Snapshot:
    """All tables as one commit left them; nothing that is written later changes it."""

    def __init__(self, paths: StorePaths, manifest: Manifest) -> None:
        self.paths = paths
        self.place = place_of(paths)
        self.manifest = manifest
        self._months: dict[str, dict[str, Month]] = {}
        self._files: dict[str, list[FileEntry]] = {}

    @property
    def number(self) -> int:
        """The commit's number; 0 before the first."""
        return self.manifest.number

    @property
    def committed_at_microseconds(self) -> int:
        """When the commit was made (UTC)."""
        return self.manifest.committed_at_microseconds

    @property
    def properties(self) -> Mapping[str, Any]:
        """What is known of the tables as a whole, such as up to when accounting was asked."""
        return self.manifest.properties

    @property
    def samples_kept_from_microseconds(self) -> int | None:
        """Of what is earlier (UTC) there are no samples any more; None where all are kept."""
        return self.properties.get(SAMPLES_KEPT_FROM)

    def months(self, table: str) -> dict[str, Month]:
        """The months of a table, as its index has them."""
        if table not in self._months:
            name = self.manifest.tables.get(table)
            self._months[table] = index_from_file(self.place, name) if name else {}
        return self._months[table]

    def files_of(self, month: Month) -> list[FileEntry]:
        """The files of a month."""
        if month.name not in self._files:
            self._files[month.name] = files_from_file(self.place, month.name)
        return self._files[month.name]

    def files(
        self,
        table: str,
        *,
        start_microseconds: int | None = None,
        end_microseconds: int | None = None,
        raw_job_ids: Collection[int] | None = None,
        job_ids: Collection[str] | None = None,
    ) -> list[FileEntry]:
        """The files that may hold rows of such times and jobs, by day."""
        ids = None if raw_job_ids is None else sorted(raw_job_ids)
        named = None if job_ids is None else numbers_of(job_ids)
        found = [
            file
            for month in self.months(table).values()
            if month.span.may_hold(start_microseconds, end_microseconds, ids, named)
            for file in self.files_of(month)
            if file.span.may_hold(start_microseconds, end_microseconds, ids, named)
        ]
        return sorted(found, key=lambda file: (file.day or date.min, file.path))

    def job_numbers(self, start_microseconds: int, end_microseconds: int) -> list[tuple[int, int]] | None:
        """Ranges, from the first to the last, in which lie all numbers that names of jobs of [start, end)
        begin with, by the index alone; None where it does not know."""
        ranges: list[tuple[int, int]] = []
        for file in self.files(
            "jobs", start_microseconds=start_microseconds, end_microseconds=end_microseconds
        ):
            least, greatest = file.span.named_min, file.span.named_max
            if least is None or greatest is None:
                return None
            ranges.append((least, greatest))
        return ranges

    def file_of_day(self, table: str, day: date | None) -> FileEntry | None:
        """The file of a day; None where it has no rows."""
        month = self.months(table).get(month_of(day))
        return next((file for file in self.files_of(month) if file.day == day), None) if month else None

    def read_day(self, table: str, day: date | None, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows filed under a day, by the table's keys."""
        if file := self.file_of_day(table, day):
            return self.read_file(table, file, columns)
        return empty(table) if columns is None else empty(table).select(list(columns))

    def read(
        self,
        table: str,
        *,
        start_microseconds: int | None = None,
        end_microseconds: int | None = None,
        raw_job_ids: Collection[int] | None = None,
        run_ids: Collection[str] | None = None,
        job_ids: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
        in_any_order: bool = False,
    ) -> pa.Table:
        """The rows whose extent overlaps [start, end), of these jobs and runs, by the table's keys.

        A row that ends at `start` is among them. `job_ids` are names as users give them: that of an array or
        heterogeneous job means all of its parts. Only files that may hold such rows are opened. In any order
        takes half the time and fewer columns, for who only adds up.
        """
        where = Where(table, start_microseconds, end_microseconds, raw_job_ids, run_ids, job_ids)
        files = self.files(
            table,
            start_microseconds=start_microseconds,
            end_microseconds=end_microseconds,
            raw_job_ids=raw_job_ids,
            job_ids=job_ids,
        )
        read = where.columns(columns, in_any_order)
        return where.selected(self.read_files(table, files, read), columns, in_any_order)

    def read_files(
        self, table: str, files: Sequence[FileEntry], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """The rows of each file."""
        return answers(self.place, partial(self.read_file, table, columns=columns), files)

    def read_file(self, table: str, file: FileEntry, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one file. Raises StoreError where it is missing, torn or of another schema."""
        wanted = TABLES[table]
        if columns is not None:
            wanted = pa.schema([wanted.field(name) for name in columns])
        with self._readable(file) as where:
            return read_columns(self.place.parquet(file.path), table, wanted, where)

    def parts_of_day(self, table: str, day: date | None) -> Iterator[pa.Table]:
        """All rows filed under a day, by the table's keys, some after the other. Raises as `read_file`."""
        if file := self.file_of_day(table, day):
            with self._readable(file) as where:
                yield from read_parts(self.place.parquet(file.path), table, where)

    @contextmanager
    def _readable(self, file: FileEntry) -> Iterator[str]:
        """Where a file lies, while it is read. Raises StoreError where that cannot be done."""
        where = self.place.where(file.path)
        try:
            yield where
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise StoreError(
                f"{where}, which commit {self.number} names, cannot be read: {reason}. A state is kept for "
                "an hour after the next one: begin again. If it stays so, restore the file from a backup"
            ) from None


class Where:
    """Which rows of a table are wanted."""

    def __init__(
        self,
        table: str,
        start_microseconds: int | None,
        end_microseconds: int | None,
        raw_job_ids: Collection[int] | None,
        run_ids: Collection[str] | None,
        job_ids: Collection[str] | None,
    ) -> None:
        self._table = table
        self._start, self._end = start_microseconds, end_microseconds
        self._names = None if job_ids is None else pa.array(list(job_ids), pa.string())
        self._ids: dict[str, pa.Array] = {}
        if raw_job_ids is not None:
            self._ids["raw_job_id"] = pa.array(sorted(raw_job_ids), pa.int64())
        if run_ids is not None:
            self._ids["run_id"] = pa.array(sorted(run_ids), pa.string())

    def columns(self, wanted: Sequence[str] | None, in_any_order: bool = False) -> list[str] | None:
        """What has to be read to choose and order the rows; None for all columns."""
        if wanted is None:
            return None
        timed = extent_columns(self._table) if (self._start, self._end) != (None, None) else ()
        keys = () if in_any_order else KEYS[self._table]
        named = () if self._names is None else ("job_id",)
        needed = {*wanted, *keys, *self._ids, *named, *timed}
        return [name for name in TABLES[self._table].names if name in needed]

    def selected(
        self, parts: Iterable[pa.Table], columns: Sequence[str] | None, in_any_order: bool = False
    ) -> pa.Table:
        """The wanted rows of all parts, by the table's keys."""
        kept = [self._filtered(part) for part in parts]
        rows = pa.concat_tables(kept) if kept else empty(self._table)
        rows = rows if in_any_order else in_order(self._table, rows)
        return rows if columns is None else rows.select(list(columns))

    def _filtered(self, rows: pa.Table) -> pa.Table:
        for name, wanted in self._ids.items():
            rows = only(rows, pc.is_in(rows[name], wanted))
        if self._names is not None:
            rows = only(rows, are_meant(rows["job_id"], self._names))
        if len(rows) and (self._start, self._end) != (None, None):
            first, last = extents(self._table, rows)
            begun = pa.scalar(True) if self._end is None else pc.less(first, self._end)
            unended = pa.scalar(True) if self._start is None else pc.greater_equal(last, self._start)
            rows = only(rows, pc.and_(begun, unended))
        return rows
