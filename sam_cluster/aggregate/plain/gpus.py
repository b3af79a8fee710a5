"""Plain GPUs: rows of `readings` as the columns that `energy.plain` divides, and what it finds as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.cores import cores, on_all_cores
from sam_cluster.core.model import Cause, Flag, GapKind, ShareRule
from sam_cluster.energy.plain.columns import BIT, FLAGS, KINDS, UNKNOWN, Columns, Previous
from sam_cluster.energy.plain.division import divide
from sam_cluster.energy.plain.gaps import CAUSES, Gaps
from sam_cluster.energy.plain.hours import Hours
from sam_cluster.energy.quality import quality
from sam_cluster.store.numbers import Mask, Numbers, mask, numbers
from sam_cluster.store.schemas import GAPS, USAGE

from ..units import Pairs, Units

#: Fields of `Columns` that are columns of `readings`.
INTEGERS = {
    "at": "at",
    "uptime": "uptime_microseconds",
    "energy": "energy_millijoules",
    "uncertainty": "uncertainty_millijoules",
    "since_at": "since_at",
    "since_uptime": "since_uptime_microseconds",
    "since_energy": "since_energy_millijoules",
    "previous_at": "previous_at",
    "previous_uptime": "previous_uptime_microseconds",
    "previous_energy": "previous_energy_millijoules",
    "power": "since_power_millijoules",
    "power_uncertainty": "since_power_uncertainty_millijoules",
    "idle_time": "since_idle_microseconds",
    "idle_energy": "since_idle_millijoules",
}


def divide_plainly(units: Units, rows: pa.Table, pairs: Pairs) -> tuple[pa.Table, pa.Table, Mask]:
    """Rows of `usage` and of `gaps` for the units that are plain, and which these are."""
    models = sorted(filter(None, pc.unique(rows["gpu_model"]).to_pylist()))
    values = _values(rows, models)
    parts = cores()
    part = pairs.unit * parts // max(len(units), 1)
    each = [Pairs(pairs.row[part == number], pairs.unit[part == number]) for number in range(parts)]
    usage, gaps, is_plain = zip(
        *on_all_cores(lambda some: _divided(units, rows, some, values, models), each, len(pairs.row)),
        strict=True,
    )
    return pa.concat_tables(usage), pa.concat_tables(gaps), np.logical_and.reduce(is_plain)


def _divided(
    units: Units, rows: pa.Table, pairs: Pairs, values: Mapping[str, Any], models: list[str]
) -> tuple[pa.Table, pa.Table, Mask]:
    segment = values["segment"]
    chain = pairs.unit * (segment.max(initial=0) + 1) + segment[pairs.row]
    order = np.lexsort((values["uptime"][pairs.row], chain))
    row, unit = pairs.row[order], pairs.unit[order]
    of_rows = {name: its[row] for name, its in values.items() if name != "segment"}
    found = divide(Columns(unit=unit, chain=chain[order], **of_rows), len(units))
    return (
        _usage(units, rows, row, unit, found.hours, models),
        _gaps(units, rows, row, unit, found.gaps),
        found.is_plain,
    )


def _values(rows: pa.Table, models: list[str]) -> dict[str, Any]:
    """All rows as integers: the columns of `Columns` that a row has by itself, and the number of its
    segment."""

    def known(name: str) -> Numbers:
        its: Numbers = rows[name].cast(pa.int64()).fill_null(UNKNOWN).to_numpy()
        return its

    def place(name: str, words: Sequence[str]) -> Numbers:
        found = pc.index_in(rows[name], pa.array(words, pa.string())).fill_null(UNKNOWN)
        places: Numbers = found.to_numpy().astype(np.int64)
        return places

    def previous() -> Numbers:
        same = pc.equal(rows["previous_segment"], rows["segment"])
        told = np.where(mask(same.is_valid()), Previous.OTHER, Previous.NONE)
        return np.where(mask(same), Previous.SAME, told)

    def restarted() -> Mask:
        return mask(pc.or_(rows["gap_microseconds"].is_valid(), rows["bridged_millijoules"].is_valid()))

    made: dict[str, Callable[[], Any]] = {
        "holder": lambda: numbers([rows["run_id"], rows["started_at"], rows["raw_job_id"]]),
        "segment": lambda: numbers([rows["segment"]]),
        "kind": lambda: place("kind", KINDS),
        "model": lambda: place("gpu_model", models),
        "flags": lambda: _bits(rows["flags"]),
        "previous": previous,
        "restarted": restarted,
        **{name: partial(known, column) for name, column in INTEGERS.items()},
    }
    return dict(zip(made, on_all_cores(lambda make: make(), list(made.values()), len(rows)), strict=True))


def _bits(flags: pa.ChunkedArray) -> Numbers:
    """Each row's flags as the bits of a number."""
    lists = flags.combine_chunks()
    bits = np.zeros(len(lists), np.int64)
    coded = pc.list_flatten(lists).dictionary_encode()
    of_word = np.array([BIT[Flag(word)] for word in coded.dictionary.to_pylist()], np.int64)
    np.bitwise_or.at(bits, pc.list_parent_indices(lists).to_numpy(), of_word[coded.indices.to_numpy()])
    return bits


