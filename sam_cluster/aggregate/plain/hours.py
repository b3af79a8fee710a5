"""The figures of plain runs from their hours, as columns. What they are is said in `sums`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.core.model import Flag
from sam_cluster.core.uncertainty import PARTS_PER_MILLION, combined_millijoules, gain_parts_per_million
from sam_cluster.energy.plain.columns import BIT
from sam_cluster.store.numbers import (
    Mask,
    Numbers,
    count_of,
    integers,
    mask,
    numbers,
    one_of_each,
    total,
    uneven,
)
from sam_cluster.store.schemas import RUNS

from ..evidence import Evidence
from .runs import Outlines, flag_bits

#: Sums of values below it are far from the end of an int64.
LARGEST = 1 << 44
#: The ratio of two integers below it is that of two floats.
LARGEST_OF_RATIO = 1 << 53
#: More than the relative error of a float after some operations.
FLOAT_ERROR = 2.0**-48
ALWAYS_KNOWN = ("held_microseconds", "energy_millijoules")
FIGURES = (
    "held_microseconds", "energy_millijoules", "device_energy_millijoules", "uncertainty_millijoules",
    "bridged_millijoules", "power_energy_millijoules", "covered_microseconds",
    "idle_microseconds", "idle_energy_millijoules",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the hours of each job's run add up to, where it `is_plain`: all of them known, of one model."""

    is_plain: Mask
    columns: dict[str, pa.Array]  # of `runs`
    flags: Numbers  # one BIT each


def figures(evidence: Evidence, runs: Outlines, calibration: Mapping[str, float]) -> Figures:
    """The figures of each run."""
    hours, job, count = evidence.hours, runs.job_of_hour, len(evidence.jobs)
    flags, is_odd = flag_bits(hours["flags"], job, count)
    model = hours["gpu_model"]
    is_odd[job[~mask(pc.not_equal(model, ""))]] = True
    is_odd[uneven(numbers([model]), job, count)] = True
    sums: dict[str, pa.Array] = {}
    totals: dict[str, Numbers] = {}
    rows = np.bincount(job, minlength=count)
    for name in FIGURES:
        values, is_known = integers(hours[name]), mask(hours[name].is_valid())
        is_odd[job[np.abs(values) >= LARGEST]] = True
        totals[name] = total(values, job, count)
        known = np.bincount(job[is_known], minlength=count)
        if name in ALWAYS_KNOWN:
            is_odd[known < rows] = True
        needed = 1 if name == "device_energy_millijoules" else rows
        sums[name] = pa.array(totals[name], mask=known < needed)
    ratio, is_large = _meters_ratio(hours, runs, count)
    is_odd |= is_large
    an_hour = one_of_each(np.arange(len(hours)), job, count)
    models = model.take(pa.array(an_hour, mask=an_hour < 0)).combine_chunks()
    energy, boundary = totals["energy_millijoules"], totals["uncertainty_millijoules"]
    columns = {
        "gpu_microseconds": sums.pop("held_microseconds"),  # what is held in all is said by the shards
        **sums,
        "uncertainty_millijoules": _uncertainty(energy, boundary, models, calibration),
        "boundary_uncertainty_millijoules": pa.array(boundary),
        "energy_by_model": _by_model(models, energy),
        "meters_ratio": ratio,
    }
    return Figures(is_plain=~is_odd, columns=columns, flags=flags & ~BIT[Flag.INTERPOLATED])


def _meters_ratio(hours: pa.Table, runs: Outlines, count: int) -> tuple[pa.Array, Mask]:
    """Counter over integral of power of the GPU that is farthest from 1, and where it is left to integers."""
    both = mask(hours["power_energy_millijoules"].is_valid())
    gpu, gpus = runs.gpu_of_hour[both], count_of(runs.gpu_of_hour)
    counted, bridged, power = (
        total(integers(hours[name])[both], gpu, gpus)
        for name in ("energy_millijoules", "bridged_millijoules", "power_energy_millijoules")
    )
    counted -= bridged
    job = one_of_each(runs.job_of_hour, runs.gpu_of_hour, gpus)
    is_large = np.zeros(count, np.bool_)
    is_large[job[np.maximum(np.abs(counted), power) >= LARGEST_OF_RATIO]] = True
    told = (power > 0) & (job >= 0)
    job, ratios = job[told], counted[told] / power[told]
    with np.errstate(divide="ignore"):
        distance = np.where(ratios > 0, np.maximum(ratios, 1 / ratios), np.inf)
    farthest = np.zeros(count)
    np.maximum.at(farthest, job, distance)
    is_farthest = distance == farthest[job]
    found = np.full(count, -np.inf)
    np.maximum.at(found, job[is_farthest], ratios[is_farthest])
    return pa.array(found, mask=np.isneginf(found)), is_large


def _uncertainty(
    energy: Numbers, boundary: Numbers, models: pa.Array, calibration: Mapping[str, float]
) -> pa.Array:
    names = models.unique()
    gains = [gain_parts_per_million(name, calibration) for name in names.to_pylist()]
    gain = np.array(gains, np.int64)[integers(pc.index_in(models, names))]
    return pa.array(combined(energy, gain, boundary))


def combined(energy: Numbers, gain: Numbers, boundary: Numbers) -> Numbers:
    """As `combined_millijoules`, of many energies, gains (parts per million) and boundaries below LARGEST: by
    floats, but for those of which these leave open how they are to be rounded up."""
    together = np.hypot(energy * (gain / PARTS_PER_MILLION), boundary)
    found = np.ceil(together).astype(np.int64)
    is_open = np.abs(together - np.rint(together)) <= together * FLOAT_ERROR
    for row in np.flatnonzero(is_open).tolist():
        found[row] = combined_millijoules(abs(int(energy[row])) * int(gain[row]), int(boundary[row]))
    return found


def _by_model(models: pa.Array, energy: Numbers) -> pa.Array:
    kind = RUNS.field("energy_by_model").type
    parts = pa.StructArray.from_arrays([models, pa.array(energy)], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(np.arange(len(energy) + 1, dtype=np.int32), parts).cast(kind)
