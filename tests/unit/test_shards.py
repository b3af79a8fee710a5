"""A shard comes back from its file as it was, and nothing but a shard comes back."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.errors import ShardError
from sam_cluster.core.model import Kind
from sam_cluster.store import shards
from sam_cluster.store.document import MOST_ROWS
from sam_cluster.store.footer_text import before_text, text_after
from sam_cluster.store.paths import parse_shard_name, shard_name
from sam_cluster.store.soundness import LARGEST_MILLIJOULES, complaint
from tests.simulated import Simulation, content_of
from tests.strategies import DAY, EPOCH, HOUR, History, PlannedRun, histories

SHARD = Simulation(History((PlannedRun(7, 1, HOUR, 3 * HOUR, ((0, 0), (0, 1))),))).shards()[0]
NAME = shard_name("7.1", EPOCH + HOUR, 0)


@given(histories(clock_steps=True))
@settings(max_examples=20, deadline=None)
def test_a_shard_comes_back_from_its_bytes_as_it_was_and_is_sound(history) -> None:
    for shard in Simulation(history).shards():
        content = content_of(shard)
        assert content == content_of(shard)
        assert shards.parse_summary(content, "here") == replace(shard, samples=())
        name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
        assert complaint(shard, shard.node, name) is None


def test_its_samples_come_back_by_gpu_and_time(tmp_path) -> None:
    path = tmp_path / NAME
    path.write_bytes(content_of(SHARD))
    expected = sorted(SHARD.samples, key=lambda sample: (sample.gpu_uuid, sample.uptime_microseconds))
    assert shards.read_samples(path) == tuple(expected)
    assert shards.read_summary(path)[0] == replace(SHARD, samples=())


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_file_cut_anywhere_is_an_error_that_names_it(data) -> None:
    content = content_of(SHARD)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ShardError, match=r"^here: "):
        shards.parse_summary(content[:cut], "here")


def decoded(content: bytes) -> bytes | None:
    """The document as pyarrow finds it; None where it reads no shard of this release."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(content)).metadata or {}
    except (OSError, ValueError):
        return None
    return metadata.get(shards.FOOTER_KEY) if metadata.get(shards.VERSION_KEY) == shards.CURRENT else None


@given(histories(clock_steps=True))
@settings(max_examples=20, deadline=None)
def test_the_text_that_is_cut_out_of_a_footer_is_the_one_that_pyarrow_decodes(history) -> None:
    for shard in Simulation(history).shards():
        content = content_of(shard)
        assert text_after(content, shards.BEFORE_CURRENT_TEXT) == decoded(content) is not None


