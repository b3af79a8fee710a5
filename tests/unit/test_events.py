"""Events: what is one, in which order they are taken, and what happens to what is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.events import EventDirectory, leave_event, parse_event
from sam_cluster.core.errors import EventError

BOOT = "11111111-2222-3333-4444-555555555555"
OLD_BOOT = "99999999-2222-3333-4444-555555555555"


def write(
    path: Path, name: str, uptime: str, boot: str = BOOT, environ: bytes = b"", at: float = 0,
    kind: str = "prolog",
) -> None:  # fmt: skip
    file = path / f"{name}.event"
    file.write_bytes(f"sam-event 1 {kind} {uptime} {boot}\n".encode() + environ)
    os.utime(file, (at, at))


@pytest.fixture
def directory(tmp_path: Path) -> EventDirectory:
    path = tmp_path / "events"
    path.mkdir(mode=0o700)
    return EventDirectory(str(path))


def test_events_are_taken_in_the_order_of_time_those_of_other_boots_first(
    directory: EventDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "events"
    write(path, "a", "20.00")
    write(path, "b", "3.50")
    write(path, "c", "9000.00", OLD_BOOT, at=200)
    write(path, "d", "9500.00", OLD_BOOT, at=100)
    events, bad = directory.take(BOOT)
    assert [event.name[0] for event in events] == ["d", "c", "b", "a"]
    assert events[2].uptime_microseconds == 3_500_000
    assert events[1].at_microseconds == 200_000_000
    assert not bad


@pytest.mark.parametrize("boot", [BOOT, OLD_BOOT])
@pytest.mark.parametrize("later", [0, 0.001])
def test_a_run_that_is_over_at_once_begins_before_it_ends_whatever_its_hooks_processes_are_called(
    boot: str, later: float, directory: EventDirectory, tmp_path: Path
) -> None:
    write(tmp_path / "events", "20.00-999", "20.00", boot, at=100)
    write(tmp_path / "events", "20.00-1000", "20.00", boot, at=100 + later, kind="epilog")
    assert [event.kind for event in directory.take(BOOT)[0]] == ["prolog", "epilog"]


def test_events_that_are_known_are_not_read_again(directory: EventDirectory, tmp_path: Path) -> None:
    write(tmp_path / "events", "a", "20.00")
    assert directory.take(BOOT, ["a.event"]) == ([], [])


def test_the_first_of_two_values_counts_as_getenv_has_it() -> None:
    content = f"sam-event 1 epilog 1.00 {BOOT}\nSLURM_JOB_ID=1\0SLURM_JOB_ID=2\0".encode()
    assert parse_event("e", content, 0).environ == {"SLURM_JOB_ID": "1"}


@given(st.binary(max_size=300))
def test_whatever_bytes_a_file_holds_they_are_an_event_or_none(content: bytes) -> None:
    for file in (content, f"sam-event 1 prolog 1.00 {BOOT}\n".encode() + content):
        try:
            parse_event("e", file, 0)
        except EventError as error:
            assert "event e" in str(error)


def test_links_and_pipes_are_not_followed(directory: EventDirectory, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"sam-event 1 prolog 1.00 {BOOT}\n")
    (tmp_path / "events" / "link.event").symlink_to(secret)
    os.mkfifo(tmp_path / "events" / "pipe.event")
    events, bad = directory.take(BOOT)
    assert events == []
    assert sorted(bad) == ["link.event", "pipe.event"]
    for name in bad:
        directory.set_aside(name)
    assert directory.names() == []
    # Hidden, so that systemd takes the directory for empty.
    assert all(name.startswith(".") for name in os.listdir(tmp_path / "events"))


def test_what_is_half_written_is_removed_a_minute_later(directory: EventDirectory, tmp_path: Path) -> None:
    for name, at in ((".new.part", 1_000), (".old.part", 900)):
        (tmp_path / "events" / name).touch()
        os.utime(tmp_path / "events" / name, (at, at))
    directory.sweep(1_010 * 1_000_000)
    assert os.listdir(tmp_path / "events") == [".new.part"]


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(0o777)
    with pytest.raises(EventError, match=r"writable by nobody else.*0777"):
        EventDirectory(str(path))


def test_a_link_is_no_directory_of_events(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="link"):
        EventDirectory(str(tmp_path / "link"))


def test_a_directory_that_was_replaced_is_not_in_its_place(directory: EventDirectory, tmp_path: Path) -> None:
    assert directory.is_in_place()
    (tmp_path / "events").rename(tmp_path / "away")
    assert not directory.is_in_place()
    (tmp_path / "events").mkdir(mode=0o700)
    assert not directory.is_in_place()


def test_an_event_that_the_agent_leaves_is_one(directory: EventDirectory, tmp_path: Path) -> None:
    leave_event(str(tmp_path / "events"), "release", "12.34", BOOT)
    (event,), _ = directory.take(BOOT)
    assert (event.kind, event.uptime_microseconds) == ("release", 12_340_000)


def test_what_no_hook_left_is_set_aside_so_that_the_directory_is_empty(
    directory: EventDirectory, tmp_path: Path
) -> None:
    # Else systemd would start the next agent as soon as one has ended, for ever.
    for name in ("README", "1.event.copy", "\udcff"):
        (tmp_path / "events" / name).touch()
    (tmp_path / "events" / "lost").mkdir()
    events, bad = directory.take(BOOT)
    assert not events
    for name in bad:
        directory.set_aside(name)
    assert not directory.is_stuck
    assert all(name.startswith(".") for name in os.listdir(tmp_path / "events"))
