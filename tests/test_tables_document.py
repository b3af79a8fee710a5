"""docs/tables.md says what the schemas say, and what it shows can be run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sam_cluster.core.units import kwh_from_millijoules
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows
from sam_cluster.store.schemas import KEYS, TABLES
from sam_cluster.store.tables import Tables
from tests.benchmarks.__main__ import fill
from tests.tables_document import GRAIN, PAGE, tables, unit
from tests.unit.cli.stores import make_store
from tests.unit.report.tables import at, gap_row, job_rows, together

TEXT = PAGE.read_text("utf-8")
Answer = list[tuple[Any, ...]]


def test_the_page_is_up_to_date() -> None:
    assert fill(TEXT, "tables", tables()) == TEXT, "run python -m tests.tables_document"


def test_every_table_has_its_grain_and_every_quantity_a_unit() -> None:
    assert set(GRAIN) == set(TABLES) == set(KEYS)
    quantities = [column for schema in TABLES.values() for column in schema if "joules" in column.name]
    assert quantities
    assert {unit(column) for column in quantities} == {"mJ"}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```\w+ {kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


QUESTIONS = re.findall(r"^### (.*\?)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jobs of two accounts and of none, in and beside the month, one of unknown energy; superseded files."""
    root = tmp_path_factory.mktemp("tables") / "store"
    root.mkdir()
    jobs = [
        job_rows(1, "2026-09-30 20:00", 2, 1.5),
        job_rows(2, "2026-10-01 00:30", 3, 2.5),
        job_rows(3, "2026-10-05 23:00", 2, None, state="FAILED"),
        job_rows(4, "2026-10-31 22:30", 1, 0.75, account="nlp", user="ben", state="FAILED"),
        job_rows(5, "2026-10-31 23:00", 1, 4.0, account="nlp", user="ben"),
        without_accounting(job_rows(6, "2026-10-20 10:00", 1, 1.25)),
    ]
    gap = gap_row("GPU-1", at("2026-10-01 03:30"), 20, 55.0)
    make_store(root, jobs[0] | {"gaps": [gap | {"energy_millijoules": 1}]})
    make_store(root, together(*jobs, {"gaps": [gap]}))
    return root


def without_accounting(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Of a job of which Slurm's accounting says nothing, account and state are null."""
    nothing = {"account": None, "state": None}
    return rows | {"jobs": [row | nothing for row in rows["jobs"]]}


def kwh(rows: list[dict[str, Any]]) -> float | None:
    known = [row["energy_millijoules"] for row in rows if row["energy_millijoules"] is not None]
    return kwh_from_millijoules(sum(known)) if known else None


def grouped(
    rows: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any]
) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items(), key=lambda item: (item[0] is None, item[0])))


def expected(store: Path) -> dict[str, Answer]:
    """The answers as our own reader has them."""
    snapshot = Tables(StorePaths(store)).snapshot()
    jobs, gaps = (snapshot.read(table) for table in ("jobs", "gaps"))
    hours = snapshot.read("usage").to_pylist()
    month = [row for row in jobs.to_pylist() if (row["ended_at"].year, row["ended_at"].month) == (2026, 10)]
    known = [row for row in to_rows(jobs) if row["energy_millijoules"] is not None]
    known.sort(key=lambda row: -row["energy_millijoules"])
    states = Counter(row["state"] for row in to_rows(jobs))
    return dict(zip(QUESTIONS, [
        [(account, kwh(rows), sum(row["energy_millijoules"] is None for row in rows))
         for account, rows in grouped(month, lambda row: row["account"]).items()],
        [(row["job_id"], row["user"], kwh([row]), row["quality"]) for row in known],
        [(day, kwh(rows)) for day, rows in grouped(hours, lambda row: f"{row['hour']:%F}").items()],
        [(state, states[state], kwh(rows))
         for state, rows in grouped(to_rows(jobs), lambda row: row["state"]).items()],
        [(node, kind, kwh(rows))
         for (node, kind), rows in grouped(to_rows(gaps), lambda row: (row["node"], row["kind"])).items()],
    ], strict=True))  # fmt: skip


@pytest.mark.parametrize("library", ["duckdb", "polars", "pandas"])
@pytest.mark.parametrize("number", range(5), ids=[question.strip("?") for question in QUESTIONS])
def test_each_question_has_the_same_answer_in_each_library(store: Path, library: str, number: int) -> None:
    names: dict[str, Any] = {"store": str(store)}
    (finding,) = blocks("files")
    (way,) = blocks(f"run-{library}")
    question = blocks(library)[number]
    steps = [finding, way, question] if library != "duckdb" else [finding, f"query = {question!r}", way]
    exec("\n".join(steps), names)
    answer = names["answer"]
    rows = answer.rows() if library == "polars" else list(answer.itertuples(index=False, name=None))
    wanted = expected(store)[QUESTIONS[number]]
    assert wanted
    values = [tuple(None if pd.isna(value) else value for value in row) for row in rows]
    assert values == [pytest.approx(row) for row in wanted]
