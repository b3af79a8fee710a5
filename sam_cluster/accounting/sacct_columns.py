"""What is asked of sacct: its columns, its arguments, its environment."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from sam_cluster.core.units import MICROSECONDS_PER_SECOND

_ALWAYS = (
    "JobID", "JobIDRaw", "Cluster", "State", "ExitCode", "Submit", "Eligible", "Start", "End", "Suspended",
    "AllocNodes", "NodeList", "UID", "User", "Partition", "QOS", "AllocTRES",
)  # fmt: skip
_CHOSEN_BY_USERS = ("Account", "JobName")  # the last ones, on which telling rows apart rests

#: Known to sacct from Slurm 24.11 on, with the field of JobRecord that each of them says.
OPTIONAL = {"SLUID": "sluid", "Restarts": "restart_count"}

#: Times as seconds since 1970, free of the host's zone; arrays of any length unabridged.
ENVIRONMENT = {"TZ": "UTC", "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}

#: A delimiter of fewer characters might be guessed.
DELIMITER_CHARACTERS_AT_LEAST = 16


def fresh_delimiter() -> str:
    """A delimiter that nobody can have put into a job's name: 64 random bits between bars."""
    return f"|{secrets.token_hex(8)}|"


def columns(known: Iterable[str]) -> tuple[str, ...]:
    """The columns to ask for, of a sacct that knows these."""
    return (*_ALWAYS, *(name for name in OPTIONAL if name in set(known)), *_CHOSEN_BY_USERS)


def arguments(
    asked: Iterable[str], delimiter: str, start_microseconds: int, end_microseconds: int
) -> list[str]:
    """sacct's arguments for all jobs of all users, a row a run, in a window widened to whole seconds."""
    return [
        "-a", "-D", "-X", "-P", "--noconvert", f"--delimiter={delimiter}", f"--format={','.join(asked)}",
        "-S", _iso(start_microseconds // MICROSECONDS_PER_SECOND),
        "-E", _iso(-(-end_microseconds // MICROSECONDS_PER_SECOND)),
    ]  # fmt: skip


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
