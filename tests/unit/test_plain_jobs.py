"""The jobs that are made all at once, in columns, are the jobs that are made one by one."""

from __future__ import annotations

from copy import deepcopy
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate import summarise
from sam_cluster.aggregate.accounting import Asked
from sam_cluster.aggregate.evidence import RUN_KEY, Evidence
from sam_cluster.aggregate.job_keys import jobs_table
from sam_cluster.aggregate.jobs import exact
from sam_cluster.aggregate.plain.hours import combined
from sam_cluster.aggregate.plain.jobs import HAD_GPUS_COLUMNS, had_gpus, plain
from sam_cluster.core.uncertainty import combined_millijoules
from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import from_rows, to_rows
from sam_cluster.store.schemas import KEYS, TABLES
from sam_cluster.store.tables import Tables
from tests.aggregating import NOW, accounting_of, run_aggregate
from tests.digests import rows_digest
from tests.simulated import Simulation, put
from tests.strategies import DAY, EPOCH, HOUR, MINUTE, histories

Rows = list[dict[str, Any]]
CALIBRATION = {"A100": 0.013}
DOMAIN = {"name": "package-0", "energy_millijoules": 40_000, "reason": None}
DRAM = {"name": "dram", "energy_millijoules": None, "reason": "host_absent"}


def gpu(uuid: str | None, **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "requested": "0", "rung": "uuid", "name": "A100", "mig_uuid": None,
            "power_limit_milliwatts": None, "reason": None, **more}  # fmt: skip


def shard(job: int, node: str = "a", part: int = 0, **more: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(TABLES["shards"].names), "cluster": "lab", "run_id": f"{job}.0", "raw_job_id": job,
        "restart": 0, "node": node, "part": part, "final": True, "started_at": EPOCH, "user": "ada",
        "ended_at": EPOCH + (part + 1) * HOUR, "account": "vision", "nodes_expected": 1, "flags": [],
        "gpus": [gpu(f"{node}0"), gpu(f"{node}1")], "is_exclusive": False, **more,
    }  # fmt: skip


def hours_of(shard: dict[str, Any]) -> Rows:
    return [
        {
            **dict.fromkeys(TABLES["usage"].names),
            **{name: shard[name] for name in ("cluster", "run_id", "raw_job_id", "node", "started_at")},
            "gpu_uuid": each["uuid"], "hour": EPOCH + shard["part"] * HOUR, "held_microseconds": HOUR,
            "device_energy_millijoules": 2_000_003, "energy_millijoules": 1_000_003 + shard["part"],
            "uncertainty_millijoules": 5, "bridged_millijoules": 0, "power_energy_millijoules": 1_000_001,
            "covered_microseconds": HOUR, "idle_microseconds": MINUTE, "idle_energy_millijoules": 40_001,
            "gpu_model": "A100", "flags": [],
        }
        for each in shard["gpus"]
    ]  # fmt: skip


def record(job: int, **more: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(TABLES["accounting"].names), "cluster": "lab", "job_id": f"{job - 1}_1",
        "raw_job_id": job, "restart": 0, "job_name": "train", "user": "ada", "account": "vision",
        "state": "COMPLETED", "submitted_at": EPOCH - MINUTE, "eligible_at": EPOCH - MINUTE,
        "started_at": EPOCH, "ended_at": EPOCH + HOUR, "node_count": 1, "gpus": 2, "nodes": ["a"],
        "alloc_tres": "cpu=8", **more,
    }  # fmt: skip


