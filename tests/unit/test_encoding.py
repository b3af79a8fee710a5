"""What the bytes of a day's file promise besides the rows: a reader may skip, and a series is small."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from sam_cluster.core.model import Sample
from sam_cluster.store.encoding import LOOKED_FOR, ROW_GROUP_ROWS, encoded
from sam_cluster.store.rows import from_rows, in_order
from sam_cluster.store.schemas import KEYS, SAMPLES, TABLES
from tests.simulated import content_of
from tests.small_store import job
from tests.strategies import EPOCH
from tests.unit.test_shards import SHARD

SECOND = 1_000_000


def file_of(table: str, rows: pa.Table) -> bytes:
    content, _ = encoded(table, [in_order(table, rows)])
    return content.text


def series(count: int) -> list[dict[str, int]]:
    """Readings of a GPU of about 300 W, ten seconds apart, of which each is some microseconds late."""
    random, counter, found = Random(1), 7_000_000_000, []
    for number in range(count):
        power = 300_000 + random.randrange(30_000)
        energy = 10 * power + random.randrange(1_000)
        counter += energy
        at = 10 * SECOND * number + random.randrange(1_000)
        found.append({"at": EPOCH + at, "uptime": at, "counter": counter, "energy": energy, "power": power})
    return found


def table_of(count: int) -> bytes:
    rows = from_rows("samples", [
        {
            "cluster": "lab", "node": "gpu00", "gpu_uuid": "GPU-0", "run_id": "7.1", "at": each["at"],
            "uptime_microseconds": each["uptime"], "counter_millijoules": each["counter"],
            "power_energy_millijoules": each["energy"], "power_milliwatts": each["power"],
        }
        for each in series(count)
    ])  # fmt: skip
    return file_of("samples", rows.select(SAMPLES.names))


def shard_of(count: int) -> bytes:
    samples = tuple(
        Sample(
            gpu_uuid=SHARD.gpus[0].uuid, at_microseconds=each["at"], uptime_microseconds=each["uptime"],
            counter_millijoules=each["counter"], power_energy_millijoules=each["energy"],
            power_milliwatts=each["power"],
        )
        for each in series(count)
    )  # fmt: skip
    return content_of(replace(SHARD, samples=samples))


@pytest.mark.parametrize("file", [table_of, shard_of])
def test_a_reading_more_is_twelve_bytes_more(file) -> None:
    """Its five numbers are 40 bytes; what they differ by from those of the one before is small."""
    assert len(file(8_000)) - len(file(4_000)) < 12 * 4_000


@pytest.mark.parametrize("table", sorted(TABLES))
def test_what_rows_are_looked_for_by_has_statistics_and_nothing_else(table) -> None:
    group = pq.read_metadata(pa.BufferReader(file_of(table, one_row_of(table)))).row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    told = {column.path_in_schema for column in columns if column.is_stats_set}
    assert told == {name for name in TABLES[table].names if name in LOOKED_FOR or name in KEYS[table]}


def one_row_of(table: str) -> pa.Table:
    schema = TABLES[table]
    return pa.table({field.name: pa.nulls(1, field.type) for field in schema}, schema=schema)


def test_a_reader_that_looks_for_a_job_skips_the_groups_of_others(tmp_path) -> None:
    path = tmp_path / "day.parquet"
    numbers = pa.array(range(1, 2 * ROW_GROUP_ROWS + 1), pa.int64())
    rows = pa.concat_tables([from_rows("jobs", [job(1)])] * len(numbers)).combine_chunks()
    place = rows.schema.get_field_index("raw_job_id")
    path.write_bytes(file_of("jobs", rows.set_column(place, rows.schema.field(place), numbers)))
    (file,) = ds.dataset(path).get_fragments()
    (group,) = file.split_by_row_group(ds.field("raw_job_id") == ROW_GROUP_ROWS + 7)
    assert [each.id for each in group.row_groups] == [1]
