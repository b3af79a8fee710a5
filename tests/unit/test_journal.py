"""The journal: what was written is there, whatever happens to the file."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.journal import MOST_UNWRITTEN_BYTES, Journal, JournalPart, decode, encode

RECORDS = st.lists(
    st.fixed_dictionaries(
        {"r": st.sampled_from(["run", "boundary", "sample"])},
        optional={"text": st.text(max_size=10), "number": st.integers() | st.none()},
    ),
    max_size=6,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path / "journal"))


def part_with(journal: Journal, *records: dict[str, Any]) -> JournalPart:
    part = JournalPart(journal, "7.0-1.0")
    for record in records:
        part.add(record)
    assert part.flush()
    return part


HEAD, SAMPLE, END = {"r": "run", "n": 1}, {"r": "sample", "n": 2}, {"r": "end", "n": 3}


@given(RECORDS, st.data())
def test_torn_at_any_byte_all_whole_lines_before_are_kept(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = [encode(record) for record in records]
    content = b"".join(lines)
    cut = data.draw(st.integers(0, len(content)))
    whole = [record for index, record in enumerate(records) if len(b"".join(lines[: index + 1])) <= cut]
    assert list(decode(BytesIO(content[:cut]))) == whole


@given(RECORDS.filter(bool), st.data())
def test_a_byte_that_was_altered_ends_what_is_believed(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    content = bytearray(b"".join(encode(record) for record in records))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    found = list(decode(BytesIO(content)))
    assert len(found) < len(records)
    assert found == records[: len(found)]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_journal_hold_nothing(content: bytes) -> None:
    assert list(decode(BytesIO(content))) == []


@given(RECORDS, st.data())
def test_an_agent_goes_on_behind_the_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("j")
    journal = Journal(str(directory))
    content = b"".join(encode(record) for record in records)
    cut = data.draw(st.integers(0, len(content)))
    (directory / "7.0-1.0.journal").write_bytes(content[:cut])
    whole = journal.read("7.0-1.0")
    part = JournalPart(journal, "7.0-1.0")
    for line, record in journal.read_lines("7.0-1.0"):
        part.found(line, record)
    part.add(END)
    assert part.flush()
    part.close()
    assert journal.read("7.0-1.0") == [*whole, END]


def test_a_new_part_begins_with_nothing_of_an_older_file(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "7.0-1.0.journal").write_bytes(b"torn: half a li")
    part_with(journal, HEAD).close()
    assert journal.read("7.0-1.0") == [HEAD]


@pytest.mark.parametrize("lose", [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:10]),
    lambda path: shutil.rmtree(path.parent),
    lambda path: path.rename(path.with_suffix(".moved")),
], ids=["removed", "emptied", "cut", "directory removed", "moved"])  # fmt: skip
def test_a_file_that_is_lost_is_written_anew_without_its_samples(
    journal: Journal, tmp_path: Path, lose: Any
) -> None:
    part = part_with(journal, HEAD, SAMPLE, END)
    part.close()
    lose(tmp_path / "journal" / "7.0-1.0.journal")
    part.add(SAMPLE)
    assert part.flush()
    assert [record for record in journal.read("7.0-1.0") if record["r"] != "sample"] == [HEAD, END]


def test_a_file_that_is_lost_while_nothing_happens_is_written_anew(journal: Journal, tmp_path: Path) -> None:
    part = part_with(journal, HEAD)
    (tmp_path / "journal" / "7.0-1.0.journal").unlink()
    assert part.flush()
    assert journal.read("7.0-1.0") == [HEAD]


def test_what_cannot_be_written_is_kept_and_written_later(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("no directory")
    part = JournalPart(journal, "7.0-1.0")
    part.add(HEAD)
    assert not part.flush()
    part.add(SAMPLE)
    assert not part.flush()
    (tmp_path / "journal").unlink()
    assert part.flush()
    assert journal.read("7.0-1.0") == [HEAD, SAMPLE]


def test_of_what_cannot_be_written_samples_are_given_up_first(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("no directory")
    part = JournalPart(journal, "7.0-1.0")
    sample = {"r": "sample", "text": "x" * 1_000}
    for _ in range(2 * MOST_UNWRITTEN_BYTES // 1_000):
        part.add(sample)
    part.add(END)
    (tmp_path / "journal").unlink()
    assert part.flush()
    content = (tmp_path / "journal" / "7.0-1.0.journal").read_bytes()
    assert MOST_UNWRITTEN_BYTES < len(content) < MOST_UNWRITTEN_BYTES + 3_000
    assert journal.read("7.0-1.0")[-1] == END


def test_a_link_is_not_written_through(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "journal" / "7.0-1.0.journal").symlink_to(victim)
    part = JournalPart(journal, "7.0-1.0")
    part.add(HEAD)
    assert not part.flush()
    assert victim.read_text() == "precious"


def test_a_small_document_that_is_torn_is_none(journal: Journal, tmp_path: Path) -> None:
    assert journal.write_state("closed.json", [1, 2])
    assert journal.read_state("closed.json") == [1, 2]
    (tmp_path / "journal" / "closed.json").write_text("[1, 2")
    assert journal.read_state("closed.json") is None
