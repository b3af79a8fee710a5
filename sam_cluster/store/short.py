"""GPUs and boundaries of a footer as columns that say nothing twice: a footer is most of what is read of a
shard whose energy is asked for.

A column whose values are all alike has one, if that is short. A column that is null throughout is left out,
and so are those that follow from others: of a boundary what was read, where that is the energy, and the
boundary before it, where that is the one that stands before it of its GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Columns: TypeAlias = dict[str, list[Any]]

#: Of a boundary's columns those that the boundary before it has under other names.
SINCE = {
    "since_at_microseconds": "at_microseconds",
    "since_uptime_microseconds": "uptime_microseconds",
    "since_energy_millijoules": "energy_millijoules",
}
COUNTER, ENERGY = "counter_millijoules", "energy_millijoules"
#: Characters, or flags: a value of more is never said once for many, lest a short footer come to more than
#: fits. GPUs and segments have names of no more.
LONGEST_ONCE = 128
#: Columns that are left out together, or not at all.
TOGETHER = (tuple(SINCE), (COUNTER,))


def shortened(columns: Columns) -> Columns:
    """Columns of as many values each, without what the others say."""
    follows = _following(columns)
    left_out = {name for names in TOGETHER if follows and _same(names, columns, follows) for name in names}
    told = {
        name: values
        for name, values in columns.items()
        if name not in left_out and (name in follows or any(value is not None for value in values))
    }
    found = {
        name: values[:1] if _are_alike(values) and not _is_long(values[0]) else values
        for name, values in told.items()
    }
    for name in list(told)[:1]:  # how many there are has to be said by one
        if all(len(values) == 1 for values in found.values()):
            found[name] = told[name]
    return found


def lengthened(columns: Mapping[str, Sequence[Any]]) -> Columns:
    """The columns again, but for some that were null throughout. Raises ValueError where they are not of one
    length, or a long value is to be that of many, TypeError where a GPU's name is none."""
    count = max(map(len, columns.values()), default=0)
    if any(len(values) == 1 < count and _is_long(values[0]) for values in columns.values()):
        raise ValueError("a long value that is said once for many")
    found = {name: list(values) * (count if len(values) == 1 else 1) for name, values in columns.items()}
    if any(len(values) != count for values in found.values()):
        raise ValueError("columns of different lengths")
    follows = _following(found)
    for names in TOGETHER:
        if not any(name in found for name in names):
            found.update({name: follows[name] for name in names if name in follows})
    return found


def _following(columns: Columns) -> Columns:
    """What the columns of boundaries say of others; nothing of GPUs."""
    if "gpu_uuid" not in columns:
        return {}
    nothing = [None] * len(columns["gpu_uuid"])
    before: list[int | None] = []
    last: dict[Any, int] = {}
    for place, gpu in enumerate(columns["gpu_uuid"]):
        before.append(last.get(gpu))
        last[gpu] = place
    told = {name: columns.get(of, nothing) for name, of in SINCE.items()}
    since = {name: [None if at is None else of[at] for at in before] for name, of in told.items()}
    return {**since, COUNTER: columns.get(ENERGY, nothing)}


def _same(names: Sequence[str], columns: Columns, others: Columns) -> bool:
    return all(columns[name] == others[name] for name in names)


def _is_long(value: object) -> bool:
    return isinstance(value, (str, list, tuple)) and len(value) > LONGEST_ONCE


def _are_alike(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)
