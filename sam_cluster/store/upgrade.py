"""Files of a table that an earlier release wrote, brought to the columns of this one.

The one place that knows of earlier versions: a column that a version had not yet is null, for what it
would say was not kept. Nothing is written for it; a day that changes is written in the new version.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from sam_cluster.core.errors import StoreError

from .schemas import TABLES, since, version


def read_columns(source: Path | BinaryIO, table: str, wanted: pa.Schema, where: str) -> pa.Table:
    """The wanted columns of a table's file, whichever version it is of; `where` it lies, for messages.

    Raises KeyError where one is missing that its version has, StoreError for a file of a later release,
    pyarrow's own errors for what cannot be read.
    """
    file, written_in = _opened(source, table, where)
    return _upgraded(file.read(columns=wanted.names), wanted, written_in)


def read_parts(source: Path | BinaryIO, table: str, where: str) -> Iterator[pa.Table]:
    """All columns of a table's file, some rows after the other. Raises as `read_columns` does."""
    wanted = TABLES[table]
    file, written_in = _opened(source, table, where)
    for batch in file.iter_batches(columns=wanted.names):
        yield _upgraded(pa.Table.from_batches([batch]), wanted, written_in)


def _opened(source: Path | BinaryIO, table: str, where: str) -> tuple[pq.ParquetFile, int]:
    """The file, and the version of the schema that it was written in."""
    # Not through a dataset, which would make a column of day=… in the path.
    # What is not a file on a disk is better asked for much at once.
    file = pq.ParquetFile(source, pre_buffer=not isinstance(source, Path))
    written_in = version(file.metadata.metadata)
    if written_in > version(TABLES[table].metadata):
        raise StoreError(f"{where} was written by a later release; read it with that one")
    return file, written_in


def _upgraded(rows: pa.Table, wanted: pa.Schema, written_in: int) -> pa.Table:
    for column in wanted:
        if since(column) > written_in:
            rows = rows.append_column(column, pa.nulls(len(rows), column.type))
    return rows.select(wanted.names).cast(wanted)
