"""The drop box: what anybody else can put there does no harm."""

from __future__ import annotations

import json
import os
import socket
import stat

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sam_cluster.submissions import box as box_module
from sam_cluster.submissions.box import Fault, open_box, read
from sam_cluster.submissions.collect import Deferral, Received, Rejected, Rejection
from sam_cluster.submissions.drop import drop
from sam_cluster.submissions.model import MAX_FILE_BYTES

from .bench import ALICE, BOB, LAB, SERVICE, acting_as, as_root, collected, discarded, put, result, wrapped


def edited(**changes):
    """The payload of a good result with fields changed."""
    return json.dumps({**json.loads(result().to_json()), **changes})


def symlink_to_a_good_result(path):
    path.symlink_to(put(path.parent.parent / "elsewhere.json", wrapped(result().to_json())))


def dangling_symlink(path):
    path.symlink_to("/nonexistent")


def hard_link(path):
    os.link(put(path.parent.parent / "elsewhere.json", wrapped(result().to_json())), path)


def fifo(path):
    os.mkfifo(path, 0o644)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def directory(path):
    path.mkdir()
    (path / "inside").touch()


def sparse_gigabyte(path):
    put(path, b"")
    os.truncate(path, 1 << 30)


def file(content, mode=0o644):
    return lambda path: put(path, content, mode)


CONFIRMED = {
    "kind": "confirmation", "schema": 2, "submission_id": "a" * 32, "confirmed": True,
    "submitted_at": "2026-10-03T12:00:00+00:00",
}  # fmt: skip

HOSTILE = {
    "symlink": (symlink_to_a_good_result, Fault.NOT_A_REGULAR_FILE),
    "dangling symlink": (dangling_symlink, Fault.NOT_A_REGULAR_FILE),
    "FIFO": (fifo, Fault.NOT_A_REGULAR_FILE),
    "socket": (unix_socket, Fault.NOT_A_REGULAR_FILE),
    "directory": (directory, Fault.NOT_A_REGULAR_FILE),
    "hard link": (hard_link, Fault.LINKED),
    "sparse gigabyte": (sparse_gigabyte, Fault.TOO_LARGE),
    "a byte too many": (file(wrapped(result().to_json()).ljust(MAX_FILE_BYTES + 1)), Fault.TOO_LARGE),
    "group writable": (file(wrapped(result().to_json()), 0o664), Fault.WRITABLE_BY_OTHERS),
    "world writable": (file(wrapped(result().to_json()), 0o646), Fault.WRITABLE_BY_OTHERS),
    "odd mode": (file(wrapped(result().to_json()), 0o755), Rejection.MODE_LEAVES_AUTHOR_OPEN),
    "set-uid": (file(wrapped(result().to_json()), 0o4644), Rejection.MODE_LEAVES_AUTHOR_OPEN),
    "empty": (file(b""), Rejection.NOT_A_SUBMISSION),
    "not JSON": (file(b"{'payload'"), Rejection.NOT_A_SUBMISSION),
    "not UTF-8": (file(b'{"payload": "\xff", "munge": null}'), Rejection.NOT_A_SUBMISSION),
    "nested": (file(b"[" * 60_000), Rejection.NOT_A_SUBMISSION),
    "nested payload": (file(wrapped("[" * 60_000)), Rejection.NOT_A_SUBMISSION),
    "endless number": (file(wrapped("9" * 60_000)), Rejection.NOT_A_SUBMISSION),
    "half a character": (file(b'{"payload": "\\ud800", "munge": null}'), Rejection.NOT_A_SUBMISSION),
    "half a character inside": (file(wrapped(edited(model="\ud800"))), Rejection.NOT_A_SUBMISSION),
    "list for a wrapper": (file(b'["payload", "munge"]'), Rejection.NOT_A_SUBMISSION),
    "credential a number": (file(wrapped(result().to_json(), 7)), Rejection.NOT_A_SUBMISSION),
    "accuracy nan": (file(wrapped(edited(accuracy=float("nan")))), Rejection.NOT_A_SUBMISSION),
    "accuracy in percent": (file(wrapped(edited(accuracy=76.3))), Rejection.NOT_A_SUBMISSION),
    "huge string": (file(wrapped(edited(model="x" * 50_000))), Rejection.NOT_A_SUBMISSION),
    "schema of tomorrow": (file(wrapped(edited(schema=3))), Rejection.NOT_A_SUBMISSION),
    "kind of tomorrow": (file(wrapped(edited(kind=["confirmation"]))), Rejection.NOT_A_SUBMISSION),
    "confirmation of nothing": (file(wrapped('{"kind": "confirmation"}')), Rejection.NOT_A_SUBMISSION),
    "confirmation in another's name": (
        file(wrapped(json.dumps({**CONFIRMED, "user": "bob"}))),
        Rejection.NOT_A_SUBMISSION,
    ),
    "confirmation that is neither": (
        file(wrapped(json.dumps({**CONFIRMED, "confirmed": "yes"}))),
        Rejection.NOT_A_SUBMISSION,
    ),
    "epochs without end": (file(wrapped(edited(epochs=float("inf")))), Rejection.NOT_A_SUBMISSION),
    "epochs that overflow": (file(wrapped(edited(epochs=10**400))), Rejection.NOT_A_SUBMISSION),
    "unknown field": (file(wrapped(edited(user="bob"))), Rejection.NOT_A_SUBMISSION),
}


