"""Killed before any of its changes to the disk, or with another at work in between: the same tables.

What a change is, Python's audit events say: also where the code announces none. (Arrow writes into files
that Python opened.)
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.submissions.drop import compose, drop
from tests.aggregating import (
    HISTORY,
    ONE_GPU,
    SYNCHRONOUS,
    accounting_of,
    digests,
    in_inbox,
    put_all,
    run_aggregate,
)
from tests.simulated import Simulation, put
from tests.strategies import HOUR, History, PlannedRun

ROOT = Path(__file__).resolve().parents[2]
HANDED_IN = datetime(2026, 3, 4, 12, tzinfo=UTC)
#: A file that is open for writing has another name than it will have.
CHANGES = ("os.rename", "os.link", "os.remove", "os.rmdir")


def work(root: Path, executor=SYNCHRONOUS) -> None:
    run_aggregate(
        StorePaths(root),
        accounting=accounting_of(HISTORY),
        executor=executor,
        names={os.getuid(): "user2"}.get,
        salt=lambda: "same",
    )


def prepared(root: Path) -> Path:
    """A store that was aggregated once. Then came: a shard that says more of a run than the one it holds,
    others that say less, new ones, one that is torn, and two results."""
    paths = StorePaths(root)
    prepare(paths)
    whole = Simulation(HISTORY).shards()[-1]
    for less in (2, 1, 3):
        put(paths, replace(whole, ended_at_microseconds=whole.ended_at_microseconds - less))
        if less == 2:
            work(root)
    put_all(paths)
    (paths.inbox / "gpu00" / "77-1.0.parquet").write_bytes(b"PAR1 and no more")
    for job in ("101", "102"):
        result = compose(now=HANDED_IN, cluster="lab", jobs=[job], accuracy=0.5, task="t")
        drop(result, paths.submissions, None)
    return root


class Changes:
    """An audit hook that hears of each change below a directory before it is made."""

    def __init__(self, root: Path, hear: Callable[[str], None]) -> None:
        self._root, self._hear = str(root), hear
        self.is_on = True

    def __call__(self, event: str, args: tuple) -> None:
        if not self.is_on or event not in CHANGES:
            return
        path = os.fsdecode(args[1] if event in ("os.rename", "os.link") else args[0])
        if not os.path.isabs(path):
            self._hear(f"{event} in the drop box")  # which is held open
        elif path.startswith(f"{self._root}/"):
            first, second, *_ = (*Path(path).relative_to(self._root).parts, "", "")
            place = f"tables/{second if second in ('index', 'commits') else 'TABLE'}"
            self._hear(f"{event} in {place if first == 'tables' else first}")


def interrupted(how: str, base: Path, into: Path) -> None:
    """Aggregates copies of a store, each in a child that is interrupted before the last change of a kind.
    Prints the kinds, and how each child ended."""

    def child(root: Path, at: int) -> int:
        shutil.copytree(base, root, symlinks=True)
        kinds: list[str] = []

        def hear(kind: str) -> None:
            kinds.append(kind)
            if len(kinds) - 1 == at:
                if how == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                changes.is_on = False  # those of the other
                work(root)
                changes.is_on = True

        if pid := os.fork():
            return os.waitpid(pid, 0)[1]
        try:
            changes = Changes(root, hear)
            sys.addaudithook(changes)
            work(root)
            changes.is_on = False
            Path(f"{root}.json").write_text(json.dumps([kinds, list(sys.modules)]))
            os._exit(0)
        finally:
            os._exit(1)

    child(into / "clean", -1)
    kinds, modules = json.loads((into / "clean.json").read_text())
    for module in modules:  # once, and not in each child; Arrow has no threads yet that a fork would lose
        importlib.import_module(module)
    last = {kind: at for at, kind in enumerate(kinds)}
    states = {kind: child(into / f"store{at}", at) for kind, at in last.items()}
    print(json.dumps(states))


def quarantined(root: Path) -> list[tuple[str, bytes]]:
    """What lies there, each with its reason beside it; a reason whose file was not moved yet is none."""
    paths = [path for path in (root / "quarantine").iterdir() if not path.name.endswith(".reason.txt")]
    assert all(path.with_name(f"{path.name}.reason.txt").exists() for path in paths)
    return sorted((path.name.partition(".")[0], path.read_bytes()) for path in paths)


@pytest.mark.parametrize("how", ["killed", "another at work"])
def test_an_aggregate_interrupted_before_any_change_ends_in_the_same_tables(tmp_path, how) -> None:
    base = prepared(tmp_path / "base")
    program = "import sys; from pathlib import Path; from tests.unit.test_interrupted import interrupted; "
    program += "interrupted(sys.argv[1], *map(Path, sys.argv[2:]))"
    command = [sys.executable, "-c", program, how, str(base), str(tmp_path)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    states = json.loads(ran.stdout)
    assert set(states.values()) == {signal.SIGKILL if how == "killed" else 0}
    assert {place.partition(" in ")[2] for place in states} == {
        "inbox", "quarantine", "the drop box", "tables/TABLE", "tables/commits", "tables/index",
    }  # fmt: skip
    clean = tmp_path / "clean"
    stores = [path for path in tmp_path.iterdir() if path.name.startswith("store") and path.is_dir()]
    assert len(stores) == len(states)
    for store in stores:
        if how == "killed":
            work(store)
        assert digests(StorePaths(store)) == digests(StorePaths(clean))
        assert in_inbox(StorePaths(store)) == os.listdir(store / "submissions") == []
        assert quarantined(store) == quarantined(clean)


def test_two_aggregates_at_once_end_in_the_same_tables(tmp_path) -> None:
    history = History(tuple(PlannedRun(300 + n, 0, n * HOUR, (n + 3) * HOUR, ONE_GPU) for n in range(12)))
    clean, both = StorePaths(tmp_path / "clean"), StorePaths(tmp_path / "both")
    for paths in (clean, both):
        put_all(paths, history)
    run_aggregate(clean)
    with ThreadPoolExecutor() as pool:
        outcomes = [pool.submit(run_aggregate, both) for _ in range(2)]
        assert all(outcome.result().quarantined == 0 for outcome in outcomes)
    assert digests(both) == digests(clean)
    assert in_inbox(both) == []
