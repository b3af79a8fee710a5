"""The generator of shards: as many as asked for, the same each time, and such that they can be folded."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from sam_cluster.core.model import GapKind
from sam_cluster.store.paths import StorePaths
from tests.aggregating import rows, run_aggregate

GENERATOR = Path(__file__).parent / "benchmarks" / "generate.py"


def generated(store: Path, seed: int = 3) -> dict[str, str]:
    """The files of the inbox, with the digests of their bytes."""
    flags = ["--shards", "60", "--samples", "20", "--gpus", "2", "--seed", str(seed), "--store", str(store)]
    subprocess.run([sys.executable, str(GENERATOR), *flags], check=True)
    inbox = StorePaths(store).inbox
    return {
        path.relative_to(inbox).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in inbox.rglob("*.parquet")
    }


def test_the_same_numbers_give_the_same_shards_and_another_seed_others(tmp_path: Path) -> None:
    first = generated(tmp_path / "first")
    assert len(first) == 60
    assert generated(tmp_path / "again") == first
    assert generated(tmp_path / "other", seed=4) != first


def test_generated_shards_are_folded_whole_and_the_counters_of_their_gpus_are_accounted_for(
    tmp_path: Path,
) -> None:
    generated(tmp_path)
    paths = StorePaths(tmp_path)
    outcome = run_aggregate(paths)
    assert (outcome.shards, outcome.problems) == (60, [])
    assert {row["quality"] for row in rows(paths, "jobs")} == {"measured"}
    assert {row["kind"] for row in rows(paths, "gaps")} == {GapKind.IDLE}
    counted: dict[str, list[int]] = {}
    for row in rows(paths, "readings"):
        values = (
            row["energy_millijoules"],
            row["since_energy_millijoules"],
            row["previous_energy_millijoules"],
        )
        counted.setdefault(row["gpu_uuid"], []).extend(value for value in values if value is not None)
    increase = sum(max(values) - min(values) for values in counted.values())
    parts = [row["energy_millijoules"] for name in ("usage", "gaps") for row in rows(paths, name)]
    assert sum(parts) == increase