TIMES = [EPOCH - 20 * MINUTE, EPOCH, EPOCH + 1, EPOCH + 11 * MINUTE, EPOCH + HOUR, EPOCH + 50 * DAY, 1 << 54]
WORDS = [[], ["simulated"], ["interpolated"], ["shared", "simulated"], ["no_start"], ["no_end"], ["open"]]
TEXTS = [None, "", "ada", "<b>"]
FIGURES = [None, 0, -7, 5, 1_000_001, (1 << 44) + 1]
#: What a column may hold instead, plain or not.
CHANGES: dict[str, dict[str, list[Any]]] = {
    "shards": {
        "cluster": ["lab", "other"], "run_id": ["7.0", "8.0"], "raw_job_id": [7, 8], "restart": [None, 0, 1],
        "node": ["a", "b"], "part": [0, 1, 2], "final": [True, False], "started_at": TIMES, "ended_at": TIMES,
        "user": TEXTS, "account": TEXTS, "nodes_expected": [None, 0, 1, 2, 3], "flags": WORDS,
        "sluid": [None, "s1"],
        "gpus": [[], [gpu("a0")], [gpu(None)], [gpu("a0"), gpu("a9", reason="gpu_lost")],
                 [gpu("", name=None)]],
        "reason": [None, "nvml_hung"], "cpus": [None, 0, 4, 17], "node_cpus": [None, 0, 16],
        "is_exclusive": [True, False],
        "host_domains": [None, [], [DOMAIN], [DOMAIN, DRAM], [{**DOMAIN, "energy_millijoules": None,
                         "reason": "host_unreadable"}]],
    },
    "usage": {
        "run_id": ["7.0", "8.0"], "node": ["a", "b"], "started_at": TIMES, "gpu_uuid": ["a0", "b1", ""],
        "held_microseconds": [0, HOUR, 1 << 45], "device_energy_millijoules": FIGURES,
        "energy_millijoules": FIGURES, "uncertainty_millijoules": FIGURES, "bridged_millijoules": FIGURES,
        "power_energy_millijoules": FIGURES, "covered_microseconds": FIGURES,
        "idle_microseconds": FIGURES, "idle_energy_millijoules": FIGURES,
        "gpu_model": [None, "", "A100", "H100"], "flags": WORDS,
    },
    "accounting": {
        "cluster": ["lab", "other"], "raw_job_id": [7, 8], "job_id": TEXTS, "restart": [None, 0, 1],
        "job_name": TEXTS, "user": TEXTS, "account": TEXTS, "state": ["RUNNING", "RESIZING"],
        "submitted_at": TIMES, "eligible_at": [None, *TIMES], "started_at": [None, *TIMES],
        "ended_at": [None, *TIMES], "node_count": [None, 0, 1, 2], "gpus": [None, 0, 1, 2, 5000],
        "gpu_shards": [None, 0, 1], "gpu_mps": [None, 50], "sluid": [None, "s1"],
        "alloc_tres": [None, "cpu=5", "mem=1G"],
    },
}  # fmt: skip

#: What is metered beside the GPUs, and whose it is.
BESIDE: list[dict[str, Any]] = [
    {}, {"host_domains": [DOMAIN, DOMAIN], "cpus": 5, "node_cpus": 16},
    {"host_domains": [DOMAIN, DRAM], "is_exclusive": True},
    {"host_domains": [DOMAIN], "cpus": 17, "node_cpus": 16},
]  # fmt: skip


BESIDES = st.sampled_from(BESIDE)


def plain_rows(job: int, nodes: str, parts: int, beside: dict[str, Any]) -> dict[str, Rows]:
    shards = [
        shard(job, node, part, nodes_expected=len(nodes), final=part == parts - 1, **beside)
        for node in nodes
        for part in range(parts)
    ]
    told = record(job, node_count=len(nodes), gpus=2 * len(nodes), ended_at=EPOCH + parts * HOUR)
    hours = [hour for each in shards for hour in hours_of(each)]
    return {"shards": shards, "usage": hours, "accounting": [told]}


@st.composite
def rows_of_job(draw: st.DrawFn, job: int) -> dict[str, Rows]:
    """A job that is plain, or has some value changed, or a row lost, or one there twice."""
    rows = plain_rows(job, draw(st.sampled_from(["a", "ab"])), draw(st.sampled_from([1, 2])), draw(BESIDES))
    if draw(st.booleans()):
        rows["accounting"] = []
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 4]))):
        table = draw(st.sampled_from([name for name in rows if rows[name]]))
        at = draw(st.integers(0, len(rows[table]) - 1))
        kind = draw(st.sampled_from(["change", "change", "change", "lose", "double"]))
        if kind == "lose":
            del rows[table][at]
            continue
        if kind == "double":
            rows[table].append(deepcopy(rows[table][at]))
        column = draw(st.sampled_from(sorted(CHANGES[table])))
        rows[table][at][column] = draw(st.sampled_from(CHANGES[table][column]))
    return rows


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Some jobs at once, each with its own changes, which may make it take another's place."""
    numbers = range(7, 7 + draw(st.sampled_from([1, 2, 12])))
    found = [draw(rows_of_job(number)) for number in numbers]
    return evidence_of(found, numbers)


