"""A shard as a Parquet file: its samples are the rows; all that a figure needs is in the footer.

The footer's key `sam_cluster.shard` is JSON: the run, the GPUs, and the boundaries. So a job's
energy is known from the footer alone, and no sample is read for it. GPUs and boundaries are columns there,
an object of lists, as one GPU or boundary after the other has its values, and say nothing twice (`short.py`).
So the footers of many shards become Arrow columns at once (`footers.py`). In version 3 the lists are whole;
versions 1 and 2 have an object for each GPU and boundary instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sam_cluster.core.errors import ShardError
from sam_cluster.core.model import Sample, Shard

from .document import from_json, to_json
from .footer_text import before_text, text_after
from .soundness import LAST_INSTANT

FOOTER_KEY = b"sam_cluster.shard"
VERSION_KEY = b"sam_cluster.shard_version"
SHARD_VERSION = 4
#: Of these the footer is read. Version 1 has no second meter: what it does not say is not known.
READABLE_VERSIONS = (b"1", b"2", b"3", b"4")
#: More than MOST_ROWS boundaries with all that they can say; as Python objects it is twenty times as much.
LARGEST_FOOTER_BYTES = 2**25
CURRENT = str(SHARD_VERSION).encode()
BEFORE_CURRENT_TEXT = before_text({VERSION_KEY: CURRENT}, FOOTER_KEY)


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer of a shard's file says, not yet looked into."""

    version: bytes
    text: bytes  # JSON


SAMPLE_ROWS = pa.schema([
    pa.field("gpu_uuid", pa.dictionary(pa.int32(), pa.string())),
    pa.field("at", pa.timestamp("us", tz="UTC")),
    pa.field("uptime_microseconds", pa.int64()),
    pa.field("counter_millijoules", pa.int64()),
    pa.field("power_energy_millijoules", pa.int64()),
    pa.field("power_milliwatts", pa.int64()),
])  # fmt: skip
NUMBERS = [name for name in SAMPLE_ROWS.names if name != "gpu_uuid"]


def write(shard: Shard, sink: BinaryIO) -> None:
    """Write a shard. The same shard gives the same bytes under one version of pyarrow."""
    samples = sorted(shard.samples, key=lambda s: (s.gpu_uuid, s.uptime_microseconds))
    columns = {
        "gpu_uuid": [s.gpu_uuid for s in samples],
        "at": [s.at_microseconds for s in samples],
        "uptime_microseconds": [s.uptime_microseconds for s in samples],
        "counter_millijoules": [s.counter_millijoules for s in samples],
        "power_energy_millijoules": [s.power_energy_millijoules for s in samples],
        "power_milliwatts": [s.power_milliwatts for s in samples],
    }
    rows = pa.Table.from_pydict(columns, schema=SAMPLE_ROWS)
    with pq.ParquetWriter(
        sink,
        SAMPLE_ROWS,
        compression="zstd",
        # One number of a GPU after the other: what is kept are the few bits by which they differ.
        use_dictionary=["gpu_uuid"],
        column_encoding=dict.fromkeys(NUMBERS, "DELTA_BINARY_PACKED"),
        write_statistics=False,  # nobody looks for a part of a shard
        store_schema=False,  # Arrow's own copy of the schema would hold all of the metadata once more
    ) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({VERSION_KEY: CURRENT, FOOTER_KEY: to_json(shard)})


def read_summary(path: Path) -> tuple[Shard, str]:
    """The shard without its samples, from the footer, and the SHA-256 of the whole file.

    Raises ShardError for a file that is torn, foreign, or of another version, OSError where the disk
    does not give it.
    """
    content = path.read_bytes()
    return parse_summary(content, str(path)), hashlib.sha256(content).hexdigest()


def parse_summary(content: bytes, where: str) -> Shard:
    """The shard without its samples, from a file's bytes. Raises ShardError, naming `where`."""
    return parse_footer(read_footer(content, where), where)


def read_footer(content: bytes, where: str) -> Footer:
    """What the footer says, from a file's bytes. Raises ShardError, naming `where`."""
    if (text := text_after(content, BEFORE_CURRENT_TEXT)) is not None:
        return Footer(CURRENT, text)
    try:
        metadata = pq.read_metadata(pa.BufferReader(content)).metadata or {}
    except (OSError, ValueError, pa.ArrowException) as error:  # the second where a column's name is no text
        raise ShardError(f"{where}: not a readable Parquet file: {_first_line(error)}") from None
    version = metadata.get(VERSION_KEY)
    if version is None or FOOTER_KEY not in metadata:
        raise ShardError(f"{where}: a Parquet file, but not a shard of sam-cluster")
    if version not in READABLE_VERSIONS:
        raise ShardError(f"{where}: a shard of version {version!r}; this release reads 1 to {SHARD_VERSION}")
    return Footer(version, metadata[FOOTER_KEY])


def is_current(footer: Footer) -> bool:
    """Whether this release writes such footers."""
    return footer.version == CURRENT


def parse_footer(footer: Footer, where: str) -> Shard:
    """The shard without its samples. Raises ShardError, naming `where`."""
    if len(footer.text) > LARGEST_FOOTER_BYTES:
        raise ShardError(f"{where}: its footer has {len(footer.text)} bytes, and no shard's is so large")
    try:
        return from_json(footer.text, int(footer.version))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ShardError(f"{where}: its footer does not hold a shard: {_first_line(error)}") from None


def sample_rows(content: bytes, where: str) -> pa.Table:
    """The samples of a shard as rows of SAMPLE_ROWS, by GPU and time, from a file's bytes. Raises ShardError,
    naming `where`."""
    try:
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["gpu_uuid"])
        # A column a thread costs more than these few rows.
        rows = file.read(columns=SAMPLE_ROWS.names, use_threads=False).select(SAMPLE_ROWS.names)
        if not rows.schema.equals(SAMPLE_ROWS):
            rows = rows.cast(SAMPLE_ROWS)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise ShardError(f"{where}: its samples cannot be read: {_first_line(error)}") from None
    at = rows["at"].cast(pa.int64())
    ends = pc.min_max(at).as_py()
    if at.null_count or (len(at) and not 0 <= ends["min"] <= ends["max"] <= LAST_INSTANT):
        raise ShardError(f"{where}: a sample of it is outside the years 1970 to 2099")
    return rows.replace_schema_metadata(None)


def read_samples(path: Path) -> tuple[Sample, ...]:
    """The samples of a shard, by GPU and time. Raises as `sample_rows` does, and OSError."""
    return tuple(
        Sample(
            gpu_uuid=row["gpu_uuid"],
            at_microseconds=_microseconds(row["at"]),
            uptime_microseconds=row["uptime_microseconds"],
            counter_millijoules=row["counter_millijoules"],
            power_energy_millijoules=row["power_energy_millijoules"],
            power_milliwatts=row["power_milliwatts"],
        )
        for row in sample_rows(path.read_bytes(), str(path)).to_pylist()
    )


def _microseconds(instant: Any) -> int:
    return int(pa.scalar(instant, type=pa.timestamp("us", tz="UTC")).value)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
