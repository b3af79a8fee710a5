"""What an earlier release wrote is read: what it does not say is not known, and never zero."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sam_cluster.store import shards
from sam_cluster.store.rows import from_rows
from sam_cluster.store.schemas import SCHEMA_VERSION, TABLES
from sam_cluster.store.upgrade import VERSION_KEY, read_columns

from .test_shards import SHARD, content_of

OF_VERSION_2 = {"since_power_millijoules", "since_power_uncertainty_millijoules",
                "since_covered_microseconds", "gap_microseconds", "bridged_millijoules"}  # fmt: skip


def test_a_shard_of_version_1_is_read_and_says_nothing_of_the_second_meter() -> None:
    table = pq.read_table(BytesIO(content_of(SHARD)))
    document = json.loads(table.schema.metadata[shards.FOOTER_KEY])
    for boundary in document["boundaries"]:
        for name in OF_VERSION_2:
            del boundary[name]
    metadata = {shards.VERSION_KEY: b"1", shards.FOOTER_KEY: json.dumps(document).encode()}
    sink = BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    read = shards.parse_summary(sink.getvalue(), "here")
    assert [b.energy_millijoules for b in read.boundaries] == [b.energy_millijoules for b in SHARD.boundaries]
    assert all(getattr(b, name) is None for b in read.boundaries for name in OF_VERSION_2)


def old_columns(table: str, version: int) -> list[str]:
    schema = TABLES[table]
    return [field.name for field in schema if int(field.metadata[b"since"]) <= version]


def written(path: Path, rows: pa.Table, version: int) -> pq.ParquetFile:
    metadata = {**rows.schema.metadata, VERSION_KEY: str(version).encode()}
    pq.write_table(rows.replace_schema_metadata(metadata), path)
    return pq.ParquetFile(path)


@pytest.mark.parametrize("table", TABLES)
def test_a_file_of_each_earlier_version_has_nulls_for_what_came_later(table: str, tmp_path: Path) -> None:
    rows = from_rows(table, [{}])
    for version in range(1, SCHEMA_VERSION):
        old = rows.select(old_columns(table, version))
        read = read_columns(written(tmp_path / "old.parquet", old, version), TABLES[table])
        assert read.schema.equals(TABLES[table], check_metadata=True)
        assert read.num_rows == 1


def test_a_file_that_lacks_a_column_of_its_own_version_is_refused(tmp_path: Path) -> None:
    rows = from_rows("usage", [{}])
    with pytest.raises(KeyError):
        read_columns(
            written(tmp_path / "torn.parquet", rows.drop_columns(["bridged_millijoules"]), SCHEMA_VERSION),
            TABLES["usage"],
        )
    old = rows.select(old_columns("usage", 1)).drop_columns(["energy_millijoules"])
    with pytest.raises(KeyError):
        read_columns(written(tmp_path / "torn.parquet", old, 1), TABLES["usage"])


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    newer = written(tmp_path / "newer.parquet", from_rows("usage", [{}]), SCHEMA_VERSION + 1)
    with pytest.raises(ValueError, match="this release knows"):
        read_columns(newer, TABLES["usage"])
