"""What is divided in columns and what is divided one GPU at a time: the same rows, wherever both may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.accounting import Asked
from sam_cluster.aggregate.exact import divide_exactly
from sam_cluster.aggregate.plain_gpus import divide_plainly
from sam_cluster.aggregate.shard_rows import reading_rows
from sam_cluster.aggregate.units import Pairs, Units
from sam_cluster.core.model import Flag, Kind
from sam_cluster.store.commit import Transaction, prepare
from sam_cluster.store.numbers import Mask
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import day_of, from_rows, rows_digest
from sam_cluster.store.tables import Tables
from tests.simulated import Simulation
from tests.strategies import EPOCH, HOUR, MINUTE, History, PlannedRun, histories

Rows = list[dict[str, Any]]
SECOND = 1_000_000
FIRST_DAY = day_of(EPOCH)
ENERGIES = ("energy_millijoules", "since_energy_millijoules", "previous_energy_millijoules")
INSTANTS = ("at", "uptime_microseconds", "since_at", "since_uptime_microseconds", "previous_at",
            "previous_uptime_microseconds")  # fmt: skip


@pytest.fixture(scope="module")
def transaction(tmp_path_factory: pytest.TempPathFactory) -> Transaction:
    """Of a store in which nothing is."""
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    prepare(paths)
    return Transaction(Tables(paths).snapshot(), now_microseconds=EPOCH)


def readings_of(history: History) -> Rows:
    return [row for shard in Simulation(history).shards() for row in reading_rows(shard, "digest")]


def units_of(rows: Rows, days: Iterable[int]) -> Units:
    gpus = {(row["cluster"], row["node"], row["gpu_uuid"]) for row in rows}
    return Units.of({gpu: {FIRST_DAY + timedelta(days=day) for day in days} for gpu in gpus})


def plain(transaction: Transaction, rows: Rows, days: Iterable[int]) -> Mask:
    """Which units are plain; for these both ways were seen to give the same."""
    table = from_rows("readings", rows)
    units = units_of(rows, days)
    pairs = units.touched_by("readings", table)
    usage, gaps, is_plain = divide_plainly(units, table, pairs)
    among = is_plain[pairs.unit]
    chosen = Pairs(pairs.row[among], pairs.unit[among])
    exact_usage, exact_gaps = divide_exactly(transaction, units, table, chosen, Asked())
    assert rows_digest(usage) == rows_digest(exact_usage)
    assert rows_digest(gaps) == rows_digest(exact_gaps)
    return is_plain


@st.composite
def changed(draw: st.DrawFn, rows: Rows) -> Rows:
    """The readings with some that are lost, twice there, or say something else."""
    kept = [row for row in rows if draw(st.integers(0, 9))] or rows[:1]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(kept) - 1))
        kept[place] = {**kept[place], **draw(change(kept[place], kept))}
    return kept + [{**kept[0], "part": 7}] * draw(st.sampled_from([0, 0, 0, 1]))


@st.composite
def change(draw: st.DrawFn, row: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    kind = draw(st.integers(0, 6))
    if kind == 0:
        flags = draw(st.lists(st.sampled_from(sorted(Flag)), max_size=2, unique=True))
        return {"flags": sorted(flags)}
    if kind == 1:
        name = draw(st.sampled_from(ENERGIES))
        by = draw(st.sampled_from([-20_000_000, -1, 1, 10**9]))
        return {name: None if row[name] is None else max(row[name] + by, 0)}
    if kind == 2:
        name = draw(st.sampled_from(INSTANTS))
        by = draw(st.sampled_from([-HOUR, -SECOND, -1, 1, 500_000, 2 * SECOND, HOUR]))
        return {name: None if row[name] is None else max(row[name] + by, 0)}
    if kind == 3:
        names = ["since_power_millijoules", "since_power_uncertainty_millijoules", "gpu_model", "mig_slices"]
        name = draw(st.sampled_from([*names, "previous_energy_millijoules", "previous_at"]))
        return {name: None}
    if kind == 4:
        opening = row["since_uptime_microseconds"] is None
        return {"kind": draw(st.sampled_from([Kind.IDLE, Kind.START] if opening else list(Kind)[1:4]))}
    if kind == 5:
        other = draw(st.sampled_from(rows))
        names = ("previous_segment", "previous_uptime_microseconds", "previous_energy_millijoules")
        told = (other["segment"], other["uptime_microseconds"], other["energy_millijoules"])
        return {**dict(zip(names, told, strict=True)), "previous_at": other["at"]}
    return {"gpu_model": draw(st.sampled_from(["A", "Z"])), "uncertainty_millijoules": 11}


@given(histories(max_runs=7, clock_steps=True), st.data())
@settings(max_examples=60, deadline=None)
def test_in_columns_and_one_by_one_every_gpu_has_the_same_hours_and_gaps(
    transaction: Transaction, history: History, data: st.DataObject
) -> None:
    rows = data.draw(changed(readings_of(history)))
    days = data.draw(st.sets(st.integers(0, 3), min_size=1))
    plain(transaction, rows, days)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_so_have_gpus_that_one_run_after_another_held(transaction: Transaction, data: st.DataObject) -> None:
    at, runs = 0, []
    for number in range(data.draw(st.integers(1, 5))):
        start = at + data.draw(st.sampled_from([0, 1, 7 * MINUTE, HOUR - at % HOUR, 9 * HOUR]))
        at = start + data.draw(st.sampled_from([3 * MINUTE, HOUR, HOUR - start % HOUR or HOUR, 20 * HOUR]))
        gpus = ((0, 0), (0, 1)) if number % 2 else ((0, 0),)
        runs.append(PlannedRun(100 + number, 0, start, at, gpus))
    rows = readings_of(History(tuple(runs), seed=data.draw(st.integers(0, 99))))
    days = data.draw(st.sets(st.integers(0, 4), min_size=1))
    assert plain(transaction, rows, days).all()
    plain(transaction, data.draw(changed(rows)), days)
