"""The rows of a day as the bytes of their file, and what an index knows of it: Parquet, the same bytes for
the same rows in the same order.

Sorted rows repeat much of the row before them, which zstd finds without Parquet's dictionaries: of numbers
these cost half the time of writing, and the files are a third larger with them. Of samples each number is
near the one before it: kept as differences they take half the room, and a quarter less time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sam_cluster.core.model import NO_JOB

from .index import Content, Span
from .named import least_and_greatest
from .rows import extents
from .schemas import KEYS, TABLES

#: Rows in a group: small enough that a lookup by the table's first keys skips most of a day.
ROW_GROUP_ROWS = 65_536
#: Text of which a day has few values. Written by a dictionary it is read in less time.
FEW_VALUES = frozenset({
    "cluster", "node", "gpu_uuid", "boot_id", "segment", "previous_segment", "user", "account", "partition",
    "qos", "state", "kind", "cause", "reason", "share_rule", "gpu_model", "quality", "host_quality",
    "agent_version", "driver_version", "exit_code", "parent", "task", "metric", "dataset", "verdict",
})  # fmt: skip
#: Tables of which a row's numbers are near those of the row before.
SERIES = frozenset({"samples"})
#: Besides a table's keys: by what rows are looked for, so that a reader skips those that cannot be meant.
LOOKED_FOR = frozenset({"raw_job_id", "job_id", "user", "account", "submitted_at", "started_at", "ended_at"})


def encoded(table: str, parts: Iterable[pa.Table]) -> tuple[Content, Span]:
    """The content of a file of a table, and what it holds, from rows that come in parts of any length."""
    spans: list[Span] = []

    def heard() -> Iterator[pa.Table]:
        for part in parts:
            if len(part):
                spans.append(_span(table, part))
                yield part

    content = Content.of(_to_parquet(table, heard()))
    return content, Span.over(spans)


def _span(table: str, rows: pa.Table) -> Span:
    first, last = extents(table, rows)
    ids: dict[str, int | None] = {"min": None, "max": None}
    is_jobless = False
    if "raw_job_id" in rows.column_names:
        # Each day has readings of GPUs that no job held: as a job they would be in every file's range.
        is_job = pc.not_equal(rows["raw_job_id"], NO_JOB)
        ids = pc.min_max(rows["raw_job_id"].filter(is_job)).as_py()
        is_jobless = not pc.all(is_job).as_py()
    names: tuple[int | None, int | None] = (None, None)
    if "job_id" in rows.column_names:
        names = least_and_greatest(rows["job_id"])
    return Span(
        rows=len(rows),
        start_microseconds=pc.min(first).as_py(),
        end_microseconds=pc.max(last).as_py(),
        raw_job_id_min=ids["min"],
        raw_job_id_max=ids["max"],
        is_jobless=is_jobless,
        named_min=names[0],
        named_max=names[1],
    )


def _to_parquet(table: str, parts: Iterable[pa.Table]) -> bytes:
    sink, schema = pa.BufferOutputStream(), TABLES[table]
    differences = [each.name for each in schema if table in SERIES and not pa.types.is_string(each.type)]
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        write_batch_size=ROW_GROUP_ROWS,
        use_dictionary=[name for name in schema.names if name in FEW_VALUES],
        column_encoding=dict.fromkeys(differences, "DELTA_BINARY_PACKED") or None,
        write_statistics=[name for name in schema.names if name in LOOKED_FOR or name in KEYS[table]],
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
