"""What sacct prints: recorded on Slurm 22.05.8, constructed in the columns of 24.11, and drawn by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sam_cluster.accounting import sacct_text
from sam_cluster.accounting.records import JobRecord
from sam_cluster.accounting.sacct_columns import fresh_delimiter
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_SECOND as SECOND

DATA = Path(__file__).parents[1] / "data" / "sacct"
RECORDED = (DATA / "recorded-22.05.txt").read_bytes()
CONSTRUCTED = (DATA / "constructed-24.11.txt").read_bytes()
DELIMITER = "|0123456789abcdef|"

ROW = {
    "JobID": "7", "JobIDRaw": "7", "Cluster": "lab", "State": "COMPLETED", "ExitCode": "0:0", "Submit": "100",
    "Eligible": "100", "Start": "110", "End": "200", "Suspended": "00:00:00", "AllocNodes": "1",
    "NodeList": "n1", "UID": "1000", "User": "alice", "Partition": "gpu", "QOS": "normal",
    "AllocTRES": "cpu=1,gres/gpu=1,node=1", "SLUID": "sDXKB2WGYZVC00", "Restarts": "0", "Account": "vision",
    "JobName": "train",
}  # fmt: skip


def printed(*rows: Mapping[str, str | bytes], delimiter: str = DELIMITER) -> bytes:
    """What sacct would print for rows that differ from ROW in what is given."""
    lines = [tuple(ROW)] + [tuple({**ROW, **row}.values()) for row in rows]
    return b"".join(
        delimiter.encode().join(value if isinstance(value, bytes) else value.encode() for value in line)
        + b"\n"
        for line in lines
    )


def named(records: tuple[JobRecord, ...]) -> dict[tuple[str, str], JobRecord]:
    return {(record.job_id, record.state): record for record in records}


def test_every_row_that_a_real_sacct_printed_is_read() -> None:
    answer = sacct_text.parse(RECORDED)
    assert answer.problems == ()
    rows = named(answer.records)
    assert len(rows) == len(answer.records) == 42
    assert rows["3", "COMPLETED"].job_name == "line1\nline2\n"
    assert rows["4", "COMPLETED"].job_name == "u\x1fs"
    assert rows["10", "COMPLETED"].nodes == ("n1", "n2")
    assert rows["10", "COMPLETED"].gpus == 6
    assert rows["16", "FAILED"].exit_code == "3:0"
    assert rows["17", "COMPLETED"].gpu_shards == 2
    assert rows["18", "COMPLETED"].gpus == 0
    assert (rows["9_0", "COMPLETED"].raw_job_id, rows["9_0", "COMPLETED"].array_task_id) == (26, 0)
    assert (rows["19+1", "COMPLETED"].raw_job_id, rows["19+1", "COMPLETED"].het_offset) == (20, 1)
    assert rows["11", "CANCELLED"].start is None
    assert (rows["11", "CANCELLED"].node_count, rows["11", "CANCELLED"].gpus) == (0, 0)
    assert rows["30", "COMPLETED"].suspended_seconds == 5
    assert rows["43", "SUSPENDED"].end is None
    assert rows["14", "REQUEUED"].end == rows["14", "COMPLETED"].submit == 1795377683 * SECOND
    assert rows["21", "COMPLETED"].account == "nlp"


def test_a_name_that_spells_out_another_jobs_row_stays_a_name() -> None:
    forger = next(record for record in sacct_text.parse(RECORDED).records if record.job_id == "40")
    assert forger.job_name.startswith("forged\n30|30|lab|COMPLETED|")
    assert forger.job_name.endswith(",gres/gpu=8,node=1|vision|bigger")
    assert forger.account == "root"


def test_the_columns_and_cases_of_later_releases_are_read() -> None:
    answer = sacct_text.parse(CONSTRUCTED)
    rows = named(answer.records)
    assert sacct_text.lacks(answer.columns) == frozenset()
    first, second = rows["500", "PREEMPTED"], rows["500", "RUNNING"]
    assert (first.restart_count, second.restart_count) == (0, 1)
    assert (first.sluid, second.sluid) == ("sDXKB2WGYZVC00", "sDXKB2WGYZVC01")
    waiting = rows["501_[5-9%2]", "PENDING"]
    assert (waiting.array_job_id, waiting.array_task_id, waiting.start, waiting.end) == (
        501,
        None,
        None,
        None,
    )
    assert (waiting.sluid, waiting.nodes, waiting.gpus, waiting.alloc_tres) == (None, (), 0, None)
    assert rows["501_0", "COMPLETED"].job_name == "caf\ufffd \ufffd\ufffd"
    assert rows["503+1", "COMPLETED"].nodes == ("r1n09", "r1n10", "r2n09", "r2n10")
    assert rows["503+1", "COMPLETED"].gpus == 4
    assert rows["505", "CANCELLED"].restart_count is None
    bare = rows["506", "COMPLETED"]
    assert (bare.user, bare.uid, bare.account, bare.qos, bare.job_name) == (None, None, None, None, "")
    assert bare.suspended_seconds == 93_784
    assert rows["507", "COMPLETED"].job_name == "a|b\x1fc\n500|500|lab|forged\n"
    assert rows["507", "COMPLETED"].account == "two\nlines"
    assert rows["509", "COMPLETED"].gpus is None
    assert rows["510", "OUT_OF_MEMORY"].exit_code == "0:125"


def test_a_row_that_cannot_be_read_is_reported_and_costs_no_other() -> None:
    answer = sacct_text.parse(CONSTRUCTED)
    assert len(answer.records) == 11
    assert len(answer.problems) == 1
    assert "'gres/gpu=many'" in answer.problems[0]
    assert "508" in answer.problems[0]


@pytest.mark.parametrize(
    "broken",
    [
        {"Start": "2026-10-05T14:00:00"}, {"Start": "-5"}, {"UID": "alice"}, {"State": "cancelled"},
        {"State": ""}, {"Suspended": "5 minutes"}, {"NodeList": "n[2-1]"}, {"AllocTRES": "gpu"},
        {"SLUID": "7"}, {"Restarts": "٣"}, {"AllocNodes": "1.5K"}, {"AllocNodes": "99999999999"},
        {"End": "9999999999999"}, {"Submit": "9" * 20}, {"UID": "9" * 20}, {"JobIDRaw": "9" * 20},
        {"AllocTRES": "gres/gpu=99999999999"}, {"JobID": "8+99999999999"},
    ],
)  # fmt: skip
def test_each_field_of_a_wrong_form_makes_its_row_a_problem(broken: dict[str, str]) -> None:
    answer = sacct_text.parse(
        printed({}, {"JobID": "8", "JobIDRaw": "8", **broken}, {"JobID": "9", "JobIDRaw": "9"})
    )
    assert [record.job_id for record in answer.records] == ["7", "9"]
    assert len(answer.problems) == 1


def test_text_that_was_cut_short_is_a_problem_of_its_last_row() -> None:
    whole = printed({}, {"JobID": "8", "JobIDRaw": "8"})
    for missing in (1, 2, 40, 200):
        answer = sacct_text.parse(whole[:-missing])
        assert [record.job_id for record in answer.records] == ["7"]
        assert len(answer.problems) == 1


def test_what_stands_before_the_first_row_is_a_problem_and_the_rows_are_read() -> None:
    header, _, rows = printed({}).partition(b"\n")
    answer = sacct_text.parse(header + b"\nsacct: something\n" + rows)
    assert [record.job_id for record in answer.records] == ["7"]
    assert "sacct: something" in answer.problems[0]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"JobID|JobName\n",
        b"sacct: error\n",
        printed({}).replace(b"State", b"Reason"),
        b"\xff\xfe",
    ],
)
def test_text_without_the_header_that_was_asked_for_is_refused(text: bytes) -> None:
    with pytest.raises(AccountingUnavailable, match="no header"):
        sacct_text.parse(text)


ANY_BYTES = st.binary(max_size=60).map(lambda raw: raw.replace(b"\0", b""))
HOSTILE = st.lists(
    st.sampled_from(
        [b"\n", b"|", b"\x1f", b"7", b"123_4", b"COMPLETED", b"\xff", b"\xe2\x82", b"\r", b"\x85", b" "]
    )
).map(b"".join)
USER_TEXT = st.one_of(ANY_BYTES, HOSTILE, st.text(st.characters(exclude_categories=["Cs"])).map(str.encode))


@given(st.lists(st.tuples(USER_TEXT, USER_TEXT), min_size=1, max_size=4))
@example([(b"two\n7", b"lines")])
@example([(b"a\n7|7|lab", b"x\n7|7|lab|COMPLETED\n"), (b"\n", b"\n\n")])
def test_any_account_and_job_name_come_back_as_they_are_or_replaced_and_shift_nothing(
    texts: list[tuple[bytes, bytes]],
) -> None:
    rows = [
        {"JobID": str(n), "JobIDRaw": str(n), "Account": account, "JobName": name}
        for n, (account, name) in enumerate(texts)
    ]
    answer = sacct_text.parse(printed(*rows))
    assert answer.problems == ()
    plain = sacct_text.parse(printed({})).records[0]
    assert answer.records == tuple(
        replace(
            plain,
            job_id=str(n),
            raw_job_id=n,
            account=account.decode("utf-8", "replace") or None,
            job_name=name.decode("utf-8", "replace"),
        )
        for n, (account, name) in enumerate(texts)
    )


@given(st.binary(max_size=300))
def test_any_bytes_under_a_header_give_rows_or_problems_and_nothing_else(body: bytes) -> None:
    answer = sacct_text.parse(printed() + body)
    assert len(answer.records) + len(answer.problems) >= bool(body)


def test_no_two_delimiters_are_alike() -> None:
    assert len({fresh_delimiter() for _ in range(100)}) == 100
