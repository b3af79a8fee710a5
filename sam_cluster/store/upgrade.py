"""Files of a table that an earlier release wrote, brought to the columns of this one.

The one place that knows of earlier versions: a column that a version had not yet is null, for what it
would say was not kept. Nothing is written for it; a day that changes is written in the new version.
"""

from __future__ import annotations

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
    # Not through a dataset, which would make a column of day=… in the path.
    # What is not a file on a disk is better asked for much at once.
    file = pq.ParquetFile(source, pre_buffer=not isinstance(source, Path))
    written_in = version(file.metadata.metadata)
    if written_in > version(TABLES[table].metadata):
        raise StoreError(f"{where} was written by a later release; read it with that one")
    rows = file.read(columns=wanted.names)
    for column in wanted:
        if since(column) > written_in:
            rows = rows.append_column(column, pa.nulls(len(rows), column.type))
    return rows.select(wanted.names).cast(wanted)
