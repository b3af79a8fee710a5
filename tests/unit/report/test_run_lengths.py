"""Runs of known length: jobs whose length is stated, and results that say theirs."""

from __future__ import annotations

from typing import Any

import pytest

from sam_cluster.core.config import Config
from sam_cluster.core.errors import ProjectionError
from sam_cluster.core.model import Quality
from sam_cluster.metrics import Refusal, Refused, project
from sam_cluster.report.run_lengths import Asked, NamedRun, named_runs
from tests.unit.report.tables import MemoryTables, Row, at, job_rows, result_row, together


def shard_row(raw_job_id: int, start: str, *gpu_names: str | None, **more: Any) -> Row:
    """A shard that says which models of GPU the job held."""
    return {
        "cluster": "lab", "run_id": f"{raw_job_id}.0", "raw_job_id": raw_job_id, "node": "n1", "part": 0,
        "started_at": at(start), "ended_at": at(start), "digest": "d" * 64, "flags": [],
        "gpus": [
            {"uuid": f"GPU-{n}", "requested": str(n), "rung": "uuid", "name": name, "mig_uuid": None,
             "power_limit_milliwatts": None, "reason": None}
            for n, name in enumerate(gpu_names)
        ], **more,
    }  # fmt: skip


START = "2026-10-05 10:00"
ROWS = together(
    job_rows(301, START, 1, 3.0),
    job_rows(302, START, 2, 5.0, gpus=4),
    job_rows(303, START, 4, 9.0),
    job_rows(304, START, 4, None, quality=Quality.UNKNOWN),
    job_rows(305, START, 4, 6.0, quality=Quality.LOWER_BOUND),
    job_rows(306, START, 4, 6.0, flags=["open", "simulated"]),
    job_rows(307, START, 4, 1.0, job_id="307_0"),
    job_rows(308, START, 4, 2.0, job_id="307_1", quality=Quality.ESTIMATED),
    {
        "shards": [
            shard_row(301, START, "H100", None),
            shard_row(302, START, "H100", "A100"),
            shard_row(303, "2026-10-05 10:00", None),
        ]
    },
)


def runs(*asked: tuple[str, float | None], rows: dict[str, list[Row]] = ROWS) -> list[NamedRun]:
    given = [Asked(job_id=job_id, amount=amount) for job_id, amount in asked]
    return named_runs(MemoryTables(rows), Config(), given, "epochs")


def test_a_job_of_stated_length_is_a_run_of_its_own_electricity_and_the_shortest_comes_first() -> None:
    found = runs(("303", 4.0), ("301", 1.0), ("302", 2.0))
    assert [(each.job_ids, each.run.amount, each.run.energy_kwh) for each in found] == [
        (("301",), 1.0, 3.0),
        (("302",), 2.0, 5.0),
        (("303",), 4.0, 9.0),
    ]
    assert [each.run.gpus for each in found] == [1, 4, 1]
    assert {each.submission_id for each in found} == {None}


def test_the_gpu_models_are_those_of_the_shards_and_unknown_ones_are_left_out() -> None:
    found = runs(("301", 1.0), ("302", 2.0), ("303", 4.0))
    assert [each.run.conditions for each in found] == [
        {"GPU model": "H100"},
        {"GPU model": "A100 + H100"},
        {},
    ]
    outcome = project([each.run for each in found], 10.0)
    assert outcome == Refused(reason=Refusal.MIXED, conditions=("GPU model",))


def test_what_is_missing_of_a_jobs_electricity_is_said_of_its_run() -> None:
    found = {each.job_ids[0]: each for each in runs(("304", 1.0), ("305", 2.0), ("306", 3.0), ("307", 4.0))}
    assert (found["304"].run.energy_kwh, found["304"].run.quality) == (None, Quality.UNKNOWN)
    assert found["305"].run.quality is Quality.LOWER_BOUND
    assert (found["306"].run.quality, found["306"].is_simulated) == (Quality.LOWER_BOUND, True)


def test_an_array_named_as_a_whole_is_one_run_of_all_its_tasks() -> None:
    (found,) = runs(("307", 4.0))
    assert (found.run.energy_kwh, found.run.quality) == (3.0, Quality.ESTIMATED)


