"""The sources of accounting that read sacct: the command, and what it printed into a file."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sam_cluster.accounting import saved
from sam_cluster.accounting.commands import failure, run_command
from sam_cluster.accounting.sacct import SacctSource
from sam_cluster.accounting.sacct_columns import OPTIONAL, columns
from sam_cluster.accounting.saved import SavedSource
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.core.units import MICROSECONDS_PER_DAY as DAY
from sam_cluster.core.units import MICROSECONDS_PER_SECOND as SECOND

DATA = Path(__file__).parents[1] / "data" / "sacct"
RECORDED = (DATA / "recorded-22.05.txt").read_bytes()
CONSTRUCTED = (DATA / "constructed-24.11.txt").read_bytes()
RECORDED_DAY = 1795377600 * SECOND // DAY * DAY
HELP_OLD = (DATA / "helpformat-22.05.txt").read_bytes()
HELP_NEW = HELP_OLD + " ".join(OPTIONAL).encode()


class RecordingSlurm:
    """Answers as sacct does, and keeps what it was asked."""

    def __init__(self, helpformat: bytes, answers: Mapping[str, bytes]) -> None:
        self.helpformat = helpformat
        self.answers = answers  # by the day asked for; rows under the columns asked for
        self.commands: list[list[str]] = []
        self.environments: list[Mapping[str, str]] = []

    def __call__(self, command: list[str], environment: Mapping[str, str]) -> bytes:
        self.commands.append(command)
        self.environments.append(environment)
        if "--helpformat" in command:
            return self.helpformat
        options = dict(
            option.split("=", 1) for option in command if option.startswith("--") and "=" in option
        )
        delimiter, asked = options["--delimiter"], options["--format"].split(",")
        text = self.answers.get(command[command.index("-S") + 1][:10], b"")
        return (
            delimiter.encode().join(name.encode() for name in asked)
            + b"\n"
            + text.replace(b"<d>", delimiter.encode())
        )


def rows_of(text: bytes) -> bytes:
    """The rows of a recorded answer, to be given again under another delimiter."""
    header, _, rows = text.partition(b"\n")
    delimiter = re.match(rb"JobID(.+?)JobIDRaw", header)
    assert delimiter
    return rows.replace(delimiter[1], b"<d>")


def test_sacct_is_asked_day_by_day_each_time_under_a_delimiter_of_its_own() -> None:
    slurm = RecordingSlurm(HELP_OLD, {})
    source = SacctSource({"PATH": "/bin"}, slurm)
    assert source.jobs(RECORDED_DAY - 5 * SECOND, RECORDED_DAY + DAY + 1) == []
    assert slurm.commands[0] == ["sacct", "--helpformat"]
    windows = [(each[each.index("-S") + 1], each[each.index("-E") + 1]) for each in slurm.commands[1:]]
    assert windows == [
        ("2026-11-21T23:59:55", "2026-11-22T00:00:00"),
        ("2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("2026-11-23T00:00:00", "2026-11-23T00:00:01"),
    ]
    assert all(each[1:6] == ["-a", "-D", "-X", "-P", "--noconvert"] for each in slurm.commands[1:])
    assert len({each[6] for each in slurm.commands[1:]}) == 3


def test_optional_columns_are_asked_for_where_sacct_knows_them_and_lacking_where_not() -> None:
    old = SacctSource({}, RecordingSlurm(HELP_OLD, {}))
    assert old.lacks == {"sluid", "restart_count"}
    later = RecordingSlurm(HELP_NEW, {})
    assert SacctSource({}, later).lacks == frozenset()


def test_what_would_change_sacct_is_kept_from_it_and_slurm_conf_is_not() -> None:
    slurm = RecordingSlurm(b"", {})
    environment = {
        "PATH": "/bin",
        "SLURM_CONF": "/etc/x",
        "SLURM_TIME_FORMAT": "relative",
        "SLURM_CLUSTERS": "other",
        "SACCT_FORMAT": "User",
        "TZ": "Asia/Kolkata",
    }
    SacctSource(environment, slurm).jobs(0, DAY)
    assert slurm.environments[0] == {
        "PATH": "/bin",
        "SLURM_CONF": "/etc/x",
        "TZ": "UTC",
        "SLURM_TIME_FORMAT": "%s",
        "SLURM_BITSTR_LEN": "0",
    }


def test_a_job_that_two_days_show_is_one_row_and_requeued_runs_are_counted() -> None:
    rows = rows_of(RECORDED)
    slurm = RecordingSlurm(HELP_OLD, {"2026-11-22": rows, "2026-11-23": rows})
    records = SacctSource({}, slurm).jobs(RECORDED_DAY, RECORDED_DAY + 2 * DAY)
    assert len(records) == 42
    attempts = {(each.job_id, each.state): each.restart_count for each in records}
    assert (attempts["14", "REQUEUED"], attempts["14", "COMPLETED"]) == (0, 1)
    assert (attempts["31", "RESIZING"], attempts["31", "COMPLETED"]) == (0, 0)


def test_a_problem_that_each_day_shows_is_reported_once() -> None:
    rows = rows_of(CONSTRUCTED)
    slurm = RecordingSlurm(HELP_NEW, {"2026-11-22": rows, "2026-11-23": rows})
    source = SacctSource({}, slurm)
    source.jobs(RECORDED_DAY, RECORDED_DAY + 2 * DAY)
    assert len(source.problems) == 1
    assert "gres/gpu=many" in source.problems[0]


def exited(code: int, said: bytes) -> subprocess.CalledProcessError:
    return subprocess.CalledProcessError(code, ["sacct"], stderr=said)


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (FileNotFoundError(2, "no sacct"), "install Slurm's client commands"),
        (PermissionError(13, "Permission denied"), "could not be run"),
        (subprocess.TimeoutExpired(["sacct"], 600), "timed out after 600"),
        (exited(1, b"sacct: error: Problem talking to the database: Connection refused"), "start it"),
        (exited(95, b"sacct: error: Too wide of a date range in query"), "MaxQueryTimeRange"),
        (exited(1, b"sacct: fatal: Could not establish a configuration source"), "SLURM_CONF"),
        (exited(1, b"Slurm accounting storage is disabled"), "keeps no accounting"),
        (exited(1, b"\xff"), "run `sacct -a -X`"),
    ],
)
def test_a_sacct_that_fails_is_unavailable_accounting_with_what_to_do(
    failure: Exception, advice: str
) -> None:
    def fail(command: list[str], environment: Mapping[str, str]) -> bytes:
        raise failure

    with pytest.raises(AccountingUnavailable, match=advice):
        SacctSource({}, fail).jobs(0, DAY)


def test_what_sacct_said_is_told_in_its_words_on_one_line() -> None:
    said = b"sacct: error: fetch_config: failed\nsacct: fatal: Could not establish a configuration source\n"

    def fail(command: list[str], environment: Mapping[str, str]) -> bytes:
        raise exited(1, said)

    with pytest.raises(AccountingUnavailable) as told:
        SacctSource({}, fail).jobs(0, DAY)
    assert str(told.value) == (
        "sacct failed: Could not establish a configuration source; slurm.conf was not found: set SLURM_CONF"
    )
    assert failure(exited(9, b""), "sacct") == "sacct failed: exit code 9, without a word"


def test_a_sacct_that_prints_nothing_is_unavailable_accounting_and_not_a_cluster_without_jobs() -> None:
    with pytest.raises(AccountingUnavailable, match="run `sacct -a -X`"):
        SacctSource({}, lambda command, environment: b"").jobs(0, DAY)


def test_a_command_runs_in_the_environment_given_and_its_failure_carries_what_it_said() -> None:
    assert run_command(["/usr/bin/env"], {"TZ": "UTC"}) == b"TZ=UTC\n"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_command(["/bin/sh", "-c", "echo no >&2; exit 3"], {})
    assert (caught.value.returncode, caught.value.stderr) == (3, b"no\n")


def test_a_saved_file_gives_the_rows_of_its_window(tmp_path: Path) -> None:
    path = tmp_path / "sacct.txt"
    path.write_bytes(RECORDED)
    source = SavedSource(path)
    assert source.lacks == {"sluid", "restart_count"}
    assert source.problems == ()
    assert len(source.jobs(RECORDED_DAY, RECORDED_DAY + DAY)) == 42
    assert source.jobs(RECORDED_DAY - DAY, RECORDED_DAY) == []
    early = source.jobs(RECORDED_DAY, 1795377649 * SECOND)
    assert {each.job_id for each in early} == {"1", "2", "3", "4", "5", "6", "7"}


def test_the_command_for_saving_asks_for_what_is_read_in_utc_under_a_fresh_delimiter() -> None:
    words = shlex.split(saved.command(RECORDED_DAY, RECORDED_DAY + DAY))
    assert words[:5] == ["env", "TZ=UTC", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0", "sacct"]
    assert f"--format={','.join(columns(()))}" in words
    assert words[-4:] == ["-S", "2026-11-22T00:00:00", "-E", "2026-11-23T00:00:00"]
    assert saved.command(0, 1) != saved.command(0, 1)


@pytest.mark.parametrize("delimiter", ["|", "\x1f", ", "])
def test_a_saved_file_whose_delimiter_a_name_may_hold_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "sacct.txt"
    path.write_bytes(RECORDED.replace(b"|5e0c41d7a98f3b26|", delimiter.encode()))
    with pytest.raises(AccountingUnavailable, match=r"forged.*save it anew"):
        SavedSource(path)


def test_a_saved_file_that_is_missing_or_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccountingUnavailable, match="absent"):
        SavedSource(tmp_path / "absent")
    (tmp_path / "other").write_bytes(b"PAR1")
    with pytest.raises(AccountingUnavailable, match=r"other.*save it anew"):
        SavedSource(tmp_path / "other")
