"""Several users around one drop box."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from sam_cluster.submissions.box import discard, open_box
from sam_cluster.submissions.collect import collect
from sam_cluster.submissions.drop import compose

NOW = datetime.now(UTC)  # beside the change times of real files, which no test can set
SERVICE, ALICE, BOB, LAB = 64_100, 64_101, 64_102, 64_200
NAMES = {ALICE: "alice", BOB: "bob", os.getuid(): "me"}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users")


@contextmanager
def acting_as(uid, gid=None):
    os.setegid(gid or uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def result(**changes):
    fields = {"now": NOW, "cluster": "lab", "jobs": ["101"], "accuracy": 0.763, "task": "imagenet-1k"}
    return compose(**{**fields, **changes})


def wrapped(payload, credential=None):
    return json.dumps({"payload": payload, "munge": credential}).encode()


def put(path, content, mode=0o644):
    path.write_bytes(content)
    path.chmod(mode)
    return path


def collected(box, seen=(), user_name=NAMES.get, munge=None, now=NOW):
    with open_box(box) as directory:
        return list(collect(directory, seen=seen, user_name=user_name, munge=munge, now=now))


def discarded(box, outcomes):
    with open_box(box) as directory:
        return [entry.name for entry in discard(directory, [outcome.entry for outcome in outcomes])]
