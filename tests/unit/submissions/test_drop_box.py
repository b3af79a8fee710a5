"""The drop box: what honest users put there arrives once, and is removed when it may be."""

from __future__ import annotations

import os
import resource
import stat
from datetime import UTC, datetime, timedelta

import pytest

from sam_cluster.core.errors import StoreError, SubmissionError
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.submissions.collect import Deferral, Deferred, Received, Rejection
from sam_cluster.submissions.drop import drop
from sam_cluster.submissions.fields import MAX_JOBS, MAX_NOTE
from sam_cluster.submissions.model import Confirmation

from .bench import ALICE, BOB, NOW, SERVICE, acting_as, as_root, collected, discarded, put, result, wrapped


def test_a_result_that_is_dropped_is_received_as_it_was(box):
    model = "ViT=H\n\x1b[31m|x\x00y"
    handed_in = result(
        task=" imagenet-1k\n",
        jobs=["101", "102_7", "103+1"],
        texts={"model": f" {model}\t", "note": "größer: 大", "split": "  ", "supersedes": "0" * 32},
    )
    name = drop(handed_in, box, None)
    (outcome,) = collected(box)
    assert outcome.document == handed_in
    assert (outcome.uid, outcome.user, outcome.author_by) == (os.getuid(), "me", "owner")
    assert (handed_in.task, handed_in.model, handed_in.split) == ("imagenet-1k", model, None)
    assert outcome.entry.name == name
    assert discarded(box, [outcome]) == []
    assert list(box.iterdir()) == []


def test_the_file_is_readable_to_all_and_writable_to_its_owner_whatever_the_umask(box):
    before = os.umask(0o077)
    try:
        name = drop(result(), box, None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((box / name).stat().st_mode) == 0o644
    assert [path.name for path in box.iterdir()] == [name]


def test_the_box_is_made_sticky_and_unreadable_whatever_the_umask(store):
    before = os.umask(0o077)
    try:
        prepare(StorePaths(store))
        prepare(StorePaths(store))
    finally:
        os.umask(before)
    assert stat.S_IMODE((store / "submissions").stat().st_mode) == 0o1733


@as_root
def test_users_put_files_into_the_box_and_neither_see_nor_touch_each_others(box):
    os.chown(box, SERVICE, SERVICE)
    with acting_as(ALICE):
        hers = drop(result(), box, None)
    with acting_as(BOB):
        drop(result(), box, None)
        with pytest.raises(PermissionError):
            os.listdir(box)
        with pytest.raises(PermissionError):
            (box / hers).unlink()
        with pytest.raises(PermissionError):
            (box / hers).write_bytes(b"")
    with acting_as(SERVICE):
        outcomes = collected(box)
        assert sorted(outcome.user for outcome in outcomes) == ["alice", "bob"]
        assert discarded(box, outcomes) == []
    assert list(box.iterdir()) == []


@pytest.mark.parametrize("spoil", ["missing", "a file", "a link"])
def test_a_box_that_is_none_is_named_to_the_user(store, spoil):
    path = store / "submissions"
    if spoil == "a file":
        path.touch()
    if spoil == "a link":
        path.symlink_to(store)
    with pytest.raises(SubmissionError, match=f"was not handed in: {path}: .* sam-cluster doctor"):
        drop(result(), path, None)
    with pytest.raises(StoreError, match=f"the drop box {path} cannot be opened"):
        collected(path)


def test_a_file_that_cannot_be_written_whole_is_not_there_at_all(box):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(SubmissionError, match="File too large"):
            drop(result(), box, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(box.iterdir()) == []


def test_the_largest_result_that_may_be_written_may_also_be_read(box):
    jobs = [f"{4_000_000_000 + number}_{4_000_000_000 + number}" for number in range(MAX_JOBS)]
    texts = dict.fromkeys(("metric", "dataset", "split", "model"), "\x00" * 200)
    drop(result(jobs=jobs, texts={**texts, "note": "\x00" * MAX_NOTE}), box, None)
    (outcome,) = collected(box)
    assert isinstance(outcome, Received)


def test_what_was_taken_once_is_not_taken_again_under_any_name(box):
    name = drop(result(), box, None)
    put(box / "copy.json", (box / name).read_bytes())
    outcomes = collected(box)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Received", "Rejected"]
    (digest,) = [outcome.digest for outcome in outcomes if isinstance(outcome, Received)]
    assert [outcome.reason for outcome in collected(box, seen={digest})] == [Rejection.ALREADY_TAKEN] * 2


@as_root
def test_another_users_copy_of_a_plain_file_is_that_users_word_and_takes_nothing_from_the_author(box):
    with acting_as(ALICE):
        name = drop(result(), box, None)
    with acting_as(BOB):
        put(box / "0.json", (box / name).read_bytes())
    assert sorted(outcome.user for outcome in collected(box)) == ["alice", "bob"]


@as_root
def test_a_confirmation_is_the_word_of_who_put_it_there(box):
    said = Confirmation(submission_id="a" * 32, submitted_at=NOW, confirmed=False, reason="größer: 大\x1b[2J")
    with acting_as(BOB):
        drop(said, box, None)
    (outcome,) = collected(box)
    assert (outcome.user, outcome.document, outcome.author_by) == ("bob", said, "owner")
    (again,) = collected(box, seen={outcome.digest})
    assert again.reason == Rejection.ALREADY_TAKEN


def test_a_file_being_written_is_let_alone_for_a_day_and_then_rejected(box):
    put(box / ".7.json.part", b"{")
    assert collected(box) == []
    (outcome,) = collected(box, now=datetime.now(UTC) + timedelta(days=1, seconds=1))
    assert outcome.reason == Rejection.LEFT_OVER
    assert discarded(box, [outcome]) == []


def test_a_user_without_a_name_is_asked_for_again_later(box):
    drop(result(), box, None)
    (outcome,) = collected(box, user_name={}.get)
    assert (type(outcome), outcome.reason) == (Deferred, Deferral.USER_UNKNOWN)
    assert isinstance(collected(box)[0], Received)


def test_a_credential_that_nobody_here_can_check_waits(box):
    put(box / "7.json", wrapped(result().to_json(), "MUNGE:AwQ:"))
    (outcome,) = collected(box)
    assert (type(outcome), outcome.reason) == (Deferred, Deferral.CREDENTIAL_UNCHECKED)


def test_only_what_was_looked_at_is_discarded(box, store):
    names = [drop(result(), box, None) for _ in range(3)]
    (box / "link").symlink_to(put(store / "elsewhere", b"precious"))
    os.mkfifo(box / "fifo")
    (box / "empty").mkdir()
    (box / "full" / "inside").mkdir(parents=True)
    outcomes = collected(box)
    (box / names[0]).unlink()
    replacement = put(store / "new", (box / names[1]).read_bytes())
    replacement.rename(box / names[1])
    with open(box / names[2], "ab") as changed:
        changed.write(b" ")
    late = drop(result(), box, None)
    assert sorted(discarded(box, outcomes)) == sorted([names[1], names[2], "full"])
    assert sorted(path.name for path in box.iterdir()) == sorted([names[1], names[2], "full", late])
    assert (store / "elsewhere").read_bytes() == b"precious"
