"""Results, their electricity, and SAM."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.config import Config, Task
from sam_cluster.core.model import Quality
from sam_cluster.core.uncertainty import Uncertainty
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.metrics import UndefinedReason
from sam_cluster.report.reading import read_jobs
from sam_cluster.report.records import Selection
from sam_cluster.report.results import (
    Result,
    choose,
    jobs_without_result,
    read_results,
    union_of_jobs,
    without_energy,
)
from tests.unit.report.tables import MemoryTables, Row, at, job_rows, result_row, sure, together

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
    assert result(0.8, ["103"]).sam_at_most == pytest.approx(5 * 0.8**5 / 0.676694, rel=1e-4)  # 4.75 kWh


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
    assert found.sam_reason is UndefinedReason.NOT_ACCEPTED


@pytest.mark.parametrize("verdict", ["rejected", "pending"])
def test_what_is_not_accepted_has_its_electricity_and_no_score(verdict: str) -> None:
    for job_ids in (["101"], ["103"]):
        found = result(0.8, job_ids, verdict=verdict)
        assert (found.sam, found.sam_at_most, found.sam_reason) == (None, None, UndefinedReason.NOT_ACCEPTED)
        assert found.energy_millijoules is not None


named_jobs = st.lists(st.sampled_from(["101", "105", "111", "111_1", "201", "202", "999"]), max_size=4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(named_jobs, st.integers(0, 5)), max_size=5))
def test_the_results_of_one_lab_are_those_of_all_labs_that_are_its(
    handed_in: list[tuple[list[str], int]],
) -> None:
    jobs = together(
        JOBS,
        job_rows(201, "2026-10-05 10:00", 4, 3.0, account="speech"),
        job_rows(202, "2026-10-06 10:00", 4, 3.0, account="speech"),
    )
    rows = [
        result_row(n, 0.8, job_ids, supersedes=f"{corrected:032x}" if corrected else None)
        for n, (job_ids, corrected) in enumerate(handed_in, 1)
    ]
    tables = MemoryTables({**jobs, "results": rows})
    every = read_results(tables, Config())
    for lab in ("vision", "speech", "nobody"):
        assert read_results(tables, Config(), Selection(group=lab)) == choose(every, Selection(group=lab))


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


def test_what_a_result_says_of_its_training_is_kept() -> None:
    found = result(0.8, ["101"], epochs=90.0, data_fraction=0.25, checkpoint_sha256="ab" * 32)
    assert (found.epochs, found.data_fraction, found.checkpoint_sha256) == (90.0, 0.25, "ab" * 32)
    assert (result(0.8, ["101"]).epochs, result(0.8, ["101"]).data_fraction) == (None, None)


def test_a_score_says_by_what_it_was_made() -> None:
    found = result(0.8, ["101"])
    assert (found.alpha, found.beta, found.unit, found.log_base, found.sam_scope) == (
        5.0,
        5.0,
        "kWh",
        10,
        "gpu",
    )


def test_the_facilitys_scope_scores_the_energy_times_the_pue_and_leaves_the_measurement() -> None:
    config = Config(sam_scope="facility", pue=1.25)
    found = results(result_row(1, 0.8, ["101", "101", "102"]), result_row(2, 0.8, ["105"]), config=config)
    by_id = {each.submission_id[-1]: each for each in found if each.submission_id}
    assert by_id["1"].energy_millijoules == millijoules_from_kwh(10.0)
    assert (by_id["1"].electricity_kwh, by_id["1"].sam_scope) == (12.5, "facility")
    assert by_id["1"].sam == pytest.approx(5 * 0.8**5 / 1.09691, rel=1e-5)
    assert by_id["2"].sam_reason is UndefinedReason.ENERGY_AT_OR_BELOW_ONE_UNIT
    wider = results(result_row(1, 0.8, ["105"]), config=Config(sam_scope="facility", pue=5.5))[0]
    assert wider.sam == pytest.approx(5 * 0.8**5 / 0.0413927, rel=1e-5)  # 1.1 kWh


@pytest.mark.parametrize(
    ("uncertainty_kwh", "config", "is_near_pole"),
    [
        (2.9, Config(), False),  # 1.1 to 6.9 kWh
        (3.05, Config(), True),
        (3.05, Config(sam_scope="facility", pue=1.2), False),  # 1.14 kWh at least
        (3.2, Config(sam_scope="facility", pue=1.2), True),  # 0.96 kWh at least
    ],
)
def test_the_uncertainty_grows_with_the_scope(
    uncertainty_kwh: float, config: Config, is_near_pole: bool
) -> None:
    boundary = millijoules_from_kwh(uncertainty_kwh)
    job = {**JOBS["jobs"][0], **sure(millijoules_from_kwh(4.0), boundary, gpu_model="exact")}
    tables = MemoryTables({"jobs": [job], "results": [result_row(1, 0.8, ["101"])]})
    (found,) = read_results(tables, replace(config, calibration={"exact": 0.0}))
    assert (found.sam_reason is UndefinedReason.NEAR_POLE) == is_near_pole


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A100", "H100", None]), st.integers(0, 10**13) | st.none(), st.integers(0, 10**9)
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(deadline=None, max_examples=50)
def test_a_result_is_as_sure_as_all_its_jobs_together(jobs: list[tuple[str | None, int | None, int]]) -> None:
    """By model of GPU, and not as the sum of what each job may be off by: that would be too much."""
    calibration = {"H100": 0.01}
    rows = [
        {**JOBS["jobs"][0], "raw_job_id": n, "job_id": str(n), "energy_millijoules": energy,
         **sure(energy, boundary, gpu_model=model)}
        for n, (model, energy, boundary) in enumerate(jobs, 1)
    ]  # fmt: skip
    tables = MemoryTables({"jobs": rows, "results": [result_row(1, 0.8, [row["job_id"] for row in rows])]})
    (found,) = read_results(tables, Config(calibration=calibration))
    known = [(model, energy, boundary) for model, energy, boundary in jobs if energy is not None]
    energies: dict[str | None, int] = {}
    for model, energy, _ in known:
        energies[model] = energies.get(model, 0) + energy
    together = Uncertainty.of(energies, sum(boundary for *_, boundary in known), calibration)
    assert found.uncertainty_millijoules == (together.millijoules if known else None)
    assert union_of_jobs([found, found]).electricity.uncertainty_millijoules == found.uncertainty_millijoules


def test_a_job_that_an_earlier_release_summed_up_may_be_of_any_model() -> None:
    job = dict(JOBS["jobs"][0], energy_by_model=None, boundary_uncertainty_millijoules=None)
    job["uncertainty_millijoules"] = millijoules_from_kwh(0.3)  # of its boundaries
    tables = MemoryTables({"jobs": [job], "results": [result_row(1, 0.8, ["101"])]})
    (found,) = read_results(tables, Config(calibration={"A100": 0.01}))
    expected = Uncertainty.of({None: millijoules_from_kwh(4.0)}, millijoules_from_kwh(0.3), {})
    assert found.uncertainty_millijoules == expected.millijoules


def test_a_chain_of_corrections_leaves_one_result_that_counts() -> None:
    found = results(
        result_row(1, 0.7, ["101"]),
        result_row(2, 0.8, ["101"], supersedes=f"{1:032x}", submitted_at=at("2026-10-30 13:00")),
        result_row(3, 0.9, ["101"], supersedes=f"{1:032x}", submitted_at=at("2026-10-30 14:00")),
    )
    assert [r.submission_id[-1] for r in found if r.counts and r.submission_id] == ["3"]


def test_who_takes_anothers_id_neither_hides_that_result_nor_is_hidden_with_it() -> None:
    mine = result_row(1, 0.7, ["101"], supersedes=f"{2:032x}")
    thief = result_row(
        1, 0.9, ["101"], user="mallory", verdict="rejected", ground="id_already_used", digest="f" * 64
    )
    fix = result_row(3, 0.8, ["101"], supersedes=f"{1:032x}")
    first = result_row(2, 0.6, ["102"])
    found = {r.accuracy: r.superseded_by and r.superseded_by[-1] for r in results(mine, thief, fix, first)}
    assert found == {0.6: "1", 0.7: "3", 0.9: None, 0.8: None}
    found = {r.accuracy: r.superseded_by and r.superseded_by[-1] for r in results(mine, thief, first)}
    assert found == {0.6: "1", 0.7: None, 0.9: None}


def test_together_results_cost_the_union_of_their_jobs_so_that_a_shared_sweep_counts_once() -> None:
    found = results(
        result_row(1, 0.8, ["101", "111"]),
        result_row(2, 0.7, ["111", "106"]),
        result_row(3, 0.7, ["111_1", "111_0", "101"]),
    )
    union = union_of_jobs(found)
    assert sorted(job.job_id for job in union.jobs) == ["101", "106", "111_0", "111_1"]
    assert union.electricity.energy_millijoules == millijoules_from_kwh(4.0 + 1.0 + 2.0 + 5.0)
    assert (union.electricity.quality, union.jobs_unknown) == (Quality.ESTIMATED, ())
    assert union_of_jobs([*found, *found]) == union
    parts = sum(each.energy_millijoules or 0 for each in found)
    assert parts > millijoules_from_kwh(12.0)


@pytest.mark.parametrize(
    ("job_ids", "quality", "kwh"),
    [
        ([["101"], ["103"]], Quality.LOWER_BOUND, 9.0),
        ([["101"], ["104"]], Quality.LOWER_BOUND, 4.0),
        ([["101"], ["999"]], Quality.LOWER_BOUND, 4.0),
        ([["107"]], Quality.LOWER_BOUND, 5.0),
        ([["104"], ["999"]], Quality.UNKNOWN, None),
        ([], Quality.UNKNOWN, None),
    ],
)
def test_the_total_has_the_quality_of_the_worst_job_and_is_unknown_where_nothing_is_known(
    job_ids: list[list[str]], quality: Quality, kwh: float | None
) -> None:
    union = union_of_jobs(results(*(result_row(n, 0.8, ids) for n, ids in enumerate(job_ids))))
    expected = None if kwh is None else millijoules_from_kwh(kwh)
    assert (union.electricity.quality, union.electricity.energy_millijoules) == (quality, expected)


def test_results_without_energy_and_jobs_without_results_are_found() -> None:
    found = results(
        result_row(1, 0.8, ["101", "111"]), result_row(2, 0.8, ["104"]), result_row(3, 0.8, ["999"])
    )
    assert [r.submission_id[-1] for r in without_energy(found) if r.submission_id] == ["2", "3"]
    jobs = read_jobs(MemoryTables(JOBS), Config(), Selection())
    assert [job.job_id for job in jobs_without_result(jobs, found)] == ["102", "103", "105", "106", "107"]


def test_one_reading_serves_many_pages_and_names_each_job_by_one_value() -> None:
    found = results(result_row(1, 0.8, ["101", "111"]), result_row(2, 0.7, ["111", "106"]))
    shared = [job for each in found for job in each.jobs if job.job_id == "111_0"]
    assert len(shared) == 2
    assert shared[0] is shared[1]


@given(
    named=st.lists(
        st.lists(st.sampled_from(["101", "105", "111", "111_1", "300", "not a job"]), max_size=3), max_size=4
    ),
    submitted=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    days=st.tuples(st.integers(1, 9), st.integers(1, 5)),
    group=st.sampled_from([None, "vision", "nobody's"]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_read_for_a_period_is_all_that_counts_in_it(
    named: list[list[str]], submitted: list[int], days: tuple[int, int], group: str | None
) -> None:
    rows = [
        result_row(number, 0.8, job_ids, submitted_at=at(f"2026-10-{day:02} 12:00"))
        for number, (job_ids, day) in enumerate(zip(named, submitted, strict=False), 1)
    ]
    tables = MemoryTables({**JOBS, "results": rows})
    start, length = days
    period = Selection(
        start=at(f"2026-10-{start:02} 00:00"), end=at(f"2026-10-{start + length:02} 00:00"), group=group
    )
    meant = choose(read_results(tables, Config()), period)
    assert choose(read_results(tables, Config(), period), period) == meant