def test_of_a_number_that_was_used_again_the_later_job_is_meant() -> None:
    again = together(ROWS, job_rows(301, "2026-10-20 10:00", 1, 7.0))
    (found,) = runs(("301", 1.0), rows=again)
    assert (found.run.energy_kwh, found.run.conditions) == (7.0, {})


def with_results(*results: Row) -> dict[str, list[Row]]:
    return together(ROWS, {"results": results})


def test_a_result_that_says_its_epochs_is_one_run_of_all_its_jobs() -> None:
    rows = with_results(
        result_row(1, 0.7, ["301"], epochs=1.0, data_fraction=0.5),
        result_row(2, 0.8, ["301", "302", "306"], epochs=2.0, dataset="CIFAR-10", model="ViT"),
    )
    one, both = runs(("301", None), ("302", None), ("306", None), rows=rows)
    assert (one.job_ids, one.run.amount, one.run.energy_kwh) == (("301",), 1.0, 3.0)
    assert (both.job_ids, both.run.amount, both.run.energy_kwh) == (("301", "302", "306"), 2.0, 14.0)
    assert (both.run.quality, both.run.gpus, both.is_simulated) == (Quality.LOWER_BOUND, 4, True)
    assert (one.submission_id, both.submission_id) == (f"{1:032x}", f"{2:032x}")
    assert one.run.conditions == {
        "task": "cifar-10", "model": "model 1", "fraction of the data": 0.5, "GPU model": "H100",
    }  # fmt: skip
    assert both.run.conditions == {
        "task": "cifar-10", "dataset": "CIFAR-10", "model": "ViT", "GPU model": "A100 + H100",
    }  # fmt: skip


def test_a_result_with_a_job_that_is_not_known_is_a_lower_bound() -> None:
    rows = with_results(result_row(1, 0.7, ["301", "999"], epochs=1.0))
    (found,) = runs(("301", None), rows=rows)
    assert (found.run.energy_kwh, found.run.quality) == (3.0, Quality.LOWER_BOUND)


def test_a_length_that_is_stated_takes_the_job_without_its_result() -> None:
    rows = with_results(result_row(1, 0.7, ["301", "302"], epochs=1.0))
    (found,) = runs(("301", 5.0), rows=rows)
    assert (found.run.amount, found.run.energy_kwh, found.submission_id) == (5.0, 3.0, None)


@pytest.mark.parametrize(
    ("more", "lacking"),
    [
        ({}, "says it"),
        ({"epochs": 1e300}, "says it"),
        ({"data_fraction": 0.5}, "says it"),
        ({"epochs": 3.0, "verdict": "pending"}, "names it"),
        ({"epochs": 3.0, "verdict": "rejected"}, "names it"),
    ],
    ids=str,
)
def test_only_an_accepted_result_that_says_a_possible_length_counts(
    more: dict[str, Any], lacking: str
) -> None:
    with pytest.raises(ProjectionError, match=rf"no accepted result {lacking}; state it by --job 301=N"):
        runs(("301", None), rows=with_results(result_row(1, 0.7, ["301"], **more)))


def test_a_corrected_length_counts_and_the_wrong_one_does_not() -> None:
    rows = with_results(
        result_row(1, 0.7, ["301"], epochs=10.0),
        result_row(2, 0.7, ["301"], epochs=1.0, supersedes=f"{1:032x}", submitted_at=at("2026-10-30 13:00")),
    )
    (found,) = runs(("301", None), rows=rows)
    assert found.run.amount == 1.0


def test_two_results_of_the_same_jobs_are_one_run_and_must_say_the_same_length() -> None:
    first = result_row(1, 0.7, ["301", "302"], epochs=1.0)
    assert (
        len(runs(("301", None), rows=with_results(first, result_row(2, 0.8, ["302", "301"], epochs=1.0))))
        == 1
    )
    with pytest.raises(ProjectionError, match="results of the same jobs say 1 and 2"):
        runs(("301", None), rows=with_results(first, result_row(2, 0.8, ["302", "301"], epochs=2.0)))


def test_every_job_that_is_no_run_is_named_with_what_to_do() -> None:
    with pytest.raises(ProjectionError) as raised:
        runs(("301", None), ("998", 3.0), ("999", 4.0))
    text = str(raised.value)
    assert "job 998 is not in the tables" in text
    assert "job 999 is not in the tables" in text
    assert "the epochs of job 301: no accepted result names it; state it by --job 301=N" in text
