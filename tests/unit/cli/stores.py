"""A store on disk with rows of a test in its tables, and a command line that reads it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sam_cluster.cli.main import main
from sam_cluster.core.times import utc_microseconds
from sam_cluster.store.commit import Transaction, prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import by_day, from_rows
from sam_cluster.store.tables import Tables
from tests.unit.report.tables import at

NOW = at("2026-11-03 09:00")
COMMITTED = at("2026-11-02 03:15")


def make_store(
    root: Path, rows: Mapping[str, Iterable[dict[str, Any]]], committed_at: datetime = COMMITTED
) -> Path:
    """A store whose one commit holds the rows."""
    paths = StorePaths(root)
    prepare(paths)
    change = Transaction(Tables(paths).snapshot(), now_microseconds=utc_microseconds(committed_at))
    for table, some in rows.items():
        for day, day_rows in by_day(table, from_rows(table, some)).items():
            change.replace_day(table, day, day_rows)
    change.commit()
    return root


def run(*words: str, environ: Mapping[str, str] | None = None, now: datetime = NOW) -> int:
    """The exit code of a command line, in an environment that holds nothing of this machine."""
    return main(list(words), environ={} if environ is None else environ, now=now)


def in_a_process(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sam_cluster", *words], capture_output=True, text=True, check=False, **more
    )