FOOTER_BEGINS = len(content_of(SHARD)) - 8 - int.from_bytes(content_of(SHARD)[-8:-4], "little")


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_of_a_damaged_footer_the_same_text_is_cut_out_or_none(data) -> None:
    content = bytearray(content_of(SHARD))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(FOOTER_BEGINS, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    text, known = text_after(bytes(content), shards.BEFORE_CURRENT_TEXT), decoded(bytes(content))
    assert text is None or known in (None, text)
    with suppress(ShardError):  # and nothing else is raised
        shards.parse_summary(bytes(content), "here")


@pytest.mark.parametrize("length", [0, 1, 127, 128, 300, 2**14, 2**21])
def test_a_text_of_any_length_is_found_behind_what_stands_before_it(length) -> None:
    text = b"x" * length
    table = pa.table({"a": [1]})
    sink = BytesIO()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({b"k": b"1", b"key": text})
    assert text_after(sink.getvalue(), before_text({b"k": b"1"}, b"key")) == text


def test_of_a_footer_that_says_it_twice_no_text_is_cut_out() -> None:
    content = content_of(SHARD)
    at = content.index(shards.BEFORE_CURRENT_TEXT)
    pair = content[at : content.index(b"}\0", at) + 2]
    end = len(content) - 8
    twice = content[:end] + pair + (end + len(pair) - FOOTER_BEGINS).to_bytes(4, "little") + b"PAR1"
    assert text_after(twice, shards.BEFORE_CURRENT_TEXT) is None
    assert text_after(content, shards.BEFORE_CURRENT_TEXT) is not None


def test_a_column_whose_name_is_no_text_is_an_error_that_names_the_file() -> None:
    content = content_of(SHARD).replace(b"power_milliwatts", b"\x80ower_milliwatts")
    with pytest.raises(ShardError, match=r"^here: not a readable Parquet file"):
        shards.parse_summary(content.replace(shards.FOOTER_KEY + b"\x18", b"sam_cluster.shord\x18"), "here")


def changed(change) -> bytes:
    """The shard's file with another footer."""
    table = pq.read_table(BytesIO(content_of(SHARD)))
    document = json.loads(table.schema.metadata[shards.FOOTER_KEY])
    change(document)
    metadata = {**table.schema.metadata, shards.FOOTER_KEY: json.dumps(document).encode()}
    sink = BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda shard: shard.update(part="0"),
        lambda shard: shard.update(part=True),
        lambda shard: shard.update(final=None),
        lambda shard: shard.update(flags=["nonsense"]),
        lambda shard: shard.update(user="\ud800"),
        lambda shard: shard.update(more=1),
        lambda shard: shard.pop("node"),
        lambda shard: shard.update(boundaries=[1]),
        lambda shard: shard["boundaries"].update(kind="start"),
        lambda shard: shard["boundaries"].update(more=[]),
        lambda shard: shard["boundaries"]["segment"].pop(),
        lambda shard: shard["boundaries"].pop("segment"),
        lambda shard: shard["boundaries"]["energy_millijoules"].__setitem__(0, 1.5),
        lambda shard: shard["boundaries"]["energy_millijoules"].__setitem__(0, 2**63),
        lambda shard: shard["gpus"]["rung"].__setitem__(0, "guessed"),
        lambda shard: shard["key"].update(job_id=[7]),
    ],
)
def test_a_footer_that_holds_anything_but_a_shard_is_refused(change) -> None:
    with pytest.raises(ShardError, match="its footer does not hold a shard"):
        shards.parse_summary(changed(change), "here")


@pytest.mark.parametrize("version", [b"3", b"4"])
def test_a_footer_of_more_boundaries_than_memory_holds_is_refused(version: bytes) -> None:
    lags = b"0," * MOST_ROWS + b"0"
    text = b'{"gpus":{},"boundaries":{"lag_microseconds":[' + lags + b"]}}"
    with pytest.raises(ShardError, match="more than 65536 of Boundary"):
        shards.parse_footer(shards.Footer(version, text), "here")


def test_a_footer_that_is_larger_than_any_is_not_parsed() -> None:
    text = b"[" + b" " * shards.LARGEST_FOOTER_BYTES
    with pytest.raises(ShardError, match="no shard's is so large"):
        shards.parse_footer(shards.Footer(shards.CURRENT, text), "here")


def test_a_parquet_file_of_others_and_one_of_another_version_are_told_apart() -> None:
    sink = BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    with pytest.raises(ShardError, match="not a shard of sam-cluster"):
        shards.parse_summary(sink.getvalue(), "here")
    table = pq.read_table(BytesIO(content_of(SHARD)))
    newer = table.replace_schema_metadata({**table.schema.metadata, shards.VERSION_KEY: b"5"})
    sink = BytesIO()
    pq.write_table(newer, sink)
    with pytest.raises(ShardError, match="this release reads 1"):
        shards.parse_summary(sink.getvalue(), "here")


START, END = SHARD.boundaries[0], SHARD.boundaries[-1]


