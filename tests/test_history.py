"""The benchmark of years: what is written straight into tables is what the fold makes of the same day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.benchmarks.day import DATE, FOLDED, Day, Load
from tests.benchmarks.years import History


def test_a_day_that_is_moved_is_the_one_that_is_folded(tmp_path: Path) -> None:
    day = Day.make(tmp_path / "day", Load(shards=60, samples=12, gpus=1))
    paths = StorePaths(tmp_path / "history")
    paths.root.mkdir()
    prepare(paths)
    History(day).write(paths, range(1, 9))
    written = Tables(paths).snapshot()
    folded = Tables(StorePaths(tmp_path / "day" / "store")).snapshot()
    before = DATE - timedelta(days=1)
    for table in set(FOLDED) - {"shares"}:
        moved, real = (each.read_day(table, before) for each in (written, folded))
        # The same shard of another day has another digest, which this fold does not know.
        columns = [name for name in moved.column_names if name != "shard_digest"]
        assert len(moved) > 0
        assert moved.select(columns).equals(real.select(columns)), table
    assert len(written.read("jobs")) == 8 * day.work.jobs
    assert len(set(written.read("jobs")["raw_job_id"].to_pylist())) == 8 * day.work.jobs
    assert len(written.read("results")) == 8 * 3
