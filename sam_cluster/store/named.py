"""Jobs by the names that users give them: `123`, `123_4` of an array, `123+1` of a heterogeneous job.

`123` is also the name of a whole array or heterogeneous job. The number that a name begins with is kept in
the index of a table's files, so that a job is found by its name in a few of them: Slurm's own numbers of an
array's tasks are not in their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

#: What tells the part from the whole; a name that is none of Slurm's has no number.
_PART = "(?s)[_+].*"
_NUMBER = re.compile("[0-9]{1,18}")
_WITH_NUMBER = r"^(?P<number>[0-9]{1,18})(?:[_+].*)?$"


def wholes(job_ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """The array or heterogeneous job that each is a part of; itself where it is none."""
    return pc.replace_substring_regex(job_ids, pattern=_PART, replacement="")


def are_meant(job_ids: pa.ChunkedArray, wanted: pa.Array) -> pa.ChunkedArray:
    """Which ids are wanted, themselves or as a part of an array or heterogeneous job."""
    named = pc.is_in(job_ids, wanted)
    whole = wholes(job_ids)
    return named if whole.equals(job_ids) else pc.or_(named, pc.is_in(whole, wanted))


def numbers_of(wanted: Iterable[str]) -> list[int]:
    """The numbers that names begin with, ascending; what begins with none names no job."""
    return sorted({int(match[0]) for name in wanted if (match := _NUMBER.match(name))})


def are_within(job_ids: pa.Array, ranges: Iterable[tuple[int, int]]) -> pa.Array:
    """Which ids begin with a number within one of some ranges, first and last included."""
    numbers = pc.struct_field(pc.extract_regex(job_ids, _WITH_NUMBER), "number").cast(pa.int64())
    found = pc.is_null(numbers)  # nothing is known of it
    for first, last in together(ranges):
        is_within = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
        found = pc.or_(found, pc.fill_null(is_within, False))
    return found


def together(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges, ascending, of which those that overlap are one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def least_and_greatest(job_ids: pa.ChunkedArray) -> tuple[int | None, int | None]:
    """Of the numbers that these ids begin with; None where one has none, or there are none."""
    numbers = pc.struct_field(pc.extract_regex(job_ids, _WITH_NUMBER), "number")
    if numbers.null_count:
        return None, None
    ends = pc.min_max(numbers.cast(pa.int64())).as_py()
    return ends["min"], ends["max"]