def _usage(
    units: Units, rows: pa.Table, row: Numbers, unit: Numbers, found: Hours, models: list[str]
) -> pa.Table:
    of = unit[found.row]
    inside = (units.start[of] <= found.hour) & (found.hour < units.end[of])
    names = rows.select(["cluster", "run_id", "raw_job_id", "node", "started_at", "gpu_uuid"])
    named = names.take(pa.array(row[found.row[inside]]))
    count = len(named)
    held, energy = pa.array(found.held[inside]), pa.array(found.energy[inside])
    each, which = np.unique(found.flags[inside], return_inverse=True)
    flags = [sorted(flag for flag in FLAGS if bits & BIT[flag]) for bits in each.tolist()]
    qualities = [quality(found, known=True) for found in flags]
    columns = {
        **{name: named[name] for name in named.column_names},
        "hour": pa.array(found.hour[inside]),
        "held_microseconds": held,
        "device_energy_millijoules": energy,
        "energy_millijoules": energy,
        "uncertainty_millijoules": pa.array(found.uncertainty[inside]),
        "holders": pa.repeat(pa.scalar(1, pa.int32()), count),
        "share_rule": pa.repeat(ShareRule.WHOLE.value, count),
        "bridged_millijoules": pa.repeat(pa.scalar(0, pa.int64()), count),
        "power_energy_millijoules": _nullable(found.power[inside]),
        "covered_microseconds": held,
        "idle_microseconds": _nullable(found.idle_time[inside]),
        "idle_energy_millijoules": _nullable(found.idle_energy[inside]),
        "gpu_model": _words(models, found.model[inside]),
        "quality": _words(qualities, which),
        "flags": pa.array(flags, pa.list_(pa.string())).take(pa.array(which)),
    }
    return pa.table([columns[name] for name in USAGE.names], names=USAGE.names).cast(USAGE)


def _gaps(units: Units, rows: pa.Table, row: Numbers, unit: Numbers, found: Gaps) -> pa.Table:
    of = unit[found.row]
    starts = np.where(found.from_at == UNKNOWN, found.to_at, found.from_at)
    first, last = np.minimum(starts, found.to_at), np.maximum(starts, found.to_at)
    touches = (first <= units.end[of]) & (last >= units.start[of])
    named = rows.select(["cluster", "node", "gpu_uuid", "segment"]).take(pa.array(row[found.row[touches]]))
    cause = found.cause[touches]
    kinds = [GapKind.IDLE, GapKind.UNATTRIBUTED]
    columns = {
        **{name: named[name] for name in named.column_names},
        "from_at": _nullable(found.from_at[touches]),
        "to_at": pa.array(found.to_at[touches]),
        "from_uptime_microseconds": _nullable(found.from_uptime[touches]),
        "to_uptime_microseconds": pa.array(found.to_uptime[touches]),
        "kind": _words(kinds, (cause != UNKNOWN).astype(np.int64)),
        "cause": _words(CAUSES, cause),
        "energy_millijoules": pa.array(
            found.energy[touches], mask=cause == CAUSES.index(Cause.COUNTER_RESET)
        ),
    }
    return pa.table([columns[name] for name in GAPS.names], names=GAPS.names).cast(GAPS)


def _nullable(values: Numbers) -> pa.Array:
    return pa.array(values, mask=values == UNKNOWN)


def _words(words: Sequence[str], places: Numbers) -> pa.Array:
    """The word at each place; null where that is not known."""
    return pa.array(words, pa.string()).take(_nullable(places))
