"""Which jobs have a slurmstepd on this node, from /proc: no Slurm command is asked."""

from __future__ import annotations

import os
import re

TITLE = re.compile(rb"slurmstepd: \[(\d+)(?:\+\d+)?\.")


def live_jobs(proc: str = "/proc") -> set[int]:
    """Ids of the jobs with a step daemon, whose title is `slurmstepd: [123.extern]`."""
    jobs = set()
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(f"{proc}/{name}/comm", "rb") as comm:
                if comm.read() != b"slurmstepd\n":
                    continue
            with open(f"{proc}/{name}/cmdline", "rb") as title:
                match = TITLE.match(title.read(256))
        except OSError:
            continue
        if match:
            jobs.add(int(match[1]))
    return jobs
