"""A shard as a Parquet file: its samples are the rows; all that a figure needs is in the footer.

The footer's key `sam_cluster.shard` is JSON: the run, the GPUs, and the boundaries. So a job's
energy is known from the footer alone, and no sample is read for it. GPUs and boundaries are columns there,
an object of lists, as one GPU or boundary after the other has its values; a column without any value is left
out. So the footers of many shards become Arrow columns at once (`footers.py`). Versions 1 and 2 have an
object for each GPU and boundary instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, BinaryIO, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from sam_cluster.core.errors import ShardError
from sam_cluster.core.model import (
    AgentCost,
    Boundary,
    Flag,
    GpuHeld,
    HostDomain,
    HostEnergy,
    Kind,
    Reason,
    Rung,
    RunKey,
    Sample,
    Shard,
)

FOOTER_KEY = b"sam_cluster.shard"
VERSION_KEY = b"sam_cluster.shard_version"
SHARD_VERSION = 3
#: Of these the footer is read. Version 1 has no second meter: what it does not say is not known.
READABLE_VERSIONS = (b"1", b"2", b"3")
#: Those whose GPUs and boundaries are objects, one each.
VERSIONS_OF_OBJECTS = (b"1", b"2")
INT64 = (-(2**63), 2**63 - 1)

T = TypeVar("T")


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
    # Without Arrow's own copy of the schema, which would hold all of the metadata once more.
    with pq.ParquetWriter(sink, SAMPLE_ROWS, compression="zstd", store_schema=False) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({VERSION_KEY: str(SHARD_VERSION).encode(), FOOTER_KEY: _to_json(shard)})


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
    try:
        metadata = pq.read_metadata(pa.BufferReader(content)).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{where}: not a readable Parquet file: {_first_line(error)}") from None
    version = metadata.get(VERSION_KEY)
    if version is None or FOOTER_KEY not in metadata:
        raise ShardError(f"{where}: a Parquet file, but not a shard of sam-cluster")
    if version not in READABLE_VERSIONS:
        raise ShardError(f"{where}: a shard of version {version!r}; this release reads 1 to {SHARD_VERSION}")
    return Footer(version, metadata[FOOTER_KEY])


def is_current(footer: Footer) -> bool:
    """Whether this release writes such footers."""
    return footer.version == str(SHARD_VERSION).encode()


def parse_footer(footer: Footer, where: str) -> Shard:
    """The shard without its samples. Raises ShardError, naming `where`."""
    try:
        document = json.loads(footer.text)
        if footer.version not in VERSIONS_OF_OBJECTS:
            document = {
                **document,
                "gpus": _objects(GpuHeld, document["gpus"]),
                "boundaries": _objects(Boundary, document["boundaries"]),
            }
        return _from_document(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ShardError(f"{where}: its footer does not hold a shard: {_first_line(error)}") from None


def read_sample_rows(path: Path) -> pa.Table:
    """The samples of a shard as rows of SAMPLE_ROWS, by GPU and time. Raises ShardError, OSError."""
    with path.open("rb") as file:
        try:
            rows = pq.ParquetFile(file, read_dictionary=["gpu_uuid"]).read(columns=SAMPLE_ROWS.names)
            return rows.select(SAMPLE_ROWS.names).cast(SAMPLE_ROWS)
        except (KeyError, ValueError, pa.ArrowException) as error:
            raise ShardError(f"{path}: its samples cannot be read: {_first_line(error)}") from None


def read_samples(path: Path) -> tuple[Sample, ...]:
    """The samples of a shard, by GPU and time. Raises as `read_sample_rows` does."""
    return tuple(
        Sample(
            gpu_uuid=row["gpu_uuid"],
            at_microseconds=_microseconds(row["at"]),
            uptime_microseconds=row["uptime_microseconds"],
            counter_millijoules=row["counter_millijoules"],
            power_energy_millijoules=row["power_energy_millijoules"],
            power_milliwatts=row["power_milliwatts"],
        )
        for row in read_sample_rows(path).to_pylist()
    )


def _microseconds(instant: Any) -> int:
    return int(pa.scalar(instant, type=pa.timestamp("us", tz="UTC")).value)


def _to_json(shard: Shard) -> bytes:
    document = asdict(replace(shard, samples=()))
    del document["samples"]
    document["gpus"] = _columns(shard.gpus)
    document["boundaries"] = _columns(shard.boundaries)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _columns(values: Sequence[GpuHeld] | Sequence[Boundary]) -> dict[str, list[Any]]:
    """Values as columns, without those that are null throughout."""
    names = [each.name for each in fields(values[0])] if values else []
    columns = {name: [getattr(value, name) for value in values] for name in names}
    return {name: column for name, column in columns.items() if any(each is not None for each in column)}


def _objects(kind: type, columns: dict[str, list[Any] | None]) -> list[dict[str, Any]]:
    """Columns as an object a value, in which what may be null is null where its column was left out."""
    types = FIELD_TYPES[kind]
    told = {name: column for name, column in columns.items() if column is not None}
    for name, column in told.items():
        if name not in types or type(column) is not list:
            raise TypeError(f"{name} is {column!r:.60}")
    nothing = {name: None for name, its_types in types.items() if NoneType in its_types}
    rows = zip(*told.values(), strict=True)
    return [{**nothing, **dict(zip(told, row, strict=True))} for row in rows]


def _from_document(document: dict[str, Any]) -> Shard:
    gpus = tuple(
        _made(GpuHeld, {**gpu, "rung": Rung(gpu["rung"]), "reason": _optional(Reason, gpu.get("reason"))})
        for gpu in document["gpus"]
    )
    boundaries = tuple(
        _made(Boundary, {**row, "kind": Kind(row["kind"]), "flags": _flags(row["flags"])})
        for row in document["boundaries"]
    )
    return _made(
        Shard,
        {
            **document,
            "key": _made(RunKey, document["key"]),
            "gpus": gpus,
            "boundaries": boundaries,
            "flags": _flags(document["flags"]),
            "reason": _optional(Reason, document.get("reason")),
            "agent_cost": _made(AgentCost, cost) if (cost := document.get("agent_cost")) else None,
            "host": _host(host) if (host := document.get("host")) else None,
        },
    )


def _host(document: dict[str, Any]) -> HostEnergy:
    domains = tuple(
        _made(HostDomain, {**domain, "reason": _optional(Reason, domain.get("reason"))})
        for domain in document["domains"]
    )
    return _made(HostEnergy, {**document, "domains": domains})


def _made(kind: type[T], values: dict[str, Any]) -> T:
    """A dataclass whose fields have the types they say: a footer can hold anything."""
    types = FIELD_TYPES[kind]
    least, largest = INT64
    for name, value in values.items():
        its_type = type(value)
        if its_type not in types[name]:
            raise TypeError(f"{name} is {value!r:.60}")
        if its_type is int:
            if not least <= value <= largest:
                raise ValueError(f"{name} is {value!r:.60}")
        elif isinstance(value, str) and not value.isascii():
            value.encode("utf-8")  # a lone surrogate could not be written to a table
    return kind(**values)


def _types_of(hint: Any) -> tuple[type, ...]:
    one_of = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(one) or one for one in one_of)


FIELD_TYPES: dict[type, dict[str, tuple[type, ...]]] = {
    kind: {name: _types_of(hint) for name, hint in get_type_hints(kind).items()}
    for kind in (Shard, RunKey, GpuHeld, Boundary, AgentCost, HostDomain, HostEnergy)
}


def _flags(words: list[str]) -> tuple[Flag, ...]:
    return tuple(Flag(word) for word in words)


def _optional(kind: type[Reason], word: str | None) -> Reason | None:
    return None if word is None else kind(word)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
