"""The JSON of a shard's footer: all of the shard but its samples, whose fields have the types they say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

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
    Shard,
)

from .short import lengthened, shortened
from .soundness import INT64

#: From these versions on GPUs and boundaries are columns, and say nothing twice.
FIRST_IN_COLUMNS, FIRST_SHORT = 3, 4
#: Sixteen GPUs come to it in half a year. Each is an object of a kilobyte, and two bytes may ask for one.
MOST_ROWS = 2**16
#: What is kept as columns.
IN_COLUMNS: dict[str, type] = {"gpus": GpuHeld, "boundaries": Boundary}

T = TypeVar("T")


def to_json(shard: Shard) -> bytes:
    """The shard without its samples; the same one gives the same bytes."""
    # `asdict` copies all that it is given, a value at a time.
    document = asdict(replace(shard, samples=(), gpus=(), boundaries=()))
    del document["samples"]
    document["gpus"] = _columns(shard.gpus)
    document["boundaries"] = _columns(shard.boundaries, [gpu.uuid for gpu in shard.gpus])
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _columns(
    values: Sequence[GpuHeld] | Sequence[Boundary], uuids: Sequence[str | None] = ()
) -> dict[str, list[Any]]:
    names = [each.name for each in fields(values[0])] if values else []
    return shortened({name: [getattr(value, name) for value in values] for name in names}, uuids)


def _objects(
    kind: type, columns: dict[str, list[Any] | None], version: int, uuids: Sequence[str | None] = ()
) -> list[dict[str, Any]]:
    """Columns as an object a value, in which what may be null is null where its column was left out."""
    types = FIELD_TYPES[kind]
    told = {name: column for name, column in columns.items() if column is not None}
    for name, column in told.items():
        if type(column) is not list:
            raise TypeError(f"{name} is {column!r:.60}")
    if max(map(len, told.values()), default=0) > MOST_ROWS:
        raise ValueError(f"more than {MOST_ROWS} of {kind.__name__}")
    if version >= FIRST_SHORT:
        told = lengthened(told, uuids)
    for name in told:
        if name not in types:
            raise TypeError(f"{name} is nothing of a {kind.__name__}")
    nothing = {name: None for name, its_types in types.items() if NoneType in its_types}
    rows = zip(*told.values(), strict=True)
    return [{**nothing, **dict(zip(told, row, strict=True))} for row in rows]


def from_json(text: bytes, version: int) -> Shard:
    """A shard without its samples, of the footer of a version.

    Raises ValueError, KeyError, TypeError, AttributeError or RecursionError for what is none.
    """
    document = json.loads(text)
    if version >= FIRST_IN_COLUMNS:
        gpus = _objects(GpuHeld, document["gpus"], version)
        uuids = [gpu.get("uuid") for gpu in gpus]
        boundaries = _objects(Boundary, document["boundaries"], version, uuids)
        document = {**document, "gpus": gpus, "boundaries": boundaries}
    return _from_document(document)


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
    for name, value in values.items():
        its_type = type(value)
        if its_type not in types[name]:
            raise TypeError(f"{name} is {value!r:.60}")
        if its_type is int:
            if not -INT64 - 1 <= value <= INT64:
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
