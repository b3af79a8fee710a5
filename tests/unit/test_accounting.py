"""What every source of accounting rests on: hostlists, job ids, resources, windows, and rows of one job."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.accounting import hostlist, job_ids, tres
from sam_cluster.accounting.records import JobRecord
from sam_cluster.accounting.source import day_chunks, settle
from sam_cluster.core.units import MICROSECONDS_PER_DAY as DAY
from sam_cluster.core.units import MICROSECONDS_PER_SECOND as SECOND

ROW = JobRecord(
    cluster="lab", job_id="7", raw_job_id=7, array_job_id=None, array_task_id=None, het_job_id=None,
    het_offset=None, job_name="train", user="alice", uid=1000, account="vision", partition="gpu",
    qos="normal", state="COMPLETED", exit_code="0:0", restart_count=None, sluid=None, submit=100 * SECOND,
    eligible=100 * SECOND, start=110 * SECOND, end=200 * SECOND, suspended_seconds=0, node_count=1,
    nodes=("n1",), gpus=1, gpu_shards=None, gpu_mps=None, alloc_tres="gres/gpu=1",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("n1", ["n1"]),
        ("gpu[01-03,7],login1", ["gpu01", "gpu02", "gpu03", "gpu7", "login1"]),
        ("n[8-11]", ["n8", "n9", "n10", "n11"]),
        ("n[098-101]", ["n098", "n099", "n100", "n101"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("r[1,3]c[0-1]s[5]-ib,x", ["r1c0s5-ib", "r1c1s5-ib", "r3c0s5-ib", "r3c1s5-ib", "x"]),
        ("node-a.example", ["node-a.example"]),
        ("None assigned", []),
        ("", []),
    ],
)
def test_a_hostlist_names_its_nodes_in_order_with_their_leading_zeros(text: str, nodes: list[str]) -> None:
    assert hostlist.expand(text) == tuple(nodes)


@pytest.mark.parametrize(
    "text",
    ["n[1-", "n]1", "n[]", "n[a-b]", "n[3-1]", "n[1--2]", "n[1,,2]", ",", "a,,b", "a b", "n[[1-2]]",
     "n[1-9999999]", "n[1-999]x[1-999]y[1-999]"],
)  # fmt: skip
def test_what_is_no_hostlist_is_refused_and_never_expanded_without_bound(text: str) -> None:
    with pytest.raises(ValueError, match=r"hostlist|range|number"):
        hostlist.expand(text)


def packed(prefix: str, numbers: list[int], width: int) -> str:
    """A hostlist of numbered nodes, every other one written as a range of one."""
    items = [f"{n:0{width}}" if n % 2 else f"{n:0{width}}-{n:0{width}}" for n in numbers]
    return f"{prefix}[{','.join(items)}]"


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z][a-z0-9-]*[a-z]", fullmatch=True),
            st.lists(st.integers(0, 9999), min_size=1, max_size=5),
            st.integers(1, 5),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_hostlist_that_was_packed_from_nodes_names_those_nodes(
    words: list[tuple[str, list[int], int]],
) -> None:
    expected = [f"{prefix}{number:0{width}}" for prefix, numbers, width in words for number in numbers]
    assert hostlist.expand(",".join(packed(*word) for word in words)) == tuple(expected)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("123", (None, None, None, None)),
        ("123_4", (123, 4, None, None)),
        ("123_0", (123, 0, None, None)),
        ("123_[5-9]", (123, None, None, None)),
        ("123_[1,4-40:3%2]", (123, None, None, None)),
        ("123+0", (None, None, 123, 0)),
        ("123+1", (None, None, 123, 1)),
    ],
)
def test_a_job_id_says_which_array_or_heterogeneous_job_it_is_part_of(
    text: str, parts: tuple[int | None, ...]
) -> None:
    job = job_ids.parse(text)
    assert (job.array_job_id, job.array_task_id, job.het_job_id, job.het_offset) == parts
    assert job.text == text


@pytest.mark.parametrize(
    "text", ["", "x", "123.batch", "123_", "123+", "123_4_5", "123_[5", "-1", "123\n", "١٢"]
)
def test_what_is_no_job_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no job id"):
        job_ids.parse(text)


@pytest.mark.parametrize(
    ("alloc_tres", "gpus", "shards"),
    [
        ("billing=4,cpu=4,gres/gpu=2,mem=8000M,node=1", 2, None),
        ("gres/gpu:a100=2,gres/gpu=2", 2, None),
        ("gres/gpu:a100=3,gres/gpu:v100=1", 4, None),
        ("cpu=4,gres/shard=3", 0, 3),
        ("cpu=4,gres/gpumem=800G", 0, None),
    ],
)
def test_gpus_are_the_whole_entry_or_the_sum_of_its_types(
    alloc_tres: str, gpus: int, shards: int | None
) -> None:
    assert tres.gpus(alloc_tres, started=True) == gpus
    assert tres.gpu_shards(alloc_tres) == shards


def test_percentages_of_mps_are_read_as_shards_are() -> None:
    assert tres.gpu_mps("billing=1,gres/mps=50,gres/mps:a100=50") == 50
    assert tres.gpu_mps("gres/shard=3") is None
    assert tres.gpu_mps("") is None


def test_without_allocated_resources_gpus_are_none_before_a_start_and_unknown_after_one() -> None:
    assert tres.gpus("", started=False) == 0
    assert tres.gpus("", started=True) is None
    assert tres.gpu_shards("") is None


@given(st.integers(0, 3 * DAY), st.integers(0, 3 * DAY))
def test_the_chunks_of_a_window_tile_it_and_none_crosses_a_midnight(start: int, length: int) -> None:
    chunks = list(day_chunks(start, start + length))
    assert [begin for begin, _ in chunks] + ([start + length] if chunks else []) == (
        [start] * bool(chunks) + [end for _, end in chunks]
    )
    assert bool(chunks) == (length > 0)
    assert all(begin < end and begin // DAY == (end - 1) // DAY for begin, end in chunks)


@pytest.mark.parametrize(
    ("window", "selected"),
    [((0, 100), False), ((0, 101), True), ((150, 160), True), ((200, 300), True), ((201, 300), False)],
)
def test_a_row_is_of_a_window_as_sacct_selects_it(window: tuple[int, int], selected: bool) -> None:
    assert ROW.overlaps(window[0] * SECOND, window[1] * SECOND) is selected


def test_a_row_without_an_end_is_of_every_window_after_it_became_eligible() -> None:
    running = replace(ROW, end=None)
    assert running.overlaps(10**15, 10**15 + 1)
    assert not replace(running, eligible=None, start=None).overlaps(0, 10**15)


def attempts(*states: str) -> list[JobRecord]:
    """Rows of one job number, submitted a hundred seconds apart."""
    times = [(100 + 100 * n) * SECOND for n in range(len(states))]
    return [
        replace(ROW, state=state, submit=at, eligible=at, start=at + 10 * SECOND, end=at + 90 * SECOND)
        for state, at in zip(states, times, strict=True)
    ]


@given(st.randoms(use_true_random=False))
def test_the_kth_run_in_the_order_of_submission_is_restart_k_however_rows_arrive(rng: random.Random) -> None:
    rows = attempts("REQUEUED", "PREEMPTED", "COMPLETED")
    other = [replace(row, raw_job_id=8, job_id="8") for row in rows[:1]]
    arrived = rows + other
    rng.shuffle(arrived)
    settled = settle(arrived, infer_restarts=True)
    assert [(row.raw_job_id, row.state, row.restart_count) for row in settled] == [
        (7, "REQUEUED", 0), (7, "PREEMPTED", 1), (7, "COMPLETED", 2), (8, "REQUEUED", 0),
    ]  # fmt: skip


def test_the_row_after_a_resize_is_the_same_run_and_begins_with_the_resize() -> None:
    before, after = attempts("RESIZING", "COMPLETED")
    repeated_start = replace(after, start=before.start)
    settled = settle([before, repeated_start], infer_restarts=True)
    assert [row.restart_count for row in settled] == [0, 0]
    assert settled[1].start == after.submit


def test_of_several_answers_for_one_row_the_latest_counts() -> None:
    settled = settle([replace(ROW, state="RUNNING", end=None), ROW], infer_restarts=False)
    assert settled == [ROW]


def test_restart_counts_that_the_source_says_are_kept() -> None:
    rows = [replace(row, restart_count=5 + n) for n, row in enumerate(attempts("REQUEUED", "COMPLETED"))]
    assert [row.restart_count for row in settle(rows, infer_restarts=False)] == [5, 6]
