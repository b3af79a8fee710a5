"""A shard as a Parquet file: its samples are the rows; all that a figure needs is in the footer.

The footer's key `sam_cluster.shard` is JSON: the run, the GPUs, and the boundaries. So a job's
energy is known from the footer alone, and no sample is read for it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from sam_cluster.core.errors import ShardError
from sam_cluster.core.model import Boundary, Flag, GpuHeld, Kind, Reason, RunKey, Rung, Sample, Shard

FOOTER_KEY = b"sam_cluster.shard"
VERSION_KEY = b"sam_cluster.shard_version"
SHARD_VERSION = 1

SAMPLE_ROWS = pa.schema([
    pa.field("gpu_uuid", pa.dictionary(pa.int32(), pa.string())),
    pa.field("at", pa.timestamp("us", tz="UTC")),
    pa.field("uptime_microseconds", pa.int64()),
    pa.field("counter_millijoules", pa.int64()),
    pa.field("power_energy_millijoules", pa.int64()),
    pa.field("power_milliwatts", pa.int64()),
])  # fmt: skip


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
    metadata = {VERSION_KEY: str(SHARD_VERSION).encode(), FOOTER_KEY: _to_json(shard)}
    table = pa.Table.from_pydict(columns, schema=SAMPLE_ROWS.with_metadata(metadata))
    pq.write_table(table, sink, compression="zstd")


def read_summary(path: Path) -> tuple[Shard, str]:
    """The shard without its samples, from the footer, and the SHA-256 of the whole file.

    Raises ShardError for a file that is torn, foreign, or of another version.
    """
    try:
        content = path.read_bytes()
        metadata = pq.read_metadata(pa.BufferReader(content)).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{path}: not a readable Parquet file: {_first_line(error)}") from None
    return _from_metadata(metadata, str(path)), hashlib.sha256(content).hexdigest()


def read_samples(path: Path) -> tuple[Sample, ...]:
    """The samples of a shard, by GPU and time. Raises ShardError as `read_summary` does."""
    try:
        rows = pq.read_table(path, schema=SAMPLE_ROWS).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{path}: its samples cannot be read: {_first_line(error)}") from None
    return tuple(
        Sample(
            gpu_uuid=row["gpu_uuid"],
            at_microseconds=_microseconds(row["at"]),
            uptime_microseconds=row["uptime_microseconds"],
            counter_millijoules=row["counter_millijoules"],
            power_energy_millijoules=row["power_energy_millijoules"],
            power_milliwatts=row["power_milliwatts"],
        )
        for row in rows
    )


def _microseconds(instant: Any) -> int:
    return int(pa.scalar(instant, type=pa.timestamp("us", tz="UTC")).value)


def _to_json(shard: Shard) -> bytes:
    document = asdict(shard)
    del document["samples"]
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _from_metadata(metadata: dict[bytes, bytes], where: str) -> Shard:
    version = metadata.get(VERSION_KEY)
    if version is None or FOOTER_KEY not in metadata:
        raise ShardError(f"{where}: a Parquet file, but not a shard of sam-cluster")
    if version != str(SHARD_VERSION).encode():
        raise ShardError(f"{where}: a shard of version {version!r}; this release reads {SHARD_VERSION}")
    try:
        return _from_document(json.loads(metadata[FOOTER_KEY]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShardError(f"{where}: its footer does not hold a shard: {_first_line(error)}") from None


def _from_document(document: dict[str, Any]) -> Shard:
    gpus = tuple(
        GpuHeld(**{**gpu, "rung": Rung(gpu["rung"]), "reason": _optional(Reason, gpu["reason"])})
        for gpu in document["gpus"]
    )
    boundaries = tuple(
        Boundary(**{**row, "kind": Kind(row["kind"]), "flags": _flags(row["flags"])})
        for row in document["boundaries"]
    )
    return Shard(
        **{
            **document,
            "key": RunKey(**document["key"]),
            "gpus": gpus,
            "boundaries": boundaries,
            "flags": _flags(document["flags"]),
            "reason": _optional(Reason, document["reason"]),
        }
    )


def _flags(words: list[str]) -> tuple[Flag, ...]:
    return tuple(Flag(word) for word in words)


def _optional(kind: type[Reason], word: str | None) -> Reason | None:
    return None if word is None else kind(word)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
