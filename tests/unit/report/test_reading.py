"""Jobs as they are read from the tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.config import Config, Group
from sam_cluster.core.errors import ConfigError
from sam_cluster.report.reading import groups_of, read_jobs
from sam_cluster.report.records import Selection, names
from sam_cluster.store.rows import from_rows
from tests.unit.report.tables import MemoryTables, at, job_rows, together

TABLES = MemoryTables(
    together(
        job_rows(101, "2026-10-05 10:00", 4, 1.5),
        job_rows(110, "2026-10-06 10:00", 2, 0.5, job_id="110_1", user="bob"),
        job_rows(109, "2026-10-06 10:00", 2, 0.5, job_id="110_0", user="bob"),
        job_rows(120, "2026-10-30 22:00", 60, 9.0, job_id="120+0", account="speech"),
        job_rows(121, "2026-10-30 22:00", 60, None, job_id="120+1", account="speech"),
    )
)
CONFIG = Config(groups=(Group(name="seeing", accounts=("vis*",)),))


def ids(selection: Selection, tables: MemoryTables = TABLES, config: Config = CONFIG) -> list[str]:
    return [job.job_id for job in read_jobs(tables, config, selection)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["101", "110_0", "110_1", "120+0", "120+1"]),
        (Selection(job_ids=("101",)), ["101"]),
        (Selection(job_ids=("110",)), ["110_0", "110_1"]),
        (Selection(job_ids=("110_1",)), ["110_1"]),
        (Selection(job_ids=("120",)), ["120+0", "120+1"]),
        (Selection(job_ids=("120+1", "101")), ["101", "120+1"]),
        (Selection(job_ids=("11",)), []),
        (Selection(users=("bob",)), ["110_0", "110_1"]),
        (Selection(accounts=("speech", "none")), ["120+0", "120+1"]),
        (Selection(group="seeing"), ["101", "110_0", "110_1"]),
        (Selection(group="speech"), ["120+0", "120+1"]),
        (Selection(group="vision"), []),
    ],
)
def test_jobs_are_chosen_by_id_user_account_and_lab(selection: Selection, expected: list[str]) -> None:
    assert ids(selection) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-10-05 14:00", "2026-10-06 00:00", []),
        ("2026-10-05 13:59", "2026-10-06 00:00", ["101"]),
        ("2026-10-01 00:00", "2026-10-05 10:00", []),
        ("2026-10-01 00:00", "2026-10-05 10:01", ["101"]),
        ("2026-10-31 00:00", "2026-11-01 00:00", ["120+0", "120+1"]),
    ],
)
def test_the_jobs_of_a_period_are_those_that_overlap_it(start: str, end: str, expected: list[str]) -> None:
    assert ids(Selection(start=at(start), end=at(end))) == expected


def test_a_job_that_lasted_no_time_is_there_in_the_period_in_which_it_was() -> None:
    tables = MemoryTables(job_rows(5, "2026-10-01 00:00", 0, 0.0))
    assert ids(Selection(start=at("2026-10-01 00:00"), end=at("2026-11-01 00:00")), tables) == ["5"]
    assert ids(Selection(start=at("2026-09-01 00:00"), end=at("2026-10-01 00:00")), tables) == []


def test_a_job_is_its_labs_on_the_local_day_it_ended() -> None:
    config = Config(
        timezone="Europe/London",
        groups=(
            Group(name="old", accounts=("vision",)),
            Group(name="new", accounts=("vision",), since=date(2026, 10, 5)),
        ),
    )
    # 23:30 in London, and 00:30 on the next day: half past 22 and 23 UTC.
    tables = MemoryTables(
        together(job_rows(1, "2026-10-04 20:30", 2, 1.0), job_rows(2, "2026-10-04 20:30", 3, 1.0))
    )
    assert [job.group for job in read_jobs(tables, config, Selection())] == ["old", "new"]


def test_a_job_has_its_runs_in_the_order_of_time() -> None:
    rows = together(job_rows(7, "2026-10-05 10:00", 1, 0.1), job_rows(8, "2026-10-05 12:00", 1, 0.2))
    rows["runs"][1]["run_id"], rows["runs"][1]["raw_job_id"], rows["runs"][1]["restart"] = "7.1", 7, 1
    rows["jobs"][0]["run_ids"] = ["7.0", "7.1"]
    job = read_jobs(MemoryTables(rows), CONFIG, Selection(job_ids=("7",)))[0]
    assert [(run.run_id, run.restart) for run in job.runs] == [("7.0", 0), ("7.1", 1)]


def test_a_number_that_slurm_used_again_is_two_jobs() -> None:
    rows = together(job_rows(9, "2025-10-05 10:00", 1, 0.1), job_rows(9, "2026-10-05 10:00", 1, 0.2))
    assert ids(Selection(job_ids=("9",)), MemoryTables(rows)) == ["9", "9"]


def test_a_run_of_a_number_that_slurm_used_again_is_its_own_jobs() -> None:
    rows = together(job_rows(9, "2025-10-05 10:00", 1, 0.1), job_rows(9, "2026-10-05 10:00", 1, 0.2))
    jobs = read_jobs(MemoryTables(rows), CONFIG, Selection(job_ids=("9",)))
    assert [[run.started_at for run in job.runs] for job in jobs] == [[job.started_at] for job in jobs]


def test_two_runs_of_one_id_in_one_job_are_both_there() -> None:
    rows = together(job_rows(9, "2026-10-05 10:00", 1, 0.1), job_rows(9, "2026-10-05 12:00", 1, 0.2))
    rows["jobs"] = [{**rows["jobs"][0], "run_ids": ["9.0", "9.0"], "ended_at": at("2026-10-05 13:00")}]
    job = read_jobs(MemoryTables(rows), CONFIG, Selection(job_ids=("9",)))[0]
    assert [run.started_at for run in job.runs] == [at("2026-10-05 10:00"), at("2026-10-05 12:00")]


def test_a_time_zone_that_is_none_to_arrow_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="timezone in \\[report\\] must be a name such as Europe/London"):
        ids(Selection(), config=Config(timezone="Factory"))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["vision", "vis-2", "speech", "", None]),
            st.none() | st.integers(-(10**9), 4 * 10**9).map(lambda n: datetime.fromtimestamp(n, UTC)),
        ),
        max_size=12,
    )
)
def test_each_row_gets_the_lab_that_the_configuration_names_for_its_account_and_day(
    given_rows: list[tuple[str | None, datetime | None]],
) -> None:
    config = Config(
        timezone="Pacific/Auckland",
        groups=(
            Group(name="old", accounts=("vision",)),
            Group(name="new", accounts=("vis*",), since=date(2026, 10, 5)),
        ),
    )
    rows = from_rows("jobs", [{"account": account, "ended_at": ended} for account, ended in given_rows])
    zone = ZoneInfo(config.timezone)
    assert groups_of(rows, config).to_pylist() == [
        config.group_of(account, on=ended.astimezone(zone).date() if ended else None)
        for account, ended in given_rows
    ]


@settings(deadline=None)
@given(
    st.sets(st.text("12_+\n", min_size=1, max_size=5), max_size=8), st.text("12_+\n", min_size=1, max_size=3)
)
def test_an_id_means_the_jobs_that_it_names(job_ids: set[str], wanted: str) -> None:
    rows = together(
        *(job_rows(1000 + n, "2026-10-05 10:00", 1, 1.0, job_id=job_id) for n, job_id in enumerate(job_ids))
    )
    found = ids(Selection(job_ids=(wanted,)), MemoryTables(rows))
    assert sorted(found) == sorted(job_id for job_id in job_ids if names(wanted, job_id))
