"""What a hook costs, beside a bare shell: `python -m tests.benchmarks.hooks [--runs N]`.

All commands are run in turn, again and again, so that a machine that slows down slows all of them; the
ratio of medians to `sh -c :` is what can be compared. A process is counted from fork to exit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sam_cluster.agent.lock import began
from sam_cluster.resources import directory


@dataclass(frozen=True)
class Command:
    """One line of the table; `prepare` is called before each run and is not counted."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    prepare: Callable[[], None] = lambda: None


def commands(root: Path) -> list[Command]:
    """What is measured; `root` is an empty directory on a file system such as /run has."""
    events = root / "events"
    events.mkdir(mode=0o700)
    agent_file = root / "events.agent"
    job = {
        "SLURM_JOB_ID": "4242", "SLURM_JOB_GPUS": "0,1", "CUDA_VISIBLE_DEVICES": "0,1",
        "SLURM_CLUSTER_NAME": "bench", "SLURMD_NODENAME": "n1", "SLURM_JOB_USER": "alice",
        "SAM_CLUSTER_EVENTS": str(events), "SAM_AGENT": "/bin/true",
    }  # fmt: skip

    def clear() -> None:
        for event in events.iterdir():
            event.unlink()

    def agent_runs() -> None:
        clear()
        agent_file.write_text(f"{os.getpid()} {began(os.getpid())}\n")

    def no_agent_runs() -> None:
        clear()
        agent_file.unlink(missing_ok=True)

    slurm = directory("slurm")
    return [
        Command("sh -c :", ("/bin/sh", "-c", ":"), {}),
        Command("prolog, the agent runs", (str(slurm / "prolog.sh"),), job, agent_runs),
        Command("epilog, the agent runs", (str(slurm / "epilog.sh"),), job, agent_runs),
        Command("prolog that starts the agent", (str(slurm / "prolog.sh"),), job, no_agent_runs),
        Command("a hook of a job without GPUs", (str(slurm / "prolog.sh"),), {"SLURM_JOB_ID": "1"}),
        Command("python3 -c 'import pynvml'", (sys.executable, "-c", "import pynvml"), {}),
    ]


def milliseconds(command: Command) -> float:
    """How long one run takes."""
    command.prepare()
    begin = time.perf_counter()
    pid = os.posix_spawn(command.argv[0], command.argv, command.environ)
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - begin) * 1000
    if status:
        raise RuntimeError(f"{command.name} ended with {os.waitstatus_to_exitcode(status)}")
    return took


def measure(runs: int) -> list[str]:
    """The table, as lines of Markdown."""
    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as name:
        measured = commands(Path(name))
        times: dict[str, list[float]] = {command.name: [] for command in measured}
        for run in range(runs + 1):
            for command in measured:
                took = milliseconds(command)
                if run:  # the first warms the caches
                    times[command.name].append(took)
    bare = statistics.median(times["sh -c :"])
    lines = ["| command | median ms | fastest ms | median ÷ `sh -c :` |", "|---|---:|---:|---:|"]
    for name, took in times.items():
        median = statistics.median(took)
        lines.append(f"| {name} | {median:.2f} | {min(took):.2f} | {median / bare:.1f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="counted runs of each (default: %(default)s)")
    print("\n".join(measure(parser.parse_args().runs)))


if __name__ == "__main__":
    main()
