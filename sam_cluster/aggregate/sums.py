"""What adds up from the hours of a run to the run, and from runs to a job: both meters, and how sure.

A column that came with version 2 is null in a row of version 1. Of a sum with such a part it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sam_cluster.core.uncertainty import Uncertainty, energy_by_model

from .shard_rows import Row


def sum_of_known(values: Iterable[int | None]) -> int | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def sum_of_all(values: Iterable[int | None]) -> int | None:
    """The sum, of which nothing may be missing; None where something is, or nothing is there."""
    parts = list(values)
    return None if None in parts else sum_of_known(parts)


def run_figures(
    hours: Sequence[Row], models: Mapping[str, str | None], calibration: Mapping[str, float]
) -> Row:
    """The figures of a run from its rows of `usage`; `models` are the GPUs' names, for rows without."""
    known = [row for row in hours if row["energy_millijoules"] is not None]
    named = [{**row, "gpu_model": row["gpu_model"] or models.get(row["gpu_uuid"])} for row in known]
    return {
        "energy_millijoules": sum_of_known(row["energy_millijoules"] for row in known),
        **_second_meter(known),
        "covered_microseconds": sum_of_all(row["covered_microseconds"] for row in known),
        **_idle(known),
        "meters_ratio": farthest(_ratios(known)),
        **_uncertainty(named, (row["uncertainty_millijoules"] for row in known), calibration),
    }


def job_figures(runs: Sequence[Row], calibration: Mapping[str, float]) -> Row:
    """The figures of a job from its rows of `runs`."""
    known = [run for run in runs if run["energy_millijoules"] is not None]
    parts = [part for run in known for part in run["energy_by_model"]]
    return {
        "energy_millijoules": sum_of_known(run["energy_millijoules"] for run in known),
        **_second_meter(known),
        "covered_microseconds": sum_of_all(run["covered_microseconds"] for run in known),
        **_idle(known),
        "meters_ratio": farthest(run["meters_ratio"] for run in known),
        **_uncertainty(parts, (run["boundary_uncertainty_millijoules"] for run in known), calibration),
    }


def _idle(rows: Sequence[Row]) -> Row:
    return {
        name: sum_of_all(row[name] for row in rows)
        for name in ("idle_microseconds", "idle_energy_millijoules")
    }


def _second_meter(rows: Sequence[Row]) -> Row:
    return {
        "bridged_millijoules": sum_of_all(row["bridged_millijoules"] for row in rows),
        "power_energy_millijoules": sum_of_all(row["power_energy_millijoules"] for row in rows),
    }


def _uncertainty(
    parts: Iterable[Row], boundaries: Iterable[int | None], calibration: Mapping[str, float]
) -> Row:
    """Combined, and what sums of it are made of."""
    by_model = energy_by_model(parts)
    if not by_model:
        return dict.fromkeys(
            ("uncertainty_millijoules", "boundary_uncertainty_millijoules", "energy_by_model")
        )
    boundary = sum_of_known(boundaries) or 0
    return {
        "uncertainty_millijoules": Uncertainty.of(by_model, boundary, calibration).millijoules,
        "boundary_uncertainty_millijoules": boundary,
        "energy_by_model": [
            {"gpu_model": model, "energy_millijoules": by_model[model]}
            for model in sorted(by_model, key=lambda name: (name is None, name or ""))
        ],
    }


def _ratios(hours: Iterable[Row]) -> list[float]:
    """Counter over integral of power of each GPU, over the hours in which both are whole."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row in hours:
        if row["power_energy_millijoules"] is not None:
            key = row["node"], row["gpu_uuid"]
            counted, power = sums.get(key, (0, 0))
            counted += row["energy_millijoules"] - (row["bridged_millijoules"] or 0)
            sums[key] = counted, power + row["power_energy_millijoules"]
    return [counted / power for counted, power in sums.values() if power > 0]


def farthest(ratios: Iterable[float | None]) -> float | None:
    """The one that is farthest from 1, whichever way: a half is as far as two; None where there is none."""
    known = [ratio for ratio in ratios if ratio is not None]
    return max(
        known, key=lambda ratio: (max(ratio, 1 / ratio) if ratio > 0 else float("inf"), ratio), default=None
    )
