"""The errors a user can meet. Each carries its exit code; only the command line prints them."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3


class SamClusterError(Exception):
    """Base of all: its text says what is wrong, where, and what to do."""

    exit_code = EXIT_FAILED


class UsageError(SamClusterError):
    """Raised when a flag, a time expression or a value on the command line cannot be taken."""

    exit_code = EXIT_USAGE


class ConfigError(SamClusterError):
    """Raised when a configuration file cannot be read or holds what it may not hold."""

    exit_code = EXIT_USAGE


class EventError(SamClusterError):
    """Raised when an event left by a hook is not one."""


class ShardError(SamClusterError):
    """Raised when a file handed in as a shard is torn, foreign, or of a schema not known here."""


class StoreError(SamClusterError):
    """Raised when the shared store is missing, unreadable, or holds a commit that cannot be right."""


class SchedulerError(SamClusterError):
    """Raised when the workers that were asked for cannot be had, or are lost."""


class AccountingUnavailable(SamClusterError):
    """Raised when Slurm's accounting cannot be asked, or what it answered cannot be read."""


class SubmissionError(SamClusterError):
    """Raised when a result that is handed in cannot be accepted, with the reason."""


class ProjectionError(SamClusterError):
    """Raised when a longer run cannot be projected from the jobs that were named, with the reason."""


class ReportError(SamClusterError):
    """Raised when a report cannot be printed, or what should be one's manifest is none."""
