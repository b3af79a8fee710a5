"""A snapshot for a process that makes many pages from one state: what was read once is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from .index import FileEntry
from .schemas import TABLES
from .tables import Snapshot


class KeptSnapshot(Snapshot):
    """As a Snapshot, and costs memory in place of time: whole stretches of time are kept as they were asked
    for, and of files the columns."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot.paths, snapshot.manifest)
        self._stretches: dict[tuple[object, ...], pa.Table] = {}
        self._columns: dict[str, dict[str, pa.ChunkedArray]] = {}

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
        """As `Snapshot.read`."""
        if (raw_job_ids, run_ids, job_ids) != (None, None, None):
            return super().read(
                table,
                start_microseconds=start_microseconds,
                end_microseconds=end_microseconds,
                raw_job_ids=raw_job_ids,
                run_ids=run_ids,
                job_ids=job_ids,
                columns=columns,
                in_any_order=in_any_order,
            )
        wanted = None if columns is None else tuple(columns)
        key = table, start_microseconds, end_microseconds, wanted, in_any_order
        if key not in self._stretches:
            self._stretches[key] = super().read(
                table,
                start_microseconds=start_microseconds,
                end_microseconds=end_microseconds,
                columns=columns,
                in_any_order=in_any_order,
            )
        return self._stretches[key]

    def read_file(self, table: str, file: FileEntry, columns: Sequence[str] | None = None) -> pa.Table:
        """As `Snapshot.read_file`."""
        schema = TABLES[table]
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        kept = self._columns.setdefault(file.path, {})
        if missing := [name for name in wanted.names if name not in kept]:
            kept.update(zip(missing, super().read_file(table, file, missing).columns, strict=True))
        return pa.table([kept[name] for name in wanted.names], schema=wanted)
