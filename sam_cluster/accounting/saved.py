"""Accounting from a file: what sacct printed somewhere else, on a host without Slurm here."""

from __future__ import annotations

import shlex
from pathlib import Path

from sam_cluster.core.errors import AccountingUnavailable

from . import sacct_text
from .records import JobRecord
from .sacct_columns import DELIMITER_CHARACTERS_AT_LEAST, ENVIRONMENT, arguments, columns, fresh_delimiter
from .source import settle


def command(start_microseconds: int, end_microseconds: int) -> str:
    """The shell command that prints what SavedSource reads, with a delimiter drawn anew for each file.

    From Slurm 24.11 on, `SLUID,Restarts,` may be put before `Account,` in its format.
    """
    settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    asked = arguments(columns(()), fresh_delimiter(), start_microseconds, end_microseconds)
    return shlex.join(["env", *settings, "sacct", *asked])


class SavedSource:
    """The jobs in one file that `command` printed."""

    def __init__(self, path: Path) -> None:
        """Reads the file at once. Raises AccountingUnavailable where it cannot be read or be relied on."""
        try:
            answer = sacct_text.parse(path.read_bytes())
        except OSError as error:
            why = error.strerror or error
            raise AccountingUnavailable(f"saved accounting {path} cannot be read: {why}") from error
        except AccountingUnavailable as error:
            raise AccountingUnavailable(f"saved accounting {path}: {error}; {_SAVE_ANEW}") from error
        if len(answer.delimiter) < DELIMITER_CHARACTERS_AT_LEAST:
            raise AccountingUnavailable(
                f"saved accounting {path} has the delimiter {answer.delimiter!r}, which a job's name may "
                f"hold, so that its rows cannot be told from forged ones; {_SAVE_ANEW}"
            )
        self.lacks = sacct_text.lacks(answer.columns)
        self.problems = answer.problems
        self._records = answer.records

    def jobs(self, start_microseconds: int, end_microseconds: int) -> list[JobRecord]:
        """As AccountingSource says."""
        return settle(
            [each for each in self._records if each.overlaps(start_microseconds, end_microseconds)],
            infer_restarts="restart_count" in self.lacks,
        )


_SAVE_ANEW = "save it anew with the command that sam_cluster.accounting.saved.command() gives"
