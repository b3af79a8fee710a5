"""Files of a table that an earlier release wrote, brought to the columns of this one.

The one place that knows of earlier versions: a column that a version had not yet is null, for what it
would say was not kept. Nothing is written for it; a day that changes is written in the new version.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from .schemas import SCHEMA_VERSION

VERSION_KEY = b"sam_cluster.schema"


def read_columns(file: pq.ParquetFile, wanted: pa.Schema) -> pa.Table:
    """The wanted columns of a table's file, whichever version it is of.

    Raises KeyError where one is missing that its version has, ValueError for a version that is not known
    here, pyarrow's own errors for what cannot be read.
    """
    written = file.schema_arrow
    version = int((written.metadata or {}).get(VERSION_KEY, b"1"))
    if not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(f"it is of schema {version}, and this release knows those up to {SCHEMA_VERSION}")
    rows = file.read(columns=[name for name in wanted.names if name in written.names])
    for field in wanted:
        if field.name not in written.names and _since(field) > version:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows.select(wanted.names).cast(wanted)


def _since(field: pa.Field) -> int:
    return int((field.metadata or {}).get(b"since", b"1"))