def evidence_of(found: list[dict[str, Rows]], numbers: range) -> Evidence:
    tables = {
        name: from_rows(name, _each_once(name, [row for rows in found for row in rows[name]]))
        for name in CHANGES
    }
    jobs = [(cluster, number) for cluster in ("lab", "other") for number in numbers]
    return Evidence.of(jobs_table(jobs), tables["shards"], tables["usage"], tables["accounting"])


def _each_once(table: str, rows: Rows) -> Rows:
    """As a table holds them: the last row of each key."""
    return list({tuple(row[name] for name in KEYS[table]): row for row in rows}.values())


def both_ways(evidence: Evidence) -> tuple[list[str], list[str]]:
    done = plain(evidence, CALIBRATION)
    rest = exact(evidence.only(~done.is_plain), NOW, CALIBRATION)
    added = zip((done.runs, done.jobs), rest, strict=True)
    return (
        [rows_digest(pa.concat_tables(each)) for each in added],
        [rows_digest(each) for each in exact(evidence, NOW, CALIBRATION)],
    )


@pytest.mark.parametrize("table", sorted(CHANGES))
@pytest.mark.parametrize(("nodes", "parts"), [("a", 1), ("a", 2), ("ab", 1)])
@pytest.mark.parametrize("at", [0, -1])
def test_each_change_of_a_plain_job_leaves_it_plain_or_to_be_made_alone(table, nodes, parts, at) -> None:
    found = []
    changes = [(name, value) for name in sorted(CHANGES[table]) for value in CHANGES[table][name]]
    for (column, value), beside in product(changes, BESIDE[:2]):
        for kind in ("change", "double", "change with its hours"):
            rows = plain_rows(7 + len(found), nodes, parts, beside)
            if kind == "double":
                rows[table].append({**rows[table][at], column: value})
            else:
                rows[table][at][column] = value
            if kind == "change with its hours" and table == "shards":
                rows["usage"] = [hour for each in rows["shards"] for hour in hours_of(each)]
            found.append(rows)
    fast, slow = both_ways(evidence_of(found, range(7, 7 + len(found))))
    assert fast == slow


@given(evidences(), st.data())
@settings(max_examples=20, deadline=None)
def test_of_some_of_the_jobs_it_is_what_their_rows_alone_would_be(evidence: Evidence, data) -> None:
    wanted = np.array(
        data.draw(st.lists(st.booleans(), min_size=(count := len(evidence.jobs)), max_size=count))
    )
    some = evidence.only(wanted)
    alone = Evidence.of(
        evidence.jobs.filter(pa.array(wanted)), evidence.shards, evidence.hours, evidence.records
    )
    for name in ("jobs", "shards", "hours", "records"):
        assert getattr(some, name).equals(getattr(alone, name))
    assert some.job_of_shard.tolist() == alone.job_of_shard.tolist()
    assert some.job_of_record.tolist() == alone.job_of_record.tolist()
    runs = some.shards.select(RUN_KEY).to_pylist()
    assert [runs[at] for at in some.shard_of_hour] == some.hours.select(RUN_KEY).to_pylist()


@given(evidences())
@settings(max_examples=30, deadline=None)
def test_all_at_once_or_one_by_one_the_rows_are_the_same(evidence: Evidence) -> None:
    fast, slow = both_ways(evidence)
    assert fast == slow


