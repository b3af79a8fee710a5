"""Jobs of pyslurm as the rows that sacct gives, for the attributes that its releases have.

The classes here have the attributes of pyslurm.db.Job in 24.11 and 25.11, with their habits: a 0 shown as
None, and before 25.11 the elapsed time for the suspended one.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sam_cluster.accounting import sacct_text
from sam_cluster.accounting.pyslurm_job import lacks, record
from sam_cluster.accounting.pyslurm_source import PyslurmSource
from sam_cluster.accounting.records import JobRecord
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_DAY as DAY

CONSTRUCTED = (Path(__file__).parents[1] / "data" / "sacct" / "constructed-24.11.txt").read_bytes()
FROM_SACCT = {(row.job_id, row.state): row for row in sacct_text.parse(CONSTRUCTED).records}
START = 1795377660


@dataclass(frozen=True)
class Count:
    count: int


@dataclass(frozen=True)
class Resources:
    """As pyslurm.db.TrackableResources of 25.11."""

    billing: Count | None = None
    cpu: Count | None = None
    energy: Count | None = None
    mem: Count | None = None
    node: Count | None = None
    gres: Mapping[str, Count] = field(default_factory=dict)


TWO_GPUS = Resources(
    billing=Count(8),
    cpu=Count(8),
    mem=Count(64000),
    node=Count(1),
    gres={"gpu:a100": Count(2), "gpu": Count(2)},
)


@dataclass
class Job24:
    """As pyslurm.db.Job of 24.11."""

    id: int = 500
    cluster: str = "lab"
    name: str | None = "train"
    array_id: int | None = None
    array_task_id: int | None = None
    array_tasks_waiting: str | None = None
    user_name: str = "alice"
    user_id: int = 1000
    account: str | None = "vision"
    partition: str | None = "gpu"
    qos: str | None = "normal"
    state: str = "COMPLETED"
    exit_code: int = 0
    exit_code_signal: int = 0
    db_index: int | None = None
    submit_time: int | None = START - 60
    eligible_time: int | None = START - 60
    start_time: int | None = START
    end_time: int | None = START + 3600
    suspended_time: int | None = 3600
    nodelist: str | None = "n1"


@dataclass
class Job25(Job24):
    """As pyslurm.db.Job of 25.11."""

    suspended_time: int | None = None
    heterogeneous_id: int | None = None
    heterogeneous_offset: int | None = None
    requeue_count: int | None = None
    allocated_tres: Resources | None = TWO_GPUS


def as_record(job: Any) -> JobRecord:
    return record(job, lacks(type(job)))


@pytest.mark.parametrize(
    ("job", "row"),
    [
        (Job25(name="requeued", state="PREEMPTED"), ("500", "PREEMPTED")),
        (
            Job25(id=501, name="sweep", state="PENDING", array_id=501, array_tasks_waiting="0x3E0",
                  start_time=None, end_time=None, nodelist="None assigned", allocated_tres=None),
            ("501_[5-9%2]", "PENDING"),
        ),
        (Job25(id=502, name="caf\ufffd \ufffd\ufffd", array_id=501), ("501_0", "COMPLETED")),
        (Job25(id=503, name="het", heterogeneous_id=503), ("503+0", "COMPLETED")),
        (
            Job25(id=504, name="het", heterogeneous_id=503, heterogeneous_offset=1, nodelist="r[1-2]n[09-10]",
                  allocated_tres=Resources(cpu=Count(4), node=Count(4),
                                           gres={"gpu:v100": Count(1), "gpu:a100": Count(3)})),
            ("503+1", "COMPLETED"),
        ),
        (
            Job25(id=506, name=None, suspended_time=93_784, qos=None, account=None),
            ("506", "COMPLETED"),
        ),
        (Job25(id=509, name="ran without AllocTRES", allocated_tres=None), ("509", "COMPLETED")),
        (Job25(id=510, name="last", state="OUT_OF_MEMORY", exit_code_signal=125), ("510", "OUT_OF_MEMORY")),
    ],
)  # fmt: skip
def test_a_job_of_pyslurm_25_11_is_the_row_that_sacct_gives(job: Job25, row: tuple[str, str]) -> None:
    expected = FROM_SACCT[row]
    if row[0] == "501_[5-9%2]":  # how many may run at once is no part of who waits
        expected = replace(expected, job_id="501_[5-9]")
    if row[0] == "506":
        expected = replace(expected, user="alice", uid=1000)
    assert as_record(job) == replace(expected, sluid=None)


def test_a_job_of_pyslurm_24_11_says_unknown_where_its_release_says_nothing_or_the_wrong_thing() -> None:
    row = as_record(Job24(name="requeued", state="PREEMPTED"))
    assert row == replace(
        FROM_SACCT["500", "PREEMPTED"],
        restart_count=None, sluid=None, suspended_seconds=None, gpus=None, gpu_shards=None, gpu_mps=None,
        alloc_tres=None,
    )  # fmt: skip
    assert lacks(Job24) == {
        "alloc_tres", "gpus", "gpu_shards", "gpu_mps", "suspended_seconds", "restart_count",
        "het_job_id", "het_offset", "earlier_runs",
    }  # fmt: skip
    assert lacks(Job25) == {"earlier_runs"}


@pytest.mark.parametrize(
    ("mask", "tasks"), [("0x1", "0"), ("0xE", "1-3"), ("0x300", "8-9"), ("0x3E3", "0-1,5-9"), ("7-8", "7-8")]
)
def test_the_waiting_tasks_of_an_array_are_read_from_the_databases_mask(mask: str, tasks: str) -> None:
    assert as_record(Job25(array_id=500, array_tasks_waiting=mask)).job_id == f"500_[{tasks}]"


def test_the_row_number_of_the_database_is_written_as_sacct_writes_a_sluid() -> None:
    assert as_record(Job25(db_index=1)).sluid == "s0000000000001"
    assert as_record(Job25(db_index=(1 << 64) - 1)).sluid == "sFZZZZZZZZZZZZ"
    assert as_record(Job25(db_index=None)).sluid is None


def test_a_user_whom_this_host_does_not_know_is_unknown_and_keeps_the_uid() -> None:
    row = as_record(Job25(user_name="4711", user_id=4711))
    assert (row.user, row.uid) == (None, 4711)


def test_a_name_that_is_not_utf_8_is_replaced() -> None:
    class Strict(Job25):
        def __getattribute__(self, name: str) -> Any:
            return b"caf\xe9".decode("utf-8") if name == "name" else super().__getattribute__(name)

    assert as_record(Strict()).job_name == "caf\ufffd"


def pyslurm_of(days: Mapping[int, list[Job25]], failure: Exception | None = None) -> SimpleNamespace:
    """A module that answers for the days of certain start times, in seconds."""

    def load(window: SimpleNamespace) -> dict[int, Job25]:
        if failure:
            raise failure
        return {job.id: job for job in days.get(window.start_time, [])}

    db = SimpleNamespace(
        Job=Job25, JobFilter=lambda **window: SimpleNamespace(**window), Jobs=SimpleNamespace(load=load)
    )
    return SimpleNamespace(db=db, PyslurmError=RuntimeError)


MIDNIGHT = START // 86_400 * 86_400


def test_earlier_runs_of_other_days_are_found_and_an_unreadable_job_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    earlier = Job25(state="REQUEUED")
    later = Job25(submit_time=START + 86_400, eligible_time=START + 86_400, start_time=START + 86_400,
                  end_time=None, requeue_count=1)  # fmt: skip
    unreadable = Job25(id=6, nodelist="n[2-1]")
    days = {MIDNIGHT: [earlier], MIDNIGHT + 86_400: [later, unreadable]}
    monkeypatch.setitem(sys.modules, "pyslurm", pyslurm_of(days))
    source = PyslurmSource()
    records = source.jobs(MIDNIGHT * 1_000_000, MIDNIGHT * 1_000_000 + 2 * DAY)
    assert [(each.job_id, each.state, each.restart_count) for each in records] == [
        ("500", "REQUEUED", 0), ("500", "COMPLETED", 1),
    ]  # fmt: skip
    assert source.problems == ("job 6 of pyslurm cannot be read: the range 2-1 in [2-1] runs backwards",)


def test_without_pyslurm_or_its_slurmdbd_accounting_is_unavailable_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyslurm", None)
    with pytest.raises(AccountingUnavailable, match="use sacct"):
        PyslurmSource()
    monkeypatch.setitem(sys.modules, "pyslurm", pyslurm_of({}, RuntimeError("Failed to get Jobs")))
    with pytest.raises(AccountingUnavailable, match="Failed to get Jobs"):
        PyslurmSource().jobs(0, DAY)


def test_the_pyslurm_that_is_installed_has_what_is_read_of_it() -> None:
    if importlib.util.find_spec("pyslurm") is None:
        pytest.skip("pyslurm is not installed: it builds only against the headers of its own Slurm release")
    if not Path(os.environ.get("SLURM_CONF", "/etc/slurm/slurm.conf")).exists():
        pytest.skip("pyslurm ends the process that imports it where there is no slurm.conf")
    import pyslurm

    unknown = {name for name in vars(Job24()) if not hasattr(pyslurm.db.Job, name)}
    assert unknown == set()
    assert "earlier_runs" in PyslurmSource().lacks
    job = pyslurm.db.Job(job_id=5, cluster="lab")
    assert record(job, lacks(pyslurm.db.Job)).raw_job_id == 5
