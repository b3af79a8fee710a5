"""GPUs and boundaries of a footer as columns that say nothing twice: a footer is most of what is read of a
shard whose energy is asked for.

A column whose values are all alike has one, if that is short. A column that is null throughout is left out,
and so are those that follow from others: of a boundary what was read, where that is the energy; the boundary
before it, where that is the one that stands before it of its GPU; the time that is covered since, where that
is all of it; the segment before a start, where that is its own. Its GPU is told by its place among those of
the shard, where it is one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Columns: TypeAlias = dict[str, list[Any]]

#: In place of its name: which of the shard's GPUs, from 0 on; of several alike the first.
PLACE, UUID = "gpu", "gpu_uuid"
UPTIME, SINCE_UPTIME = "uptime_microseconds", "since_uptime_microseconds"
#: Of a boundary's columns those that the boundary before it has under other names.
SINCE = {
    "since_at_microseconds": "at_microseconds",
    SINCE_UPTIME: UPTIME,
    "since_energy_millijoules": "energy_millijoules",
}
COUNTER, ENERGY = "counter_millijoules", "energy_millijoules"
COVERED = "since_covered_microseconds"
PREVIOUS_SEGMENT, SEGMENT, PREVIOUS_UPTIME = "previous_segment", "segment", "previous_uptime_microseconds"
#: Characters, or flags: a value of more is never said once for many, lest a short footer come to more than
#: fits. GPUs and segments have names of no more.
LONGEST_ONCE = 128
#: Columns that are left out together, or not at all; from those before them they may follow.
TOGETHER = (tuple(SINCE), (COUNTER,), (COVERED,), (PREVIOUS_SEGMENT,))


def shortened(columns: Columns, uuids: Sequence[str | None] = ()) -> Columns:
    """Columns of as many values each, without what the others say; those of boundaries with the names of
    the shard's GPUs."""
    whole = dict(columns)
    left_out: set[str] = set()
    for names in TOGETHER if UUID in columns else ():
        if all(columns[name] == follows for name, follows in _following(names, columns).items()):
            left_out.update(names)
    if places := _places(columns.get(UUID, ()), uuids):
        whole = {PLACE: places, **whole}
        left_out.add(UUID)
    follow = {name for names in TOGETHER for name in names}
    told = {
        name: values
        for name, values in whole.items()
        if name not in left_out and (name in follow or any(value is not None for value in values))
    }
    found = {
        name: values[:1] if _are_alike(values) and not _is_long(values[0]) else values
        for name, values in told.items()
    }
    for name in list(told)[:1]:  # how many there are has to be said by one
        if all(len(values) == 1 for values in found.values()):
            found[name] = told[name]
    return found


def lengthened(columns: Mapping[str, Sequence[Any]], uuids: Sequence[str | None] = ()) -> Columns:
    """The columns again, but for some that were null throughout. Raises ValueError where they are not of one
    length, a long value is to be that of many, or there is no such GPU, TypeError where a GPU's name is none
    or a number no number."""
    count = max(map(len, columns.values()), default=0)
    if any(len(values) == 1 < count and _is_long(values[0]) for values in columns.values()):
        raise ValueError("a long value that is said once for many")
    found = {name: list(values) * (count if len(values) == 1 else 1) for name, values in columns.items()}
    if any(len(values) != count for values in found.values()):
        raise ValueError("columns of different lengths")
    if PLACE in found:
        places = found.pop(PLACE)
        if not all(type(place) is int and 0 <= place < len(uuids) for place in places):
            raise ValueError("a boundary of a GPU that the shard does not have")
        found[UUID] = [uuids[place] for place in places]
    for names in TOGETHER if UUID in found else ():
        if not any(name in found for name in names):
            found.update(_following(names, found))
    return found


def _places(names: Sequence[str], uuids: Sequence[str | None]) -> list[int]:
    """Which of the GPUs each name is of; nothing where one is of none."""
    place = {uuid: at for at, uuid in reversed(list(enumerate(uuids))) if uuid is not None}
    return [place[name] for name in names] if all(name in place for name in names) else []


def _following(names: Sequence[str], columns: Columns) -> Columns:
    """What the columns of boundaries say of others, in which these are left out."""
    nothing = [None] * len(columns[UUID])

    def told(name: str) -> list[Any]:
        return columns.get(name, nothing)

    if COUNTER in names:
        return {COUNTER: told(ENERGY)}
    if COVERED in names:
        pairs = zip(told(UPTIME), told(SINCE_UPTIME), strict=True)
        return {COVERED: [None if None in pair else pair[0] - pair[1] for pair in pairs]}
    if PREVIOUS_SEGMENT in names:
        segments = zip(told(SEGMENT), told(PREVIOUS_UPTIME), strict=True)
        return {PREVIOUS_SEGMENT: [segment if known is not None else None for segment, known in segments]}
    before: list[int | None] = []
    last: dict[Any, int] = {}
    for place, gpu in enumerate(columns[UUID]):
        before.append(last.get(gpu))
        last[gpu] = place
    return {name: [None if at is None else told(of)[at] for at in before] for name, of in SINCE.items()}


def _is_long(value: object) -> bool:
    return isinstance(value, (str, list, tuple)) and len(value) > LONGEST_ONCE


def _are_alike(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)