def test_two_nodes_of_which_one_began_long_after_the_other_ended_are_two_runs() -> None:
    early = {"started_at": EPOCH - 30 * MINUTE, "ended_at": EPOCH - 20 * MINUTE}
    shards = [shard(7, "a", nodes_expected=2, **early), shard(7, "b", nodes_expected=2)]
    hours = [hour for each in shards for hour in hours_of(each)]
    evidence = evidence_of([{"shards": shards, "usage": hours, "accounting": []}], range(7, 8))
    assert len(plain(evidence, {}).runs) == 0
    assert len(exact(evidence, NOW, {})[0]) == 2


def test_the_ratio_of_meters_is_that_of_integers_however_large() -> None:
    # Of these sums the ratio is another one when each is made a float first.
    found = plain_rows(7, "a", 1, {})
    big = {"energy_millijoules": 10_006_543_836_296, "power_energy_millijoules": 17_563_665_441_963}
    hour, *_ = found["usage"]
    found["usage"] += [{**hour, **big, "hour": EPOCH + n * HOUR} for n in range(513)]
    fast, slow = both_ways(evidence_of([found], range(7, 8)))
    assert fast == slow


@given(histories(max_runs=5), st.data())
@settings(max_examples=6, deadline=None)
def test_on_what_nodes_and_slurm_send_the_tables_hold_what_one_by_one_gives(
    tmp_path_factory, history, data
) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    shards = Simulation(history).shards()
    lost = data.draw(st.sampled_from([None, *shards]))
    for each in shards:
        if each != lost:
            put(paths, each)
    run_aggregate(paths, accounting=data.draw(st.sampled_from([None, accounting_of(history)])))
    transaction = Transaction(Tables(paths).snapshot(), now_microseconds=NOW)
    jobs = jobs_table({("lab", run.job_id) for run in history.runs})
    expected = exact(Evidence.read(transaction, jobs, Asked()), NOW, {})
    for table, rows in zip(("runs", "jobs"), expected, strict=True):
        assert rows_digest(transaction.read(table)) == rows_digest(rows)


def test_a_plain_job_is_made_all_at_once_with_accounting_and_without() -> None:
    parts = [shard(7, node, part, final=part == 1, nodes_expected=2) for node in "ab" for part in (0, 1)]
    shards, hours = (
        from_rows("shards", parts),
        from_rows("usage", [h for each in parts for h in hours_of(each)]),
    )
    for records, flags in (([], ["no_accounting"]), ([record(7, node_count=2, gpus=4)], [])):
        evidence = Evidence.of(jobs_table({("lab", 7)}), shards, hours, from_rows("accounting", records))
        done = plain(evidence, {})
        assert done.is_plain.all()
        (job,) = to_rows(done.jobs)
        assert (job["flags"], job["quality"], job["energy_millijoules"]) == (flags, "measured", 8_000_028)


@given(
    st.lists(
        st.tuples(*(st.sampled_from(CHANGES["accounting"][name]) for name in HAD_GPUS_COLUMNS)), min_size=1
    )
)
@settings(max_examples=50, deadline=None)
def test_who_had_gpus_is_the_same_of_many_rows_as_of_one(values) -> None:
    rows = [record(7, **dict(zip(HAD_GPUS_COLUMNS, each, strict=True))) for each in values]
    assert had_gpus(from_rows("accounting", rows)).tolist() == [summarise.had_gpus(row) for row in rows]


#: Of 5 %, and of 1.3 %, many of these come to whole millijoules.
ENERGIES = st.integers(0, 1 << 50) | st.integers(0, 1 << 40).map(lambda each: each * 20 + each % 3 - 1)
GAINS = st.sampled_from([0, 13_000, 50_000, 200_000])


@given(st.lists(st.tuples(ENERGIES, GAINS, st.sampled_from([0, 0, 1, 7]) | st.integers(0, 1 << 50))))
def test_gain_and_boundaries_are_rounded_up_as_integers_are(parts: list[tuple[int, int, int]]) -> None:
    columns = np.array(parts, np.int64).reshape(-1, 3).T
    exactly = [combined_millijoules(abs(energy) * gain, boundary) for energy, gain, boundary in parts]
    assert combined(*columns).tolist() == exactly
