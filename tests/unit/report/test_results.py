"""Results, their electricity, and SAM."""

from __future__ import annotations

import pytest

from sam_cluster.core.config import Config, Task
from sam_cluster.core.model import Quality
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.metrics import UndefinedReason
from sam_cluster.report.records import Selection
from sam_cluster.report.results import Result, choose, read_results
from tests.unit.report.tables import MemoryTables, Row, at, job_rows, result_row, together

JOBS = together(
    job_rows(101, "2026-10-05 10:00", 4, 4.0),
    job_rows(102, "2026-10-05 10:00", 4, 6.0, state="FAILED"),
    job_rows(103, "2026-10-05 10:00", 4, 5.0, quality=Quality.LOWER_BOUND),
    job_rows(104, "2026-10-05 10:00", 4, None, quality=Quality.UNKNOWN),
    job_rows(105, "2026-10-05 10:00", 4, 0.2),
    job_rows(106, "2026-10-05 10:00", 4, 5.0, quality=Quality.ESTIMATED),
    job_rows(107, "2026-10-05 10:00", 4, 5.0, flags=["open"]),
    job_rows(111, "2026-10-06 10:00", 4, 1.0, job_id="111_0"),
    job_rows(112, "2026-10-06 10:00", 4, 2.0, job_id="111_1"),
)


def results(*rows: Row, config: Config | None = None) -> list[Result]:
    return read_results(MemoryTables({**JOBS, "results": list(rows)}), config or Config())


def result(accuracy: float, job_ids: list[str], **more: object) -> Result:
    return results(result_row(1, accuracy, job_ids, **more))[0]


def test_the_electricity_of_a_result_is_the_sum_of_all_its_jobs_the_failed_ones_too() -> None:
    found = result(0.8, ["101", "102"])
    assert found.energy_millijoules == millijoules_from_kwh(10.0)
    assert found.sam == pytest.approx(1.6384)  # the formula's vector for 0.80 and 10 kWh
    assert (found.quality, found.group, found.ended_at) == (
        Quality.MEASURED,
        "vision",
        at("2026-10-05 14:00"),
    )


def test_an_array_named_as_a_whole_counts_each_of_its_tasks_once() -> None:
    assert result(0.8, ["111"]).energy_millijoules == millijoules_from_kwh(3.0)
    assert result(0.8, ["111", "111_1"]).energy_millijoules == millijoules_from_kwh(3.0)
    assert result(0.8, ["111_1"]).energy_millijoules == millijoules_from_kwh(2.0)


@pytest.mark.parametrize(
    ("job_ids", "quality", "reason"),
    [
        (["101", "106"], Quality.ESTIMATED, None),
        (["101", "103"], Quality.LOWER_BOUND, UndefinedReason.LOWER_BOUND),
        (["101", "104"], Quality.LOWER_BOUND, UndefinedReason.LOWER_BOUND),
        (["101", "999"], Quality.LOWER_BOUND, UndefinedReason.LOWER_BOUND),
        (["107"], Quality.LOWER_BOUND, UndefinedReason.LOWER_BOUND),
        (["104"], Quality.UNKNOWN, UndefinedReason.ENERGY_UNKNOWN),
        (["999"], Quality.UNKNOWN, UndefinedReason.ENERGY_UNKNOWN),
        (["105"], Quality.MEASURED, UndefinedReason.ENERGY_AT_OR_BELOW_ONE_UNIT),
    ],
)
def test_a_result_has_the_quality_of_its_worst_job_and_no_score_where_energy_is_missing(
    job_ids: list[str], quality: Quality, reason: UndefinedReason | None
) -> None:
    found = result(0.8, job_ids)
    assert (found.quality, found.sam_reason, found.sam is None) == (quality, reason, reason is not None)


def test_an_unknown_electricity_is_not_zero() -> None:
    assert result(0.8, ["999"]).energy_millijoules is None
    assert result(0.8, ["999", "101"]).jobs_unknown == ("999",)


