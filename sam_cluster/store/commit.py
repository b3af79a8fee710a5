"""Writing tables: days are replaced whole, and one file that only one writer can create makes them current.

What a writer leaves that dies at any step are files that no commit names; readers see the old state or
the new one. Of two writers that started from the same state one wins, and the other starts anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Any

import pyarrow as pa

from sam_cluster.core.cores import cores
from sam_cluster.core.errors import StoreError
from sam_cluster.core.units import MICROSECONDS_PER_DAY

from .encoding import encoded
from .index import (
    COMMITS,
    INDEX,
    Content,
    FileEntry,
    Manifest,
    Month,
    Span,
    files_to_json,
    index_to_json,
    month_of,
    write_content,
)
from .paths import StorePaths
from .place import Step, answers, no_step, numbered
from .posix import make_directories
from .rows import by_day, day_start, days_of, identifying, in_order, in_order_by_day, without
from .schemas import TABLES
from .sweep import sweep
from .tables import Snapshot, Where, place_of

#: From the parts of a day's rows as they are, in order, to those that shall be, in order.
Merge = Callable[[Iterator[pa.Table]], Iterator[pa.Table]]


class CommitLost(StoreError):
    """Raised when another writer committed first: nothing was changed, start from a new snapshot."""


def prepare(paths: StorePaths) -> None:
    """Make the directories of a store that are not there, and its tables ready. Raises StoreError where that
    is not possible."""
    make_directories(
        {paths.root: 0o755, paths.inbox: 0o750, paths.submissions: 0o1733, paths.quarantine: 0o750}
    )
    place_of(paths).prepare()


class Transaction:
    """Changes to the tables of a snapshot, read as if they were made, current when committed.

    `step` is called with the name of each step on the disk before it is taken.
    """

    def __init__(self, snapshot: Snapshot, *, now_microseconds: int, step: Step = no_step) -> None:
        self.base = snapshot
        self.properties: dict[str, Any] = dict(snapshot.properties)
        self._now = now_microseconds
        self._step = step
        self._staged: dict[str, dict[date | None, pa.Table]] = {}
        # What is staged is encoded at once, while the next is made of it; their threads end with this.
        self._encoders = ThreadPoolExecutor(cores())
        self._encoded: dict[str, dict[date | None, Future[tuple[Content, Span]]]] = {}
        self._merged: dict[str, dict[date, Merge]] = {}
        self._folded: set[str] = set()
        self._superseded: list[str] = []

    def replace_day(self, table: str, day: date | None, rows: pa.Table) -> None:
        """Put these rows in place of all that are filed under the day (None: of a table without days)."""
        self._stage(table, day, in_order(table, rows))

    def merge_day(self, table: str, day: date, merge: Merge) -> None:
        """Change a day when it is committed, a part of it after the other, so that it is never in memory as a
        whole. Until then it reads as it was."""
        self._merged.setdefault(table, {})[day] = merge

    def exchange(self, table: str, *, removed: pa.Table, added: pa.Table) -> None:
        """Take rows out, by the table's keys, and put others in, also in place of rows of their keys; their
        days are written anew. Of the `removed` only the columns that are `identifying` are needed."""
        out, put = by_day(table, removed.select(identifying(table))), days_of(table, added)
        keys = added.select(identifying(table))
        parts = [added]
        for day in {**out, **put}:
            rows = self.read_day(table, day)
            if len(rows) and day in out:
                rows = without(table, rows, out[day])
            if len(rows) and day in put:
                parts.append(without(table, rows, keys.filter(pa.array(put[day]))))
            elif day not in put:
                self._stage(table, day, rows)  # in the order in which they were
        for day, rows in in_order_by_day(table, pa.concat_tables(parts)).items():
            self._stage(table, day, rows)

    def _stage(self, table: str, day: date | None, rows: pa.Table) -> None:
        schema = TABLES[table]
        typed = rows.select(schema.names).cast(schema)
        self._staged.setdefault(table, {})[day] = typed
        self._encoded.setdefault(table, {})[day] = self._encoders.submit(encoded, table, [typed])

    def days(self, table: str, *, before: date | None = None, after: date | None = None) -> Iterator[date]:
        """The days with rows before one, the latest first; or after one, the earliest first."""
        staged = {day: rows for day, rows in self._staged.get(table, {}).items() if day is not None}
        known = self.base.months(table)
        months = {*known, *(month_of(day) for day in staged)}
        for name in sorted(months, reverse=before is not None):
            if (before and name > month_of(before)) or (after and name < month_of(after)):
                continue
            files = self.base.files_of(known[name]) if name in known else []
            days = {file.day for file in files if file.day and file.day not in staged}
            days |= {day for day, rows in staged.items() if month_of(day) == name and len(rows)}
            for day in sorted(days, reverse=before is not None):
                if (not before or day < before) and (not after or day > after):
                    yield day

    def overhanging(self, table: str, day: date) -> pa.Table:
        """Rows that touch a day, from files of up to this day in which some row reaches beyond the end of its
        own: as a rule none does, and no file is opened."""
        start, end = day_start(day), day_start(day) + MICROSECONDS_PER_DAY
        staged = {each: rows for each, rows in self._staged.get(table, {}).items() if each and each <= day}
        files = [
            file
            for file in self.base.files(table, start_microseconds=start, end_microseconds=end)
            if file.is_overhanging and file.day and file.day <= day and file.day not in staged
        ]
        parts = [*self.base.read_files(table, files), *staged.values()]
        return Where(table, start, end, None, None, None).selected(parts, None, in_any_order=True)

    def folded(self, digests: Iterable[str]) -> None:
        """Name shards that this commit takes in."""
        self._folded.update(digests)

    def read_day(self, table: str, day: date | None, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows filed under a day, as changed here."""
        staged = self._staged.get(table, {})
        if day not in staged:
            return self.base.read_day(table, day, columns)
        return staged[day] if columns is None else staged[day].select(list(columns))

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
        """As `Snapshot.read`, with the changes made here."""
        where = Where(table, start_microseconds, end_microseconds, raw_job_ids, run_ids, job_ids)
        staged = self._staged.get(table, {})
        files = self.base.files(
            table,
            start_microseconds=start_microseconds,
            end_microseconds=end_microseconds,
            raw_job_ids=raw_job_ids,
            job_ids=job_ids,
        )
        read = where.columns(columns, in_any_order)
        unchanged = [file for file in files if file.day not in staged]
        parts = list(self.base.read_files(table, unchanged, read))
        parts += [rows if read is None else rows.select(read) for rows in staged.values()]
        return where.selected(parts, columns, in_any_order)

    def commit(self) -> Snapshot:
        """Make the changes current, and return the new state; the old one where nothing changed.

        Raises CommitLost.
        """
        number = self.base.number + 1
        tables = dict(self.base.manifest.tables)
        # All are begun before the first is written, for a disk takes its time, too.
        for table, merges in self._merged.items():
            for merged, merge in merges.items():
                parts = merge(self.base.parts_of_day(table, merged))
                self._encoded.setdefault(table, {})[merged] = self._encoders.submit(encoded, table, parts)
        changed = sorted(self._encoded)
        written = answers(
            self.base.place,
            lambda table: self._write_table(table, self._encoded[table], number),
            changed,
        )
        for table, index in zip(changed, written, strict=True):
            tables[table] = index or tables.get(table, "")
        tables = {table: name for table, name in tables.items() if name}
        same = tables == self.base.manifest.tables and self.properties == self.base.properties
        if same and not self._folded:
            return self.base
        folded = None
        if self._folded:
            content = json.dumps({"shards": sorted(self._folded)}, separators=(",", ":")).encode("ascii")
            folded = write_content(self.base.place, INDEX, Content.of(content), ".json", number, self._step)
        if self.base.manifest.folded:
            self._superseded.append(f"{INDEX}/{self.base.manifest.folded}")
        self._step("sweep")
        manifest = Manifest(
            number=number,
            committed_at_microseconds=self._now,
            tables=tables,
            folded=folded,
            superseded=tuple(sorted(self._superseded)),
            swept=sweep(self.base, self._directories(), self._now),
            properties=self.properties,
        )
        self._publish(manifest)
        return Snapshot(self.base.paths, manifest)

    def _write_table(
        self, table: str, days: dict[date | None, Future[tuple[Content, Span]]], number: int
    ) -> str | None:
        """The name of the table's new index; None where no file of it changed."""
        months = dict(self.base.months(table))
        lists: dict[str, dict[date | None, FileEntry]] = {}
        for day, future in days.items():
            name = month_of(day)
            if name not in lists:
                known = self.base.files_of(months[name]) if name in months else []
                lists[name] = {file.day: file for file in known}
            old = lists[name].get(day)
            content, span = future.result()
            new = self._write_file(table, day, content, span, old, number) if span.rows else None
            if new != old:
                if old:
                    self._superseded.append(old.path)
                    del lists[name][day]
                if new:
                    lists[name][day] = new
        place = self.base.place
        changed = False
        for name, files in lists.items():
            before = months.get(name)
            if before and files == {file.day: file for file in self.base.files_of(before)}:
                continue
            changed = changed or bool(files) or before is not None
            if before:
                self._superseded.append(f"{INDEX}/{before.name}")
                del months[name]
            if files:
                listing = Content.of(files_to_json(files.values()))
                listed = write_content(place, INDEX, listing, ".json", number, self._step)
                months[name] = Month(name=listed, span=Span.over(file.span for file in files.values()))
        if not changed:
            return None
        if table in self.base.manifest.tables:
            self._superseded.append(f"{INDEX}/{self.base.manifest.tables[table]}")
        return write_content(place, INDEX, Content.of(index_to_json(months)), ".json", number, self._step)

    def _write_file(
        self,
        table: str,
        day: date | None,
        content: Content,
        span: Span,
        old: FileEntry | None,
        number: int,
    ) -> FileEntry:
        if old and content.digest == old.digest:
            return old
        below = f"{table}/day={day.isoformat()}" if day else table
        name = write_content(self.base.place, below, content, ".parquet", number, self._step)
        return FileEntry(path=f"{below}/{name}", day=day, digest=content.digest, span=span)

    def _directories(self) -> list[str]:
        """The directories below tables/ that hold files of what is staged."""
        return sorted(
            f"{table}/day={day.isoformat()}" if day else table
            for table, days in self._encoded.items()
            for day in days
        )

    def _publish(self, manifest: Manifest) -> None:
        place = self.base.place
        if not place.create(numbered(COMMITS, manifest.number), manifest.to_json(), self._step):
            raise CommitLost(
                f"commit {manifest.number} of {self.base.paths.tables_at} was made by another writer; "
                "run sam-cluster aggregate again"
            )
        self._step("committed")
