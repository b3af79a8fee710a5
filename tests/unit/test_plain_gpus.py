"""What is divided in columns and what is divided one GPU at a time: the same rows, wherever both may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.accounting import Asked
from sam_cluster.aggregate.exact import divide_exactly
from sam_cluster.aggregate.plain.gpus import divide_plainly
from sam_cluster.aggregate.shard_rows import reading_rows
from sam_cluster.aggregate.units import Pairs, Units
from sam_cluster.core.model import Flag, Kind
from sam_cluster.store.commit import Transaction, prepare
from sam_cluster.store.numbers import Mask
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import day_of, from_rows, in_order, once
from sam_cluster.store.tables import Tables
from tests.digests import rows_digest
from tests.simulated import Simulation
from tests.strategies import EPOCH, HOUR, MINUTE, History, PlannedRun, histories

Rows = list[dict[str, Any]]
#: What a reading may leave out.
SECOND = 1_000_000
FIRST_DAY = day_of(EPOCH)
ENERGIES = ("energy_millijoules", "since_energy_millijoules", "previous_energy_millijoules")
OPENINGS = (Kind.START, Kind.IDLE)
UNKNOWABLE = ("since_power_millijoules", "since_idle_millijoules", "gpu_model", "mig_slices", "previous_at")
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
    """Which units are plain; for these both ways were seen to give the same, from all readings of a GPU."""
    table = from_rows("readings", rows)
    units = units_of(rows, days)
    pairs = units.with_gpu_of(table)
    usage, gaps, is_plain = divide_plainly(units, table, pairs)
    among = is_plain[pairs.unit]
    chosen = Pairs(pairs.row[among], pairs.unit[among])
    exact_usage, exact_gaps = divide_exactly(transaction, units, table, chosen, Asked())
    assert in_order("usage", usage).to_pylist() == in_order("usage", exact_usage).to_pylist()
    assert once("gaps", gaps).num_rows == once("gaps", exact_gaps).num_rows
    assert rows_digest(gaps) == rows_digest(exact_gaps)
    return is_plain


def with_odd_ones(rows: Rows, random: Random, copies: int = 50) -> Rows:
    """The GPUs many times, most with something odd: readings that are lost, twice there, or say something
    else, as far as a shard may say it."""
    found = []
    for uuid, number in product(sorted({row["gpu_uuid"] for row in rows}), range(copies)):
        mine = [{**row, "gpu_uuid": f"{uuid}-{number}"} for row in rows if row["gpu_uuid"] == uuid]
        if random.random() < 0.3:
            mine = [row for row in mine[random.choice([0, 0, 1, 2, 3]) :] if random.random() < 0.85]
        if len(mine) > 2 and random.random() < 0.1:
            mine = set_back(mine, random)
        for _ in range(random.choice([0, 1, 1, 2, 4]) if mine else 0):
            place = random.randrange(len(mine))
            odd = {**mine[place], **change(mine[place], random.choice(mine), random)}
            if is_sound(odd):
                mine[place] = odd
        if mine and random.random() < 0.4:
            mine.append(once_more(mine, random))
        found += mine
    return found or rows


def set_back(mine: Rows, random: Random) -> Rows:
    """The wall clock is set back while a boundary is lost."""
    lost = random.randrange(1, len(mine) - 1)
    later = [
        {**row, **{name: row[name] - 3 * HOUR for name in ("at", "since_at", "previous_at") if row[name]}}
        for row in mine[lost + 1 :]
    ]
    return mine[:lost] + later


def once_more(mine: Rows, random: Random) -> dict[str, Any]:
    """A reading that comes twice, or a start where there is another reading, or shortly after."""
    one, other = random.choice(mine), random.choice(mine)
    if random.random() < 0.2:
        return {**one, "part": 7}
    later = random.choice([0, 0, MINUTE])
    return {
        **random.choice([row for row in mine if row["kind"] in OPENINGS] or mine),
        **random.choice([{}, {"kind": Kind.IDLE, "run_id": "0.0"}]),
        "at": other["at"] + later,
        "uptime_microseconds": other["uptime_microseconds"] + later,
        "energy_millijoules": (other["energy_millijoules"] or 0) + random.choice([0, 0, 0, 10**9]),
        "uncertainty_millijoules": random.choice([3, 11]),
        "flags": [Flag.LATE_START],
        "part": 7,
    }


def change(row: Mapping[str, Any], other: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """What a reading says instead; of another it may name the instant or the boundary before it."""
    prefix = random.choice(["", "since_", "previous_"])
    energy, uptime, at = f"{prefix}energy_millijoules", f"{prefix}uptime_microseconds", f"{prefix}at"

    def moved(name: str, by: int) -> dict[str, Any]:
        return {} if row[name] is None else {name: row[name] + by}

    shift = random.choice([-HOUR, -2 * SECOND, -1, 1, 500_000, 2 * SECOND, HOUR])
    is_opening = row["since_uptime_microseconds"] is None
    return random.choice([
        lambda: moved(energy, random.choice([-20_000_000, -1, 1, 10**9])),
        lambda: {energy: None},
        lambda: moved(uptime, shift),
        lambda: moved(at, shift),
        lambda: {**moved(at, shift), **moved(uptime, shift)},
        lambda: {"flags": sorted(random.sample(list(Flag), 2))},
        lambda: {"flags": [random.choice([Flag.POWER_ONLY, Flag.METERS_DISAGREE])]},
        lambda: {random.choice(UNKNOWABLE): None},
        lambda: {"kind": random.choice([Kind.IDLE, Kind.START] if is_opening else [Kind.HOUR, Kind.END])},
        lambda: {f"since_{name}": 9 for name in ("idle_microseconds", "idle_millijoules") if not is_opening},
        lambda: {"gpu_model": random.choice("AZ"), "uncertainty_millijoules": 11},
        lambda: {"bridged_millijoules": 7, "gap_microseconds": 3},
        lambda: {f"since_{each}": row[each] for each in ("at", "uptime_microseconds", "energy_millijoules")},
        lambda: {
            "previous_segment": random.choice([row["segment"], other["segment"], "another"]),
            "previous_at": other["at"],
            "previous_uptime_microseconds": other["uptime_microseconds"],
            "previous_energy_millijoules": other["energy_millijoules"],
        },
        lambda: {name: other[name] for name in ("kind", "at", "uptime_microseconds", "energy_millijoules")},
        lambda: {name: other[name] for name in ("run_id", "raw_job_id", "started_at")},
    ])()  # fmt: skip


def is_sound(row: Mapping[str, Any]) -> bool:
    """Whether a shard may say so."""
    numbers = [row[name] for name in (*ENERGIES, *INSTANTS) if row[name] is not None]
    since, before = row["since_uptime_microseconds"], row["since_energy_millijoules"]
    energy = row["energy_millijoules"]
    return (
        min(numbers) >= 0
        and (since is None or (since <= row["uptime_microseconds"] and row["kind"] != Kind.START))
        and (energy is None or before is None or before <= energy)
    )


def test_a_gpu_that_a_shard_names_without_a_letter_has_no_name(transaction: Transaction) -> None:
    rows = readings_of(History((PlannedRun(101, 0, 0, 2 * HOUR, ((0, 0),)),)))
    assert plain(transaction, [{**row, "gpu_model": ""} for row in rows], range(1)).all()


@given(
    histories(max_runs=7, clock_steps=True), st.sets(st.integers(0, 3), min_size=1), st.integers(0, 1_000_000)
)
@settings(max_examples=12, deadline=None)
def test_in_columns_and_one_by_one_every_gpu_has_the_same_hours_and_gaps(
    transaction: Transaction, history: History, days: set[int], seed: int
) -> None:
    plain(transaction, with_odd_ones(readings_of(history), Random(seed)), days)


@given(st.data(), st.sets(st.integers(0, 4), min_size=1), st.integers(0, 1_000_000))
@settings(max_examples=25, deadline=None)
def test_so_have_gpus_that_one_run_after_another_held(
    transaction: Transaction, data: st.DataObject, days: set[int], seed: int
) -> None:
    at, runs, lengths = 0, [], [3 * MINUTE, HOUR - MINUTE, HOUR, 2 * HOUR, 25 * HOUR]
    for number in range(data.draw(st.integers(1, 5))):
        start = at + data.draw(st.sampled_from([0, 0, 1, 7 * MINUTE, 9 * HOUR]))
        at = start + data.draw(st.sampled_from(lengths))
        gpus = ((0, 0), (0, 1)) if number % 2 else ((0, 0),)
        runs.append(PlannedRun(100 + number, 0, start, at, gpus))
    rows = readings_of(History(tuple(runs), seed=data.draw(st.integers(0, 99))))
    assert plain(transaction, rows, days).all()
    plain(transaction, with_odd_ones(rows, Random(seed)), days)
