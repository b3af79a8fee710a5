"""The rows of a day as the bytes of their file: Parquet, the same bytes for the same rows in the same order.

Sorted rows repeat much of the row before them, which zstd finds without Parquet's dictionaries: of numbers
these cost half the time of writing, and the files are a third larger with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

#: Rows in a group: small enough that a lookup by the table's first keys skips most of a day.
ROW_GROUP_ROWS = 65_536
#: Text of which a day has few values. Written by a dictionary it is read in less time.
FEW_VALUES = frozenset({
    "cluster", "node", "gpu_uuid", "boot_id", "segment", "previous_segment", "user", "account", "partition",
    "qos", "state", "kind", "cause", "reason", "share_rule", "gpu_model", "quality", "host_quality",
    "agent_version", "driver_version", "exit_code", "parent", "task", "metric", "dataset", "verdict",
})  # fmt: skip


def to_parquet(parts: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """A file's content, from rows that come in parts of any length."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        write_batch_size=ROW_GROUP_ROWS,
        use_dictionary=[name for name in schema.names if name in FEW_VALUES],
    ) as writer:
        for group in _in_groups(parts):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
    return bytes(sink.getvalue().to_pybytes())


def _in_groups(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in groups of ROW_GROUP_ROWS, each in one chunk, but for the last."""
    held: list[pa.Table] = []
    missing = ROW_GROUP_ROWS
    for part in parts:
        left = part
        while len(left):
            held.append(left.slice(0, missing))
            left = left.slice(missing)
            missing -= len(held[-1])
            if not missing:
                yield pa.concat_tables(held).combine_chunks()
                held, missing = [], ROW_GROUP_ROWS
    if held:
        yield pa.concat_tables(held).combine_chunks()