@pytest.mark.parametrize(
    ("shard", "node", "name", "says"),
    [
        (SHARD, "gpu01", NAME, "of node 'gpu00'"),
        (SHARD, "gpu00", "7.1-1.0.parquet", "its name says otherwise"),
        (SHARD, "gpu00", NAME.replace(".0.parquet", ".1.parquet"), "its name says otherwise"),
        (replace(SHARD, node="../up"), "../up", NAME, "is no name"),
        (replace(SHARD, key=replace(SHARD.key, cluster="a b")), "gpu00", NAME, "is no name"),
        (replace(SHARD, key=replace(SHARD.key, sluid="a/b")), "gpu00", NAME, "SLUID 'a/b' is none"),
        (replace(SHARD, key=replace(SHARD.key, sluid="7.0")), "gpu00", NAME, "SLUID '7.0' is none"),
        (replace(SHARD, key=replace(SHARD.key, job_id=-7)), "gpu00", NAME, "no run's name"),
        (replace(SHARD, ended_at_microseconds=-1), "gpu00", NAME, "outside the years"),
        (
            replace(SHARD, boundaries=(replace(START, at_microseconds=2**62),)),
            "gpu00",
            NAME,
            "outside the years",
        ),
        (
            replace(SHARD, boundaries=(replace(START, gpu_uuid="a\nb"),)),
            "gpu00",
            NAME,
            "GPU's or segment's name",
        ),
        (replace(SHARD, boundaries=(replace(END, energy_millijoules=0),)), "gpu00", NAME, "less energy"),
        (replace(SHARD, boundaries=(replace(END, uptime_microseconds=0),)), "gpu00", NAME, "comes before"),
        (replace(SHARD, boundaries=(replace(END, kind=Kind.START),)), "gpu00", NAME, "before it"),
        (replace(SHARD, boundaries=(START, replace(START, lag_microseconds=9))), "gpu00", NAME, "two things"),
        (replace(SHARD, gpus=(replace(SHARD.gpus[0], name="n" * 129),)), "gpu00", NAME, "longer than any"),
        (replace(SHARD, part=2**31), "gpu00", shard_name("7.1", EPOCH + HOUR, 2**31), "its part is"),
        (replace(SHARD, nodes_expected=-1), "gpu00", NAME, "its number of nodes is"),
        (
            replace(SHARD, key=replace(SHARD.key, sluid="s0000000000071", restart=2**40)),
            "gpu00",
            shard_name("s0000000000071", EPOCH + HOUR, 0),
            "its restart count is",
        ),
        (replace(SHARD, boundaries=(replace(END, uptime_microseconds=2**62),)), "gpu00", NAME, "no clock"),
        (replace(SHARD, boundaries=(replace(END, energy_millijoules=2**62),)), "gpu00", NAME, "no counter"),
        (replace(SHARD, boundaries=(replace(START, uncertainty_millijoules=-1),)), "gpu00", NAME, "no count"),
        (
            replace(SHARD, boundaries=(replace(END, uptime_microseconds=400 * DAY),)),
            "gpu00",
            NAME,
            "more than a year",
        ),
        *(
            (
                replace(SHARD, boundaries=tuple(replace(END, **changes, gpu_uuid=gpu) for gpu in "ab")),
                "gpu00",
                NAME,
                "add up to more",
            )
            for changes in (
                {"energy_millijoules": LARGEST_MILLIJOULES, "since_energy_millijoules": 1},
                {"uncertainty_millijoules": LARGEST_MILLIJOULES},
                {"since_idle_millijoules": LARGEST_MILLIJOULES},
            )
        ),
    ],
)
def test_a_shard_that_cannot_be_true_is_not_believed(shard, node, name, says) -> None:
    assert says in (complaint(shard, node, name) or "")


def test_a_shard_that_says_one_thing_twice_is_borne() -> None:
    assert complaint(replace(SHARD, boundaries=(START, START)), "gpu00", NAME) is None


@given(st.from_regex(r"[A-Za-z0-9.]{1,30}", fullmatch=True), st.integers(0, 2**52), st.integers(0, 999))
def test_a_shards_name_is_read_back(run_id: str, start: int, part: int) -> None:
    for digest in (None, "0123456789abcdef" * 4):
        assert parse_shard_name(shard_name(run_id, start, part, digest)) == (run_id, start // 1_000_000, part)


@pytest.mark.parametrize(
    "name", ["", ".parquet", "a/b-1.0.parquet", "7.1-1.0.parquet.part", "7.1-x.0.parquet"]
)
def test_what_is_no_shards_name_is_none(name: str) -> None:
    assert parse_shard_name(name) is None


def test_a_missing_file_is_the_disks_error_and_no_torn_shard(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shards.read_summary(tmp_path / "gone.parquet")
