"""One digest of rows, however they lie."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa

from sam_cluster.store.rows import to_rows


def rows_digest(rows: pa.Table) -> str:
    """A digest of the rows whatever their order, chunks and encoding: SHA-256 over them, one JSON array a
    row, sorted. Instants count as integer microseconds."""
    lines = sorted(json.dumps(list(row.values()), sort_keys=True) for row in to_rows(rows))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
