"""What an earlier release wrote is read: what it does not say is not known, and never zero."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sam_cluster.core.errors import StoreError
from sam_cluster.core.model import Shard
from sam_cluster.store import shards
from sam_cluster.store.rows import from_rows
from sam_cluster.store.schemas import TABLES, since, version
from sam_cluster.store.upgrade import read_columns
from tests.simulated import content_of

from .test_shards import SHARD

OF_VERSION_2 = {"since_power_millijoules", "since_power_uncertainty_millijoules",
                "since_covered_microseconds", "gap_microseconds", "bridged_millijoules"}  # fmt: skip


OF_VERSION_3 = {"since_idle_microseconds", "since_idle_millijoules"}


def of_version(number: int, shard: Shard = SHARD) -> bytes:
    """The shard as an earlier release wrote it: an object for each GPU and boundary, but
    in version 3 an object of whole lists."""
    document = asdict(replace(shard, samples=()))
    del document["samples"]
    if number == 3:
        for name in ("gpus", "boundaries"):
            rows = document[name]
            columns = {key: [row[key] for row in rows] for key in rows[0]}
            document[name] = {key: its for key, its in columns.items() if its != [None] * len(rows)}
        return with_footer(document, number)
    for boundary in document["boundaries"]:
        for name in OF_VERSION_2 | OF_VERSION_3 if number == 1 else OF_VERSION_3:
            del boundary[name]
    return with_footer(document, number)


def with_footer(document: dict[str, Any], number: int) -> bytes:
    metadata = {shards.VERSION_KEY: str(number).encode(), shards.FOOTER_KEY: json.dumps(document).encode()}
    sink = BytesIO()
    pq.write_table(shards.SAMPLE_ROWS.with_metadata(metadata).empty_table(), sink)
    return sink.getvalue()


def test_a_shard_of_version_1_is_read_and_says_nothing_of_the_second_meter() -> None:
    read = shards.parse_summary(of_version(1), "here")
    assert [b.energy_millijoules for b in read.boundaries] == [b.energy_millijoules for b in SHARD.boundaries]
    assert all(getattr(b, name) is None for b in read.boundaries for name in OF_VERSION_2)


@pytest.mark.parametrize("number", [2, 3])
def test_a_shard_of_a_version_before_is_read_as_it_was(number: int) -> None:
    assert shards.parse_summary(of_version(number), "here") == replace(SHARD, samples=())


def test_what_a_shard_of_version_3_leaves_out_does_not_follow_from_the_rest() -> None:
    without = tuple(
        replace(each, counter_millijoules=None, since_at_microseconds=None,
                since_uptime_microseconds=None, since_energy_millijoules=None)
        for each in SHARD.boundaries
    )  # fmt: skip
    shard = replace(SHARD, samples=(), boundaries=without)
    assert shards.parse_summary(of_version(3, shard), "here") == shard
    assert shards.parse_summary(content_of(shard), "here") == shard


def written(path: Path, rows: pa.Table, number: int) -> Path:
    metadata = {**rows.schema.metadata, b"sam_cluster.schema": str(number).encode()}
    pq.write_table(rows.replace_schema_metadata(metadata), path)
    return path


@pytest.mark.parametrize("table", TABLES)
def test_a_file_of_each_earlier_version_has_nulls_for_what_came_later(table: str, tmp_path: Path) -> None:
    schema = TABLES[table]
    for number in range(1, version(schema.metadata) + 1):
        old = from_rows(table, [{}]).select([column.name for column in schema if since(column) <= number])
        read = read_columns(written(tmp_path / "old.parquet", old, number), table, schema, "STORE")
        assert read.schema.equals(schema, check_metadata=True)
        assert read.num_rows == 1


@pytest.mark.parametrize("name", ["bridged_millijoules", "energy_millijoules"])
def test_a_file_that_lacks_a_column_of_its_own_version_is_refused(name: str, tmp_path: Path) -> None:
    schema = TABLES["usage"]
    rows = from_rows("usage", [{}]).drop_columns([name])
    with pytest.raises(KeyError):
        read_columns(
            written(tmp_path / "torn.parquet", rows, since(schema.field(name))), "usage", schema, "STORE"
        )


def test_a_file_of_a_later_release_is_refused(tmp_path: Path) -> None:
    later = version(TABLES["usage"].metadata) + 1
    path = written(tmp_path / "newer.parquet", from_rows("usage", [{}]), later)
    with pytest.raises(StoreError, match="written by a later release"):
        read_columns(path, "usage", TABLES["usage"], "STORE")
