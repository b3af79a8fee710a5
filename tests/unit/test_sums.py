"""From hours to runs to jobs: what adds up, what is null, and which GPU counts as the worst."""

from __future__ import annotations

from typing import Any

import pytest

from sam_cluster.aggregate.sums import farthest, job_figures, run_figures

HOUR: dict[str, Any] = {
    "node": "n1", "gpu_uuid": "GPU-0", "energy_millijoules": 1_000_000, "uncertainty_millijoules": 30_000,
    "bridged_millijoules": 0, "power_energy_millijoules": 1_000_000, "covered_microseconds": 7,
    "idle_microseconds": 2, "idle_energy_millijoules": 300,
    "gpu_model": "A100",
}  # fmt: skip


def hour(**more: Any) -> dict[str, Any]:
    return {**HOUR, **more}


def test_a_run_is_as_sure_as_its_sensors_and_its_boundaries_together() -> None:
    figures = run_figures([HOUR, HOUR], {}, {})
    assert figures["boundary_uncertainty_millijoules"] == 60_000
    assert figures["uncertainty_millijoules"] == pytest.approx((100_000**2 + 60_000**2) ** 0.5, abs=1)
    calibrated = run_figures([HOUR, HOUR], {}, {"A100": 0.04})
    assert calibrated["uncertainty_millijoules"] == 100_000
    job = job_figures([figures, figures], {})
    assert job["uncertainty_millijoules"] == 2 * figures["uncertainty_millijoules"] - 1
    assert job["energy_by_model"] == [{"gpu_model": "A100", "energy_millijoules": 4_000_000}]


def test_the_worst_gpu_is_the_one_whose_meters_are_farthest_apart() -> None:
    double = hour(gpu_uuid="GPU-1", power_energy_millijoules=500_000)
    low = hour(gpu_uuid="GPU-2", power_energy_millijoules=1_500_000)
    assert run_figures([HOUR, double, low], {}, {})["meters_ratio"] == 2.0
    assert farthest([0.0, 1.0, 3.0, None]) == 0.0
    assert farthest([None]) is None


def test_what_was_bridged_is_in_the_energy_and_in_no_ratio() -> None:
    figures = run_figures([hour(energy_millijoules=1_500_000, bridged_millijoules=500_000)], {}, {})
    assert figures["energy_millijoules"] == 1_500_000
    assert figures["meters_ratio"] == 1.0


def test_hours_of_version_1_leave_unknown_what_they_do_not_say() -> None:
    later = (
        "bridged_millijoules", "power_energy_millijoules", "covered_microseconds", "idle_microseconds",
        "idle_energy_millijoules", "gpu_model",
    )  # fmt: skip
    old = hour(**dict.fromkeys(later))
    figures = run_figures([old, HOUR], {"GPU-0": "A100"}, {})
    assert [figures[name] for name in later[:3]] == [None] * 3
    assert figures["energy_millijoules"] == 2_000_000
    assert figures["energy_by_model"] == [{"gpu_model": "A100", "energy_millijoules": 2_000_000}]


def test_without_a_figure_there_is_no_uncertainty() -> None:
    figures = run_figures([hour(energy_millijoules=None)], {}, {})
    assert set(figures.values()) == {None}
