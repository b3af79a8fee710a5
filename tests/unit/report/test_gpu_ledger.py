"""The ledger of each GPU closes, in whatever periods it is asked for, whatever came of what was sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.model import Cause, GapKind
from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.core.uncertainty import Uncertainty
from sam_cluster.report.gpu_ledger import Ledger, idle_uncertainty, ledgers_of, total_of
from sam_cluster.report.ledger import usage_of
from sam_cluster.store.commit import Transaction
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.aggregating import ONE_GPU, accounting_of, put_all, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import (
    CLUSTER,
    DAY,
    EPOCH,
    HOUR,
    MINUTE,
    History,
    PlannedRun,
    gpu_uuid,
    histories,
    node_name,
)
from tests.unit.cli.stores import make_store, run
from tests.unit.report.tables import at, gap_row

BEGIN, END = EPOCH - 250 * DAY, EPOCH + 280 * DAY  # clocks are set by as much as 100 days, twice
Key = tuple[str, str, str]


def ledgers(paths: StorePaths, begin: int = BEGIN, end: int = END, **where: str) -> dict[Key, Ledger]:
    tables = Tables(paths).snapshot()
    usage = usage_of(tables, instant(begin), instant(end))
    return ledgers_of(tables, usage, instant(begin), instant(end), **where)


def instant(microseconds: int) -> datetime:
    return from_utc_microseconds(microseconds)


@given(histories(max_runs=6, clock_steps=True), st.data())
@settings(max_examples=15, deadline=None)
def test_each_gpus_ledger_closes_in_every_period_and_periods_add_up(tmp_path_factory, history, data) -> None:
    """Counters that restart, clocks that step, shards that are lost or come twice, GPUs that are shared with
    weights: both sides are the same."""
    shards = Simulation(history).shards()
    # Of a clock that was set by days a shard tells. Where that one is lost, too, what was before it is not
    # found, and the ledger does not close, which it says.
    may_be_lost = 0 if any(abs(by) > DAY for _, _, by in history.clock_steps) else 2
    lost = data.draw(st.lists(st.sampled_from(shards), max_size=may_be_lost, unique_by=id))
    kept = [shard for shard in shards if not any(shard is each for each in lost)]
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    for shard in [*kept, *data.draw(st.lists(st.sampled_from(kept or shards), max_size=2))]:
        put(paths, shard)
    accounting = accounting_of(history)
    accounting.records = [
        replace(each, gpu_shards=data.draw(st.none() | st.integers(1, 4))) for each in accounting.records
    ]
    run_aggregate(paths, accounting=accounting)

    cuts = sorted(data.draw(st.lists(st.integers(0, 5 * 24), max_size=4)))
    edges = [BEGIN, *(EPOCH + cut * HOUR for cut in cuts), END]
    parts = [ledgers(paths, begin, end) for begin, end in pairwise(edges) if begin < end]
    for part in parts:
        assert all(ledger.closes for ledger in part.values()), part
        assert all(ledger.runs_millijoules >= 0 and ledger.idle_millijoules >= 0 for ledger in part.values())
    whole = ledgers(paths)
    for gpu, ledger in whole.items():
        mine = [part[gpu] for part in parts if gpu in part]
        assert sum(each.runs_millijoules for each in mine) == ledger.runs_millijoules
        assert sum(each.idle_millijoules for each in mine) == ledger.idle_millijoules
        assert sum(each.counter_millijoules for each in mine) == ledger.counter_millijoules
        assert (
            sum((each.unattributed for each in mine), start=type(ledger.unattributed)())
            == +ledger.unattributed
        )
    if not lost:
        simulation = Simulation(history)
        simulation.shards()
        for node, gpu in {gpu for run in history.runs for gpu in run.gpus}:
            ledger = whole[CLUSTER, node_name(node), gpu_uuid(node, gpu)]
            assert ledger.counter_millijoules == sum(simulation.total(node, gpu).values())
            assert not ledger.unattributed_millijoules


GAP = History(
    (PlannedRun(100, 0, HOUR, 2 * HOUR, ONE_GPU), PlannedRun(101, 0, 30 * HOUR, 31 * HOUR, ONE_GPU)), seed=5
)
GPU = (CLUSTER, node_name(0), gpu_uuid(0, 0))


@pytest.fixture
def paths(tmp_path) -> StorePaths:
    found = StorePaths(tmp_path / "store")
    put_all(found, GAP)
    run_aggregate(found)
    return found


def test_a_gap_over_the_border_of_a_period_is_apportioned_by_time_and_said_to_be(paths) -> None:
    (gap,) = rows(paths, "gaps")
    ledger = ledgers(paths, EPOCH + 9 * HOUR, EPOCH + 16 * HOUR)[GPU]
    assert (gap["kind"], ledger.cut) == (GapKind.IDLE, 1)
    assert abs(ledger.idle_millijoules - gap["energy_millijoules"] / 4) <= 1
    assert ledger.idle_millijoules == ledger.counter_millijoules
    assert ledgers(paths)[GPU].cut == 0


@pytest.mark.parametrize("step", [37, -17, 90, -90])
def test_a_clock_that_steps_under_a_run_over_the_border_changes_neither_side(tmp_path, step: int) -> None:
    run_over_it = PlannedRun(100, 0, HOUR // 2, 5 * HOUR + HOUR // 3, ONE_GPU, unread=True)
    history = History((run_over_it, GAP.runs[1]), clock_steps=((0, 2 * HOUR, step * MINUTE),), seed=4)
    paths = StorePaths(tmp_path / "store")
    put_all(paths, history)
    run_aggregate(paths)
    parts = [ledgers(paths, EPOCH + hour * HOUR, EPOCH + (hour + 1) * HOUR) for hour in range(-2, 40)]
    assert sum(part[GPU].runs_millijoules > 0 for part in parts if GPU in part) >= 2
    assert all(ledger.closes for part in parts for ledger in part.values())


def test_what_a_run_has_over_a_border_is_cut_by_boundaries_that_lie_outside_of_the_period(tmp_path) -> None:
    long = PlannedRun(102, 0, 7 * HOUR, 34 * HOUR, ONE_GPU, unread=True)
    history = History((long, PlannedRun(101, 0, 19 * HOUR, 20 * HOUR, ONE_GPU)), seed=47)
    paths = StorePaths(tmp_path / "store")
    put_all(paths, history)
    run_aggregate(paths)
    whole = ledgers(paths)[GPU]
    for border in range(8, 34):
        edges = (BEGIN, EPOCH + border * HOUR, END)
        parts = [ledgers(paths, begin, end)[GPU] for begin, end in pairwise(edges)]
        assert all(part.closes for part in parts)
        assert sum(part.counter_millijoules for part in parts) == whole.counter_millijoules


def test_what_a_run_has_twice_in_the_tables_does_not_close(paths) -> None:
    """The two sides are counted from different tables: an hour too many in one is seen."""
    transaction = Transaction(Tables(paths).snapshot(), now_microseconds=END)
    used = transaction.read("usage")
    more = used.slice(0, 1).set_column(
        used.schema.get_field_index("run_id"), used.schema.field("run_id"), pa.array(["999.0"])
    )
    transaction.exchange("usage", removed=used.slice(0, 0), added=more)
    transaction.commit()
    assert not ledgers(paths)[GPU].closes


def test_a_lost_shard_is_unattributed_by_its_cause_and_the_ledger_closes(tmp_path) -> None:
    paths = StorePaths(tmp_path / "store")
    history = History((*GAP.runs, PlannedRun(102, 0, 5 * HOUR, 6 * HOUR, ONE_GPU)))
    for shard in Simulation(history).shards():
        if shard.key.job_id != 102:
            put(paths, shard)
    run_aggregate(paths)
    ledger = ledgers(paths)[GPU]
    assert ledger.closes
    assert not ledger.is_whole
    assert set(ledger.unattributed) == {Cause.SHARD_MISSING}


def test_a_total_is_the_sum_of_its_parts_from_the_first_reading_to_the_last() -> None:
    one = Ledger(runs_millijoules=3, idle_millijoules=2, counter_millijoules=5, first_at=10, last_at=20)
    two = Ledger(runs_millijoules=1, counter_millijoules=1, first_at=5, last_at=7)
    total = total_of([one, two])
    assert (total.runs_millijoules, total.counter_millijoules, total.closes) == (4, 6, True)
    assert (total.first_at, total.last_at) == (5, 20)


def test_the_command_has_a_row_a_gpu_and_one_of_all_and_says_when_something_is_missing(paths, capsys) -> None:
    words = ("ledger", "--store", str(paths.root), "--period", "2026-03", "--format", "json")
    assert run(*words) == 0
    one, total = json.loads(capsys.readouterr().out)
    assert (one["node"], one["gpu_uuid"], one["closes"]) == (node_name(0), gpu_uuid(0, 0), True)
    assert one["runs_millijoules"] + one["idle_millijoules"] == one["counter_millijoules"] > 0
    assert (total["node"], total["counter_millijoules"]) == ("total", one["counter_millijoules"])
    assert run(*words, "--node", "elsewhere") == 0
    out, err = capsys.readouterr()
    assert [row["node"] for row in json.loads(out)] == ["total"]
    assert "there is no such GPU (2026-03)" in err


@pytest.mark.parametrize(("known_watts", "shown"), [((), "unknown"), ((60.0,), "≥ 0.0600")])
def test_gaps_of_unknown_energy_are_no_zero_in_the_table_and_are_said(
    tmp_path, capsys, known_watts, shown
) -> None:
    reset = {"kind": GapKind.UNATTRIBUTED, "cause": Cause.COUNTER_RESET}
    lost = gap_row("GPU-1", at("2026-03-02 04:00"), 60, 0.0, **reset) | {"energy_millijoules": None}
    gaps = [gap_row("GPU-1", at("2026-03-03 04:00"), 60, watts, **reset) for watts in known_watts]
    store = make_store(tmp_path / "store", {"gaps": [lost, *gaps]})
    assert run("ledger", "--store", str(store), "--period", "2026-03") == 3
    out, err = capsys.readouterr()
    assert out.count(f"  {shown}  ") == 4  # of the GPU and of all, and each under its cause
    assert "counter reset kWh" in out and "not metered" not in out
    assert "gaps of unknown energy: 1. A GPU's energy counter restarted" in err


def test_every_cause_that_occurs_has_a_column_and_no_other(tmp_path, capsys) -> None:
    gone = {"kind": GapKind.UNATTRIBUTED, "energy_millijoules": None}
    gaps = [
        gap_row("GPU-1", at("2026-03-02 04:00"), 60, 0.0) | gone | {"cause": Cause.NOT_METERED},
        gap_row("GPU-1", at("2026-03-03 04:00"), 60, 60.0)
        | {"kind": GapKind.UNATTRIBUTED, "cause": Cause.SHARD_MISSING},
    ]
    store = make_store(tmp_path / "store", {"gaps": gaps})
    run("ledger", "--store", str(store), "--period", "2026-03")
    heading, _, one, total = capsys.readouterr().out.splitlines()
    columns = [heading.index(name) + len(name) for name in ("shard missing kWh", "not metered kWh")]
    for line in (one, total):
        assert [line[:end].split()[-1] for end in columns] == ["0.0600", "unknown"]
    assert "counter reset" not in heading


def test_the_page_of_the_cluster_and_the_command_have_one_ledger(tmp_path, capsys) -> None:
    """Over a reset that was bridged and a shard that is lost; bridged energy stands apart on both."""
    runs = (*GAP.runs, PlannedRun(102, 0, 5 * HOUR, 6 * HOUR, ONE_GPU))
    history = History(runs, resets=((0, 0, HOUR + 6 * MINUTE),), seed=5)
    paths = StorePaths(tmp_path / "store")
    for shard in Simulation(history).shards():
        if shard.key.job_id != 102:
            put(paths, shard)
    run_aggregate(paths)
    common = ("--store", str(paths.root), "--period", "2026-03")
    run("ledger", *common, "--format", "json")
    *_, total = json.loads(capsys.readouterr().out)
    run("report", "--cluster", *common, "-o", str(tmp_path / "pages"))
    document = json.loads((tmp_path / "pages" / "cluster-2026-03.json").read_text("utf-8"))
    page = document["balance"]
    same = ("runs_millijoules", "idle_millijoules", "counter_millijoules", "bridged_millijoules", "closes")
    assert {name: page[name] for name in same} == {name: total[name] for name in same}
    assert page["closes"] and page["bridged_millijoules"] > 0
    assert page["unattributed_millijoules"] == {"shard_missing": total["unattributed_millijoules"]}
    assert sum(page["unattributed_millijoules"].values()) > 0
    assert (
        page["runs_millijoules"] + page["idle_millijoules"] + total["unattributed_millijoules"]
        == (page["counter_millijoules"])
    )
    energy = document["totals"]["energy_millijoules"]
    assert page["runs_millijoules"] + page["bridged_millijoules"] == energy


def test_idle_energy_is_as_sure_as_its_models_and_the_boundaries_beside_it() -> None:
    ledgers = [Ledger(gpu_model=model, idle_millijoules=4_000) for model in ("A100", "H100", None, None)]
    expected = Uncertainty.of({"A100": 4_000, "H100": 4_000, None: 8_000}, 70, {"H100": 0.01})
    assert idle_uncertainty(ledgers, 70, {"H100": 0.01}) == expected


def test_the_command_ends_with_3_where_energy_is_unattributed(tmp_path, capsys) -> None:
    paths = StorePaths(tmp_path / "store")
    history = History((*GAP.runs, PlannedRun(102, 0, 5 * HOUR, 6 * HOUR, ONE_GPU)), seed=5)
    for shard in Simulation(history).shards():
        if shard.key.job_id != 102:
            put(paths, shard)
    run_aggregate(paths)
    assert run("ledger", "--store", str(paths.root), "--period", "2026-03") == 3
    assert "total" in capsys.readouterr().out
