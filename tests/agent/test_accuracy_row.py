"""Rows of the accuracy matrix without the other meters, through hooks, agent, aggregation and tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.accuracy import Given, measure
from tests.benchmarks.rows import ROWS, Row


def row(name: str, interval: float) -> Row:
    (found,) = [each for each in ROWS if (each.name, each.interval) == (name, interval)]
    return found


@pytest.mark.usefixtures("_can_run")
def test_steps_of_load_without_a_counter_read_each_second() -> None:
    """1.7 s at 100 W and 1.7 s at 500 W: by power alone, from the driver's samples, within 1 %."""
    (given,) = measure(replace(row("load steps, no counter", 1.0), seconds=8.0))
    assert given.error == pytest.approx(0, abs=0.01)
    assert given.words.startswith("estimated ± ")


@pytest.mark.usefixtures("_can_run")
def test_two_jobs_that_share_a_gpu_have_its_energy_between_them() -> None:
    """Each is charged with half; the others charge both with all. A step of the counter is 1.25 % of 8 s."""
    (given,) = measure(replace(row("shared GPU", 10.0), seconds=8.0))
    assert given.error == pytest.approx(0, abs=0.02)


def test_a_figure_that_is_missing_is_none_with_its_words_and_never_zero() -> None:
    assert Given("zeus", None, 3_000.0, "ValueError: x").cell == "none: ValueError: x"
    assert Given("zeus", 0.0, 3_000.0).cell == "0 J (−100.0 %)"
    assert Given("zeus", 3_030.0, 3_000.0).cell == "3,030 J (+1.0 %)"
