"""The author of a submission, as a real munged says who it is."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from sam_cluster.core.errors import SubmissionError
from sam_cluster.submissions.collect import Deferral, Received, Rejected, Rejection
from sam_cluster.submissions.drop import drop
from sam_cluster.submissions.munge import CredentialUnchecked, Munge

from .bench import ALICE, BOB, acting_as, as_root, collected, discarded, put, result, wrapped

MUNGED = Path("/usr/sbin/munged")

pytestmark = pytest.mark.skipif(
    not MUNGED.exists() or Munge.installed() is None, reason="munge is not installed here"
)


@pytest.fixture(scope="module")
def munge():
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        here = Path(path)
        put(here / "key", os.urandom(128), 0o600)
        files = {name: here / name for name in ("socket", "key-file", "log-file", "pid-file", "seed-file")}
        files["key-file"] = here / "key"
        flags = [f"--{flag}={file}" for flag, file in files.items()]
        subprocess.run([MUNGED, *flags], check=True)  # returns when it listens
        yield Munge.installed(files["socket"])
        subprocess.run([MUNGED, "--stop", f"--socket={files['socket']}"], check=True, capture_output=True)


@pytest.fixture
def no_daemon(store):
    return Munge.installed(store / "no-socket")


@as_root
def test_a_credential_names_the_author_whoever_owns_the_file(box, munge):
    with acting_as(ALICE):
        name = drop(result(), box, munge)
    with acting_as(BOB):
        put(box / "0.json", (box / name).read_bytes())
    (box / name).unlink()
    (outcome,) = collected(box, munge=munge)
    assert outcome.entry.owner_uid == BOB
    assert (outcome.uid, outcome.user, outcome.author_by) == (ALICE, "alice", "munge")


@as_root
def test_a_credential_that_was_copied_counts_once_now_and_ever_after(box, munge):
    with acting_as(ALICE):
        name = drop(result(), box, munge)
    with acting_as(BOB):
        put(box / "0.json", (box / name).read_bytes())
    first, second = collected(box, munge=munge)
    assert isinstance(first, Received)
    assert (second.reason, second.uid) == (Rejection.ALREADY_TAKEN, ALICE)
    put(box / "again.json", (box / name).read_bytes())
    assert discarded(box, [first, second]) == []
    (later,) = collected(box, seen={first.digest}, munge=munge)
    assert (later.entry.name, later.reason) == ("again.json", Rejection.ALREADY_TAKEN)


@as_root
def test_a_second_credential_for_the_same_content_is_a_replay_too(box, munge):
    payload = result().to_json()
    with acting_as(ALICE):
        put(box / "1.json", wrapped(payload, munge.vouch(payload.encode())))
        put(box / "2.json", wrapped(payload, munge.vouch(payload.encode())))
    assert (box / "1.json").read_bytes() != (box / "2.json").read_bytes()
    outcomes = collected(box, munge=munge)
    assert [type(outcome) for outcome in outcomes] == [Received, Rejected]


@as_root
def test_alices_credential_vouches_for_nothing_else(box, munge):
    with acting_as(ALICE):
        credential = munge.vouch(result().to_json().encode())
    with acting_as(BOB):
        put(box / "1.json", wrapped(result(accuracy=0.01).to_json(), credential))
    (outcome,) = collected(box, munge=munge)
    assert (outcome.reason, outcome.uid) == (Rejection.CREDENTIAL_REFUSED, BOB)
    assert outcome.detail == "its munge credential was made for something else"


def test_a_credential_made_for_another_program_vouches_for_nothing(munge):
    content = result().to_json().encode()
    made = subprocess.run(
        [munge.directory / "munge", f"--socket={munge.socket}"],
        input=content, capture_output=True, check=True,
    )  # fmt: skip
    with pytest.raises(SubmissionError, match="was made for something else"):
        munge.author(made.stdout.decode().strip(), content)


def test_munge_having_seen_a_credential_before_is_no_reason_to_refuse_it(munge):
    content = result().to_json().encode()
    credential = munge.vouch(content)
    assert [munge.author(credential, content) for _ in range(3)] == [os.geteuid()] * 3


def test_an_expired_credential_still_names_its_author(munge):
    content = result().to_json().encode()
    # Only time makes a real credential old: this is the one wait there is, of two seconds.
    claim = subprocess.run(
        [munge.directory / "unmunge", f"--socket={munge.socket}", "--keys=STATUS", "--metadata=/dev/null"],
        input=munge.vouch(content).encode(), capture_output=True, check=True,
    ).stdout  # fmt: skip
    made = subprocess.run(
        [munge.directory / "munge", f"--socket={munge.socket}", "--ttl=1"],
        input=claim, capture_output=True, check=True,
    )  # fmt: skip
    time.sleep(2.1)
    credential = made.stdout.strip()
    status = subprocess.run(
        [munge.directory / "unmunge", f"--socket={munge.socket}"], input=credential, capture_output=True
    ).returncode
    assert status == 15
    assert munge.author(credential.decode(), content) == os.geteuid()


@pytest.mark.parametrize(
    "forge",
    [
        lambda credential: "",
        lambda credential: "MUNGE:AwQ:",
        lambda credential: credential + "\n",
        lambda credential: " " + credential,
        lambda credential: "--help",
        lambda credential: credential[:40] + ("A" if credential[40] != "A" else "B") + credential[41:],
        lambda credential: "MUNGE:" + "A" * 60_000 + ":",
        lambda credential: "MUNGE:\udcff:",
    ],
)
def test_a_forged_credential_is_refused(munge, forge):
    content = result().to_json().encode()
    with pytest.raises(SubmissionError, match="its munge credential is"):
        munge.author(forge(munge.vouch(content)), content)


def test_without_a_daemon_the_user_still_hands_in_and_the_owner_is_the_author(box, no_daemon):
    name = drop(result(), box, no_daemon)
    assert json.loads((box / name).read_bytes())["munge"] is None
    assert collected(box, munge=no_daemon)[0].author_by == "owner"


def test_without_a_daemon_the_service_keeps_a_credential_until_it_can_be_checked(box, munge, no_daemon):
    drop(result(), box, munge)
    (outcome,) = collected(box, munge=no_daemon)
    assert outcome.reason == Deferral.CREDENTIAL_UNCHECKED
    assert outcome.detail == "unmunge failed with status 6: does munged run here?"
    with pytest.raises(CredentialUnchecked, match="unmunge could not be run"):
        Munge(Path("/nonexistent")).author("MUNGE:AwQ:", b"")
    assert isinstance(collected(box, munge=munge)[0], Received)
