"""The generated part of docs/tables.md: each table with its columns, from the schemas that files are
written by. `python -m tests.tables_document` brings the page up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from sam_cluster.store.schemas import DAY_COLUMN, KEYS, TABLES, since, version
from tests.benchmarks.__main__ import fill

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"

#: What one row of a table is.
GRAIN = {
    "shards": "what one node sent of one run, or of one UTC day of a long one",
    "readings": "a boundary reading of a GPU: a run's start or end, an hour mark, a segment's begin",
    "samples": "one reading of one GPU inside a run; kept for `[store] keep_samples_days`",
    "usage": "a run, node, GPU and UTC hour",
    "gaps": "a stretch of a GPU that no run held",
    "runs": "one attempt of a job",
    "jobs": "a job: the sum over its runs",
    "accounting": "what Slurm says of a job, or of one attempt of it",
    "shares": "what was granted to an account, as of a day",
    "results": "a submitted result, also one that is superseded or rejected",
    "confirmations": "what the owner of a job said to a result that names it",
}

#: By the end of a column's name, or of a field's inside it.
UNITS = {
    "microseconds": "µs", "seconds": "s", "millijoules": "mJ", "milliwatts": "mW", "bytes": "B",
    "ratio": "1", "share": "1", "fraction": "1", "accuracy": "1", "epochs": "epochs", "shares": "1",
}  # fmt: skip


def tables() -> list[str]:
    """The lines of all tables."""
    return [line for table in TABLES for line in _table(table)]


def _table(table: str) -> list[str]:
    schema = TABLES[table]
    number = version(schema.metadata)
    day = DAY_COLUMN.get(table)
    keys = ", ".join(f"`{key}`" for key in KEYS[table])
    filed = f"the UTC day of `{day}`" if day else "one file"
    return [
        "",
        f"### {table}",
        f"One row is {GRAIN[table]}. Key: {keys}. Filed by: {filed}. Version {number}.",
        "",
        "| column | type | unit | meaning | since |",
        "|---|---|---|---|---:|",
        *(_row(column) for column in schema),
    ]


def _row(column: pa.Field) -> str:
    meaning = column.metadata[b"meaning"].decode().replace("|", "\\|")
    kind = str(column.type).replace("child 0, ", "").replace("timestamp[us, tz=UTC]", "timestamp")
    return f"| `{column.name}` | {kind} | {unit(column)} | {meaning} | {since(column)} |"


def unit(column: pa.Field) -> str:
    """The unit of a column, by its name; of an instant what it is counted in."""
    if pa.types.is_timestamp(column.type):
        return "µs UTC"
    if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
        inner = {_unit_of(field.name) for field in column.type.value_type}
        return ", ".join(sorted(inner - {""}))
    return _unit_of(column.name)


def _unit_of(name: str) -> str:
    return UNITS.get(re.split("_", name)[-1], "")


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text("utf-8"), "tables", tables()), encoding="utf-8")
