"""How a command of Slurm's is run: with a deadline, in an environment that changes nothing it prints."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping

#: Runs a command in an environment and gives what it printed; raises what `run_command` raises.
Runner = Callable[[list[str], Mapping[str, str]], bytes]

TIMEOUT_SECONDS = 600


def run_command(command: list[str], environment: Mapping[str, str]) -> bytes:
    """Standard output of a command. Raises OSError or subprocess.SubprocessError where it fails."""
    return subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    ).stdout


def undisturbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without Slurm's own variables, which would change what its commands print."""
    return {
        name: value
        for name, value in environment.items()
        if name == "SLURM_CONF" or not name.startswith(("SLURM_", "SACCT_"))
    }


def said(error: subprocess.CalledProcessError) -> str:
    """What a command that failed wrote to standard error."""
    return bytes(error.stderr or b"").decode("utf-8", "replace").strip()


def complaint(written: str) -> str:
    """The last line of what one of Slurm's commands wrote to standard error, which is what it ended for,
    without the command's name in front; empty where it wrote nothing."""
    lines = written.strip().splitlines() or [""]
    return re.sub(r"^[a-z]+: ((error|fatal): )?", "", lines[-1].strip())


def failure(error: subprocess.CalledProcessError, command: str) -> str:
    """That a command failed, in its own words."""
    return f"{command} failed: {complaint(said(error)) or f'exit code {error.returncode}, without a word'}"