def test_of_a_lower_bound_the_score_has_an_upper_bound() -> None:
    assert result(0.8, ["103"]).sam_at_most == pytest.approx(5 * 0.8**5 / 0.69897, rel=1e-4)


def test_a_superseded_or_rejected_result_stays_and_does_not_count() -> None:
    found = results(
        result_row(1, 0.7, ["101"]),
        result_row(2, 0.8, ["101"], supersedes=f"{1:032x}"),
        result_row(3, 0.9, ["101"], supersedes=f"{2:032x}", verdict="rejected", reason="not ada's"),
        result_row(4, 0.9, ["101"], verdict="pending"),
    )
    assert {r.submission_id[-1]: (r.counts, r.superseded_by and r.superseded_by[-1]) for r in found} == {
        "1": (False, "2"),
        "2": (True, None),
        "3": (False, None),
        "4": (False, None),
    }


def test_what_was_no_submission_is_still_a_row() -> None:
    nothing = dict.fromkeys(("submission_id", "cluster", "submitted_at", "task", "model"))
    row = result_row(1, None, [], verdict="rejected", reason="not JSON", **nothing)
    found = results(row, dict(row, digest="f" * 64))[0]
    assert (found.accuracy, found.task, found.at, found.sam) == (None, None, None, None)
    assert found.sam_reason is UndefinedReason.ACCURACY_UNKNOWN


def test_a_job_of_somebody_elses_that_began_after_the_submission_is_not_its() -> None:
    rows = together(
        job_rows(9, "2026-11-05 10:00", 1, 2.0, user="bob"),
        job_rows(12, "2026-11-05 10:00", 1, 2.0, job_id="11_1"),
        {"results": [result_row(1, 0.9, ["9"]), result_row(2, 0.9, ["11"])]},
    )
    found = {
        r.job_ids: (r.energy_millijoules, r.jobs_unknown) for r in read_results(MemoryTables(rows), Config())
    }
    assert found == {("9",): (None, ("9",)), ("11",): (7_200_000_000, ())}


def test_of_a_number_used_again_the_job_before_the_submission_is_meant() -> None:
    rows = together(
        job_rows(9, "2025-10-05 10:00", 1, 1.0),
        job_rows(9, "2026-10-05 10:00", 1, 2.0),
        job_rows(9, "2026-12-05 10:00", 1, 3.0),
        {"results": [result_row(1, 0.5, ["9"])]},
    )
    assert read_results(MemoryTables(rows), Config())[0].energy_millijoules == millijoules_from_kwh(2.0)


def test_a_task_is_known_by_its_alias_and_gives_what_was_not_said() -> None:
    config = Config(
        tasks=(Task(name="cifar-10", metric="top-1", dataset="CIFAR", split="test", aliases=("c10",)),)
    )
    found = results(result_row(1, 0.5, ["101"], task="c10", split="val"), config=config)[0]
    assert (found.task, found.metric, found.dataset, found.split) == ("cifar-10", "top-1", "CIFAR", "val")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), 2),
        (Selection(job_ids=("101",)), 1),
        (Selection(job_ids=("111",)), 1),
        (Selection(job_ids=("111_0",)), 1),
        (Selection(users=("bob",)), 0),
        (Selection(accounts=("vision",)), 2),
        (Selection(group="speech"), 0),
        (Selection(start=at("2026-10-05 14:00"), end=at("2026-10-05 14:01")), 1),
        (Selection(start=at("2026-10-05 10:00"), end=at("2026-10-05 14:00")), 0),
    ],
)
def test_results_are_chosen_by_job_user_account_lab_and_the_end_of_their_last_job(
    selection: Selection, expected: int
) -> None:
    found = results(result_row(1, 0.5, ["101", "102"]), result_row(2, 0.5, ["111"]))
    assert len(choose(found, selection)) == expected
