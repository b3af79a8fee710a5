"""Whatever lies in the inbox, and whoever owns it: what is good is folded, and nothing is lost."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from tempfile import gettempdir

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.arrivals import SECONDS_PER_DAY, look
from sam_cluster.aggregate.fold import read_batch
from sam_cluster.aggregate.inbox import LARGEST_SHARD_BYTES, InboxFile
from sam_cluster.core.model import Boundary, RunKey, Shard
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from tests.aggregating import HISTORY, in_inbox, in_quarantine, only, put_all, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import HOUR, History, PlannedRun
from tests.unit.submissions.bench import SERVICE, acting_as, as_root

OTHER = History((PlannedRun(900, 0, 50 * HOUR, 51 * HOUR, ((1, 1),)),))

NUMBERS = [
    (kind, field.name)
    for kind in (Shard, RunKey, Boundary)
    for field in fields(kind)
    if field.name.endswith(("_microseconds", "_millijoules"))
    or field.name in ("part", "restart", "job_id", "uid", "nodes_expected", "het_job_id")
]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_lots_are_whole_days_but_of_a_day_that_is_more_than_one(
    tmp_path_factory, shards: list[tuple[int, int]], at_once: int
) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    paths.inbox.mkdir()
    for number, (day, node) in enumerate(shards):
        file = paths.inbox / f"n{node}" / f"{number}.0-{day * SECONDS_PER_DAY + 7}.0.parquet"
        file.parent.mkdir(exist_ok=True)
        file.touch()
    arrivals, rejected, unread = look(paths)
    assert not rejected
    assert not unread
    found = list(arrivals.lots(at_once))
    # Each once, and none before one of a day before; of one day by node.
    listed = [file for lot in found for file in lot]
    assert listed == sorted(listed, key=lambda file: (day_of(file), file.node, file.name))
    assert {file.path for file in listed} == set(paths.inbox.glob("*/*"))
    assert len(listed) == len(arrivals) == len(shards)
    assert max(map(len, found)) <= at_once and (len(found) == 1 or all(found))
    days = [day for day, _ in shards]
    for day in set(days):
        holding = [lot for lot in found if day in map(day_of, lot)]
        assert len(holding) == 1 or days.count(day) > at_once
    # No two that follow on one another would be one.
    for one, other in pairwise(found):
        assert len(one) + days.count(day_of(other[0])) > at_once


def day_of(file: InboxFile) -> int:
    """The day on which its run began, by its name."""
    return int(file.name.split("-")[1].split(".")[0]) // SECONDS_PER_DAY


def test_a_name_with_a_start_that_no_clock_shows_costs_nothing_but_itself(paths) -> None:
    put_all(paths)
    (paths.inbox / "gpu00" / f"77.0-{10**30}.0.parquet").write_bytes(b"no shard")
    assert run_aggregate(paths).quarantined == 1
    assert len(rows(paths, "jobs")) == 2


@st.composite
def shards_with_a_number_of_any_size(draw: st.DrawFn) -> Shard:
    shard = Simulation(HISTORY).shards()[0]
    kind, name = draw(st.sampled_from(NUMBERS))
    change = {name: draw(st.sampled_from([-(2**62), -1, 0, 2**31, 2**40, 2**53, 2**62, 2**63 - 1]))}
    if kind is Shard:
        return replace(shard, **change)
    if kind is RunKey:
        return replace(shard, key=replace(shard.key, **change))
    at = draw(st.sampled_from([0, 1, -1]))
    rows = list(shard.boundaries)
    rows[at] = replace(rows[at], **change)
    return replace(shard, boundaries=tuple(rows))


@given(shards_with_a_number_of_any_size())
@settings(max_examples=25, deadline=None)
def test_a_shard_with_a_number_of_any_size_costs_nothing_but_itself(tmp_path_factory, shard) -> None:
    paths = StorePaths(tmp_path_factory.mktemp("store"))
    put(paths, shard)
    put_all(paths, OTHER)
    run_aggregate(paths)
    assert only(rows(paths, "jobs", raw_job_ids=[900]))["quality"] == "measured"
    assert len(in_quarantine(paths)) + len(rows(paths, "shards")) == 2
    assert in_inbox(paths) == []


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "store")


def test_a_file_larger_than_any_shard_is_moved_aside_unread(paths) -> None:
    put_all(paths)
    huge = paths.inbox / "gpu00" / "77.0-1.0.parquet"
    with huge.open("wb") as file:
        file.truncate(LARGEST_SHARD_BYTES + 1)
    assert run_aggregate(paths).quarantined == 1
    assert "no shard is so large" in in_quarantine(paths)["gpu00.77.0-1.0.parquet"]
    assert len(rows(paths, "jobs")) == 2


def test_what_was_opened_is_closed_whatever_it_is(paths) -> None:
    put_all(paths)
    directory = paths.inbox / "gpu00"
    (directory / "70.0-1.0.parquet").symlink_to("/etc/hostname")
    os.mkfifo(directory / "71.0-1.0.parquet")
    (directory / "72.0-1.0.parquet").mkdir()
    (directory / "73.0-1.0.parquet").write_bytes(b"torn")
    with (directory / "74.0-1.0.parquet").open("wb") as file:
        file.truncate(LARGEST_SHARD_BYTES + 1)
    names = sorted(os.listdir(directory))
    files = [InboxFile("gpu00", name, str(directory)) for name in [*names, "75.0-1.0.parquet"]]
    opened = len(os.listdir("/proc/self/fd"))
    batch = read_batch(files)
    assert len(os.listdir("/proc/self/fd")) == opened
    assert [path.name for path in batch.missing] == ["75.0-1.0.parquet"]
    assert len(batch.unread) == 3
    assert len(batch.rejected) == 2
    assert len(batch.files) == len(names) - 5 > 0


@pytest.fixture
def foreign(tmp_path: Path) -> StorePaths:
    """A store of the service user's, with shards of two nodes in its inbox."""
    above = tmp_path.relative_to(gettempdir()).parents
    for directory in (tmp_path, *(Path(gettempdir(), each) for each in above if each.name)):
        directory.chmod(0o755)
    paths = StorePaths(tmp_path / "store")
    prepare(paths)
    put_all(paths)
    put_all(paths, OTHER)
    for path in (paths.root, *paths.root.rglob("*")):
        os.chown(path, SERVICE, SERVICE)
    return paths


