"""Slurm's commands, asked by argument list and with a deadline; an answer is data, never an exception."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave. `code` is None where it is not installed, cannot be run, or took too long."""

    code: int | None
    out: str = ""
    err: str = ""


Ask = Callable[[Sequence[str]], Answer]


def asking(environ: Mapping[str, str], timeout_seconds: float = TIMEOUT_SECONDS) -> Ask:
    """A way to ask commands with this environment, in UTC and in English."""

    def ask(words: Sequence[str]) -> Answer:
        try:
            done = subprocess.run(
                list(words),
                env={**environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode("utf-8", "replace").rstrip()
            late = f"{words[0]} did not answer in {timeout_seconds} s"
            return Answer(None, err=f"{late}: {said}" if said else late)
        except OSError as error:
            return Answer(None, err=f"{words[0]}: {error.strerror}")
        return Answer(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    return ask
