"""Trackable resources, as sacct's AllocTRES has them: `billing=4,cpu=4,gres/gpu:a100=2,gres/gpu=2,node=1`."""

from __future__ import annotations


def gpus(alloc_tres: str, *, started: bool) -> int | None:
    """GPUs allocated; 0 before a start, None where a run that started has no AllocTRES.

    0 is all that a site's accounting can say that does not track gres/gpu (AccountingStorageTRES).
    Raises ValueError for text that cannot be read.
    """
    if not alloc_tres:
        return None if started else 0
    return _count(alloc_tres, "gres/gpu") or 0


def gpu_shards(alloc_tres: str) -> int | None:
    """Shards of GPUs allocated; None without an entry, since few sites track them. Raises ValueError."""
    return _count(alloc_tres, "gres/shard") if alloc_tres else None


def cpus(alloc_tres: str) -> int | None:
    """CPUs allocated, on all nodes together; None without an entry. Raises ValueError."""
    return _count(alloc_tres, "cpu") if alloc_tres else None


def gpu_mps(alloc_tres: str) -> int | None:
    """Percentages of GPUs allocated through MPS; None without an entry. Raises ValueError."""
    return _count(alloc_tres, "gres/mps") if alloc_tres else None


def _count(alloc_tres: str, name: str) -> int | None:
    """A resource's own entry, of which those of its types are parts; else the sum over its types."""
    whole: int | None = None
    of_types: int | None = None
    for entry in alloc_tres.split(","):
        key, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"{entry!r} in AllocTRES is no resource with its count")
        if key == name:
            whole = _integer(entry, value)
        elif key.startswith(f"{name}:"):
            of_types = (of_types or 0) + _integer(entry, value)
    return of_types if whole is None else whole


def _integer(entry: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"{entry!r} in AllocTRES has no whole number as its count")
    return int(value)
