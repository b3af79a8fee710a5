"""What tests ask of a running Slurm: submitting, waiting, looking up."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.slurm.processes import BenchError, wait_until

TERMINAL = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "TIMEOUT",
    }
)
"""States in which a run has ended for good."""


class SlurmCommands:
    """Slurm's commands with the bench's configuration."""

    def __init__(self, environment: Mapping[str, str], work: Path) -> None:
        self.environment = dict(environment)
        """Environment of every command, SLURM_CONF in it, and nothing of the caller's."""
        self.work = work
        """Directory in which jobs are submitted and leave their output."""

    def run(
        self, *argv: str, user: str | None = None, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root or as `user`; BenchError with its messages if it fails and `check`."""
        person = {} if user is None else _identity(user)
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, errors="surrogateescape",
            env=self.environment, cwd=self.work, **person,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise BenchError(f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def submit(
        self,
        script: str = "sleep 1",
        *,
        user: str = "alice",
        account: str | None = None,
        nodes: int = 1,
        gpus_per_node: int = 1,
        extra: Sequence[str] = (),
    ) -> int:
        """Submits a shell script as `user` and gives the job's id: an array's, or a het job's leader's.

        `account` is the user's default where None; no GPU is asked for where `gpus_per_node` is 0.
        """
        options = [f"--nodes={nodes}", "--ntasks-per-node=1"]
        if account is not None:
            options.append(f"--account={account}")
        if gpus_per_node:
            options.append(f"--gpus-per-node={gpus_per_node}")
        text = script if script.startswith("#!") else f"#!/bin/sh\n{script}\n"
        done = self.run("sbatch", "--parsable", *options, *extra, user=user, stdin=text)
        return int(done.stdout.strip().partition(";")[0])

    def cancel(self, job: int) -> None:
        self.run("scancel", str(job))

    def requeue(self, job: int) -> None:
        """Ends a running attempt; the next one starts once the old credential has expired."""
        self.run("scontrol", "requeue", str(job))

    def expire(self, job: int) -> None:
        """Lets a running job run out of time: slurmctld notices within half a minute, not the whole one
        that is the shortest time limit."""
        self.run("scontrol", "update", f"JobId={job}", "EndTime=now+2")

    def job_states(self) -> dict[str, str]:
        """State of every job slurmctld remembers, by the name users know it by (`7`, `7_1`, `7+1`)."""
        listing = self.run("squeue", "--states=all", "--array", "--noheader", "--format=%i|%T").stdout
        return dict(line.split("|") for line in listing.split())

    def wait(
        self,
        jobs: int | Iterable[int],
        states: Collection[str] = TERMINAL,
        *,
        timeout_seconds: float = 150.0,
    ) -> dict[str, str]:
        """Waits until slurmctld has all the jobs, with every task or component of theirs, in one of the
        states; gives the states by name. Epilogs may still run: see `wait_idle`; accounting may lag."""
        wanted = _names(jobs)
        found: dict[str, str] = {}

        def reached() -> bool:
            found.clear()
            found.update(item for item in self.job_states().items() if _leader(item[0]) in wanted)
            return {_leader(name) for name in found} == wanted and set(found.values()) <= set(states)

        wait_until(
            reached, timeout_seconds, lambda: f"jobs {sorted(wanted)} are not {sorted(states)}: {found}"
        )
        return found

    def wait_started(self, job: int, *, timeout_seconds: float = 90.0) -> None:
        """Waits until the script of a single job runs: slurmctld says RUNNING before it is launched."""
        output = self.work / f"slurm-{job}.out"
        wait_until(output.exists, timeout_seconds, lambda: f"{output} is not there: {self.job_states()}")

    def wait_accounted(self, jobs: int | Iterable[int], *, timeout_seconds: float = 90.0) -> None:
        """Waits until accounting has the whole of jobs that have ended, which takes up to five seconds:
        slurmctld sends the starts in bulk, and an end may be stored before its start."""
        wanted = _names(jobs)
        rows: list[dict[str, str]] = []

        def complete() -> bool:
            rows[:] = self.sacct(f"--jobs={','.join(sorted(wanted))}", fields="JobID,State,Eligible")
            # To the state of a cancelled job sacct adds by whom.
            ended = all(row["State"].split()[0] in TERMINAL and row["Eligible"] != "Unknown" for row in rows)
            return ended and {_leader(row["JobID"]) for row in rows} == wanted

        wait_until(complete, timeout_seconds, lambda: f"accounting of {sorted(wanted)} is incomplete: {rows}")

    def sacct(self, *options: str, fields: str) -> list[dict[str, str]]:
        """Rows of accounting, one a job or array task, only of a job's last run unless `options` have
        `--duplicates`. `fields`, separated by commas, may not be text of users: its line breaks come through.
        """
        listing = self.run(
            "sacct", "--allusers", "--allocations", "--starttime=now-1day", "--noheader", "--parsable2",
            "--delimiter=\x1f", f"--format={fields}", *options,
        ).stdout  # fmt: skip
        names = fields.split(",")
        return [dict(zip(names, line.split("\x1f"), strict=True)) for line in listing.split("\n") if line]

    def node_states(self) -> dict[str, str]:
        """State of each node in sinfo's words, a trailing `*` for one that does not answer."""
        listing = self.run("sinfo", "--Node", "--noheader", "--format=%N|%T").stdout
        return dict(line.split("|") for line in listing.split())

    def wait_nodes(self, states: Mapping[str, Collection[str]], *, timeout_seconds: float) -> None:
        """Waits until each node named is in one of its states."""

        def failure() -> str:
            reasons = self.run("sinfo", "--list-reasons", "--noheader").stdout
            return f"nodes are {self.node_states()}, not {dict(states)}\n{reasons}"

        def reached() -> bool:
            found = self.node_states()
            return all(found.get(node) in wanted for node, wanted in states.items())

        wait_until(reached, timeout_seconds, failure)


def _names(jobs: int | Iterable[int]) -> set[str]:
    return {str(job) for job in ([jobs] if isinstance(jobs, int) else jobs)}


def _leader(name: str) -> str:
    return name.partition("_")[0].partition("+")[0]


def _identity(user: str) -> dict[str, Any]:
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid)}
