"""Samples are kept for as many days as the site says. What is made of readings does not change by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_cluster.cli.main import main
from sam_cluster.core.config import Config
from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.aggregating import digests, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import CLUSTER, DAY, EPOCH, HOUR, History, PlannedRun

#: One run on each of the days 0 to 9, the fourth over midnight.
HISTORY = History(
    tuple(
        PlannedRun(100 + day, 0, day * DAY + 3 * HOUR, day * DAY + (28 if day == 3 else 5) * HOUR, ((0, 0),))
        for day in range(10)
    )
)
SHARDS = tuple(Simulation(HISTORY).shards())
NOW = EPOCH + 10 * DAY + HOUR


def fold(root: Path, shards: tuple, keep: int | None, now: int = NOW) -> StorePaths:
    root.mkdir(parents=True, exist_ok=True)
    paths = StorePaths(root)
    for shard in shards:
        put(paths, shard)
    run_aggregate(paths, now=now, config=Config(cluster_name=CLUSTER, keep_samples_days=keep))
    return paths


def first_day(paths: StorePaths) -> int:
    return min(row["at"] - EPOCH for row in rows(paths, "samples")) // DAY


def test_days_before_the_retention_are_dropped_and_no_other_table_changes(tmp_path: Path) -> None:
    whole = fold(tmp_path / "whole", SHARDS, None)
    short = fold(tmp_path / "short", SHARDS, 4)
    assert (first_day(whole), first_day(short)) == (0, 6)
    kept, every = digests(short), digests(whole)
    assert kept.pop("samples") != every.pop("samples")
    assert kept == every
    assert Tables(short).snapshot().samples_kept_from_microseconds == EPOCH + 6 * DAY
    assert Tables(whole).snapshot().samples_kept_from_microseconds is None


def test_time_passes_and_days_go_without_a_new_shard(tmp_path: Path) -> None:
    paths = fold(tmp_path, SHARDS, 8)
    assert first_day(paths) == 2
    fold(tmp_path, (), 8, now=NOW + 3 * DAY)
    assert first_day(paths) == 5
    number = Tables(paths).snapshot().number
    fold(tmp_path, (), 8, now=NOW + 3 * DAY)
    assert Tables(paths).snapshot().number == number


def test_what_is_gone_stays_gone_when_more_days_are_kept(tmp_path: Path) -> None:
    paths = fold(tmp_path, SHARDS[1:], 4)
    fold(tmp_path, SHARDS[:1], None)  # a shard that comes late, and is known by its energy
    assert first_day(paths) == 6
    assert len(rows(paths, "jobs")) == len(HISTORY.runs)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(SHARDS))), cut=st.integers(0, len(SHARDS)), keep=st.integers(1, 12))
def test_the_order_of_shards_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int, keep: int
) -> None:
    root = tmp_path_factory.mktemp("retention")
    mixed = tuple(SHARDS[at] for at in order)
    fold(root / "two", mixed[:cut], keep)
    two = fold(root / "two", mixed[cut:], keep)
    assert digests(two) == digests(fold(root / "one", SHARDS, keep))


def test_who_looks_a_job_up_is_told_that_its_samples_are_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fold(tmp_path, SHARDS, 4)
    told = {}
    for number in (101, 108):
        words = ["jobs", "-j", str(number), "--store", str(tmp_path), "--format", "json"]
        assert main(words, environ={}, now=from_utc_microseconds(NOW)) == 0
        told[number] = capsys.readouterr().err
    assert "samples before 2026-03-07 00:00 are no longer kept" in told[101]
    assert told[108] == ""


def test_a_page_says_from_when_on_samples_are_kept_and_stays_as_it_was_when_more_days_have_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = tmp_path / "store", tmp_path / "pages"
    fold(store, SHARDS, 4)
    group = rows(StorePaths(store), "jobs")[0]["account"]
    config = tmp_path / "config.toml"
    config.write_text(f'[paths]\nstore = "{store}"\n')
    report = ["report", "--config", str(config)]
    period = ["-S", "2026-03-01", "-E", "2026-03-11", "-o", str(out)]
    for page in (["--group", group], ["--cluster"]):
        assert main([*report, *page, *period], environ={}, now=from_utc_microseconds(NOW)) == 0
    pages = [page.read_text("utf-8") for page in out.glob("*.html")]
    assert ["those before 2026-03-07 00:00 are no longer kept" in page for page in pages] == [True, True]
    fold(store, (), 2, now=NOW)
    for manifest in out.glob("*.manifest.json"):
        capsys.readouterr()
        assert main([*report, "--verify", str(manifest)], environ={}, now=from_utc_microseconds(NOW)) == 0
        assert "intact" in capsys.readouterr().out