@as_root
def test_a_nodes_directory_that_cannot_be_read_keeps_no_other_node_waiting(foreign) -> None:
    os.chown(foreign.inbox / "gpu00", 0, 0)
    (foreign.inbox / "gpu00").chmod(0o700)
    with acting_as(SERVICE):
        outcome = run_aggregate(foreign)
    assert [row["raw_job_id"] for row in rows(foreign, "jobs")] == [900]
    assert [f"{foreign.inbox / 'gpu00'}: Permission denied" in each for each in outcome.problems] == [True]


@as_root
def test_what_cannot_be_removed_from_the_inbox_is_told_once_and_keeps_nothing_else_there(foreign) -> None:
    os.chown(foreign.inbox / "gpu00", 0, 0)
    with acting_as(SERVICE):
        first, second = run_aggregate(foreign), run_aggregate(foreign)
    assert (first.shards, second.shards, second.duplicates) == (4, 0, 3)
    assert ["give it to the service user" in each for each in second.problems] == [True]
    assert {path.parent.name for path in foreign.inbox.rglob("*.parquet")} == {"gpu00"}
    assert [row["raw_job_id"] for row in rows(foreign, "jobs")] == [101, 102, 900]


@as_root
def test_what_cannot_be_moved_to_quarantine_stays_and_leaves_no_trace_at_each_attempt(foreign) -> None:
    (foreign.inbox / "gpu00" / "made-by-root").mkdir()
    with acting_as(SERVICE):
        outcomes = [run_aggregate(foreign) for _ in range(2)]
    assert [outcome.quarantined for outcome in outcomes] == [0, 0]
    assert ["cannot be moved" in each for outcome in outcomes for each in outcome.problems] == [True, True]
    assert list(foreign.quarantine.iterdir()) == []
    assert [row["raw_job_id"] for row in rows(foreign, "jobs")] == [101, 102, 900]


class Died(Exception):
    """What stands for a death at a step."""


def test_what_the_tables_give_up_is_in_quarantine_whenever_the_aggregate_dies(paths) -> None:
    whole = Simulation(HISTORY).shards()[-1]
    cut = replace(whole, boundaries=whole.boundaries[:1])
    put(paths, cut)
    run_aggregate(paths)
    put(paths, whole)

    def die(step: str) -> None:
        if step == "committed":
            raise Died

    with pytest.raises(Died):
        run_aggregate(paths, step=die)
    run_aggregate(paths)
    (reason,) = in_quarantine(paths).values()
    assert "another one says more of the same run" in reason
    assert only(rows(paths, "runs"))["flags"] == ["conflict"]