@pytest.mark.parametrize(("plant", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_rejected_with_its_reason_and_costs_nobody_else(box, plant, reason):
    names = [drop(result(), box, None) for _ in range(2)]
    plant(box / "7.json")
    outcomes = {outcome.entry.name: outcome for outcome in collected(box)}
    planted = outcomes.pop("7.json")
    assert (type(planted), planted.reason, planted.uid) == (Rejected, reason, os.getuid())
    assert planted.detail.isprintable()
    assert len(planted.detail) < 300
    assert sorted(outcomes) == sorted(names)
    assert {type(outcome) for outcome in outcomes.values()} == {Received}


@pytest.mark.parametrize("name", [b"\xff\n.json", b"a\x1b[2J", b"-rf", b"~", b"*"])
def test_a_hostile_name_is_read_and_removed_like_any_other(box, name):
    path = os.path.join(os.fsencode(box), name)
    with open(path, "wb") as target:
        target.write(b"junk")
    outcomes = collected(box)
    assert [outcome.reason for outcome in outcomes] == [Rejection.NOT_A_SUBMISSION]
    assert discarded(box, outcomes) == []
    assert list(box.iterdir()) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text().map(wrapped) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["payload", "munge", "jobs"]), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@example(wrapped(edited(jobs=[["101"]])))
@example(wrapped(edited(jobs={"101": 1})))
@example(wrapped(edited(jobs=[101])))
@example(wrapped(edited(submitted_at="0001-01-01T00:00:00+23:59")))
@example(wrapped(edited(submitted_at=12)))
@example(wrapped(edited(accuracy=10**400)))
@example(wrapped(edited(accuracy=True)))
@example(wrapped(edited(id=["0"])))
def test_no_content_whatever_stops_the_collection(box, content):
    put(box / "7.json", content)
    (outcome,) = collected(box)
    assert (outcome.reason, outcome.detail.isprintable()) == (Rejection.NOT_A_SUBMISSION, True)


@as_root
def test_a_file_of_bobs_that_alice_could_write_is_not_bobs_word(box, store):
    shared = store / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    draft = put(shared / "draft", b"bob's draft", 0o664)
    os.chown(draft, BOB, LAB)
    with acting_as(ALICE, LAB):
        with open(draft, "r+b") as target:
            target.write(wrapped(result(accuracy=0.01).to_json()))
        draft.rename(box / "bob.json")
    (outcome,) = collected(box)
    assert (box / "bob.json").stat().st_uid == BOB
    assert outcome.reason == Fault.WRITABLE_BY_OTHERS


@as_root
def test_a_file_that_the_service_may_not_read_is_rejected(box):
    os.chown(box, SERVICE, SERVICE)
    with acting_as(ALICE):
        put(box / "7.json", wrapped(result().to_json()), 0o600)
    with acting_as(SERVICE):
        (outcome,) = collected(box)
    assert (outcome.reason, outcome.uid) == (Fault.NOT_READABLE, ALICE)


@pytest.mark.parametrize("swap", [symlink_to_a_good_result, fifo, hard_link, directory])
def test_a_file_swapped_after_it_was_looked_at_is_not_followed_and_not_waited_for(box, monkeypatch, swap):
    victim = put(box / "7.json", wrapped(result().to_json()))

    def look_and_swap(directory, name):
        entry = look(directory, name)
        if stat.S_ISREG(entry.mode):
            victim.unlink()
            swap(victim)
        return entry

    look = box_module.look
    monkeypatch.setattr(box_module, "look", look_and_swap)
    (outcome,) = collected(box)
    reasons = {Fault.NOT_A_REGULAR_FILE, Fault.LINKED, Deferral.READING_FAILED}
    assert not isinstance(outcome, Received)
    assert outcome.reason in reasons


@pytest.mark.parametrize("size", [MAX_FILE_BYTES - 1, MAX_FILE_BYTES, MAX_FILE_BYTES + 1])
def test_a_file_is_read_to_its_limit_and_no_further(box, size):
    put(box / "7.json", b"x" * size)
    with open_box(box) as directory:
        _, content = read(directory, "7.json")
    assert content == (b"x" * size if size <= MAX_FILE_BYTES else Fault.TOO_LARGE)
