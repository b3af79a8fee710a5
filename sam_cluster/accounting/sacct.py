"""Accounting from `sacct`, the default source."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from sam_cluster.core.errors import AccountingUnavailable

from . import sacct_text
from .commands import Runner, failure, run_command, said, undisturbed
from .records import JobRecord
from .sacct_columns import ENVIRONMENT, arguments, columns, fresh_delimiter
from .source import day_chunks, settle

_HINTS = {
    "date range": "slurmdbd's MaxQueryTimeRange is below one day: raise it, or make this user an operator",
    "Connection refused": "slurmdbd does not answer: start it, and check AccountingStorageHost in slurm.conf",
    "configuration": "slurm.conf was not found: set SLURM_CONF",
    "disabled": "this cluster keeps no accounting: set AccountingStorageType=accounting_storage/slurmdbd",
}


class SacctSource:
    """All jobs that sacct shows the calling user, asked for day by day."""

    def __init__(self, environment: Mapping[str, str], run: Runner = run_command) -> None:
        """Takes the process's environment; Slurm's own variables would change what sacct prints."""
        self._environment = undisturbed(environment) | ENVIRONMENT
        self._run = run
        self._columns: tuple[str, ...] | None = None
        self._problems: dict[str, None] = {}

    @property
    def lacks(self) -> frozenset[str]:
        """As AccountingSource says. Asks sacct once which columns it knows."""
        return sacct_text.lacks(self._asked())

    @property
    def problems(self) -> tuple[str, ...]:
        """As AccountingSource says."""
        return tuple(self._problems)

    def jobs(self, start_microseconds: int, end_microseconds: int) -> list[JobRecord]:
        """As AccountingSource says. Raises AccountingUnavailable where a call fails."""
        asked = self._asked()
        records: list[JobRecord] = []
        for begin, end in day_chunks(start_microseconds, end_microseconds):
            answer = self._parse(self._sacct(*arguments(asked, fresh_delimiter(), begin, end)))
            records.extend(answer.records)
            self._problems.update(dict.fromkeys(answer.problems))
        overlapping = [each for each in records if each.overlaps(start_microseconds, end_microseconds)]
        return settle(overlapping, infer_restarts="restart_count" in self.lacks)

    def _asked(self) -> tuple[str, ...]:
        if self._columns is None:
            self._columns = columns(self._sacct("--helpformat").decode("ascii", "replace").split())
        return self._columns

    def _parse(self, printed: bytes) -> sacct_text.Answer:
        try:
            return sacct_text.parse(printed)
        except AccountingUnavailable as error:
            raise AccountingUnavailable(
                f"sacct printed {error}; run `sacct -a -X` as this user to see why"
            ) from error

    def _sacct(self, *options: str) -> bytes:
        try:
            return self._run(["sacct", *options], self._environment)
        except FileNotFoundError as error:
            raise AccountingUnavailable(
                "sacct was not found: install Slurm's client commands on this host, or put them on PATH"
            ) from error
        except subprocess.CalledProcessError as error:
            raise AccountingUnavailable(_why(error)) from error
        except (OSError, subprocess.SubprocessError) as error:
            raise AccountingUnavailable(f"sacct could not be run: {error}") from error


def _why(error: subprocess.CalledProcessError) -> str:
    hints = (hint for sign, hint in _HINTS.items() if sign in said(error))
    hint = next(hints, "run `sacct -a -X` as this user to see why")
    return f"{failure(error, 'sacct')}; {hint}"
