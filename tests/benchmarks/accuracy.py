"""sam-cluster and three other meters on the same waveforms, at once: `python -m tests.benchmarks accuracy`.

Each of the others has one process a job, the stand-in under its own pynvml, and CUDA_VISIBLE_DEVICES as Slurm
sets it. Each is compared with the exact integral over its own window, from when it had begun to when it was
told to end.
Needs root, as the agent does, and PyPI, for the others, in an environment of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam_cluster.aggregate.flow import aggregate
from sam_cluster.aggregate.spread.wiring import LocalExecutor
from sam_cluster.core.config import load
from sam_cluster.store.commit import prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.rows import to_rows
from sam_cluster.store.tables import Tables
from tests.agent.node import AgentNode

from .rows import ROWS, Row

#: What is installed from PyPI, by the name of the meter.
PEERS = {"zeus": "0.16.0", "codecarbon": "3.3.2", "carbontracker": "2.4.7"}
ENVIRONMENT = Path(__file__).parents[2] / "build" / "peers"
PROGRAM = Path(__file__).with_name("peers.py")
#: CodeCarbon takes its time to begin, the others do not: it is told first.
ORDER_OF_BEGINNING = ("codecarbon", "carbontracker", "zeus")


@dataclass(frozen=True)
class Given:
    """What a meter gave for a row's jobs together, and what was true over its windows (joules)."""

    meter: str
    joules: float | None
    truth: float
    words: str = ""

    @property
    def error(self) -> float | None:
        """As a fraction of the truth."""
        return None if self.joules is None else self.joules / self.truth - 1

    @property
    def cell(self) -> str:
        """As the table has it."""
        if self.joules is None or self.error is None:
            return f"none: {self.words}"
        figure = f"{self.joules:,.0f} J ({100 * self.error:+.1f} %)"
        return f"{figure} {self.words}".strip().replace("-", "−")


class Peer:
    """Another meter around one job."""

    def __init__(self, python: Path, meter: str, row: Row, node: AgentNode, visible: str) -> None:
        self.meter = meter
        programs = node.root / "programs"
        programs.mkdir(exist_ok=True)
        # CodeCarbon takes a machine on which nvidia-smi cannot be called for one without NVIDIA's GPUs.
        smi = programs / "nvidia-smi"
        smi.write_text("#!/bin/sh\nexit 0\n")
        smi.chmod(0o755)
        self.process = subprocess.Popen(
            [python, PROGRAM, meter, str(row.interval)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            cwd=node.root,
            env={**os.environ, **node.standin.environment(), "CUDA_VISIBLE_DEVICES": visible,
                 "PATH": f"{programs}:{os.environ['PATH']}"},
        )  # fmt: skip

    def tell(self) -> None:
        """It is to begin, or to end."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        """Its next word."""
        assert self.process.stdout
        if not (line := self.process.stdout.readline().strip()):
            raise RuntimeError(f"{self.meter} ended with {self.process.wait()}")
        return line

    def close(self) -> None:
        """Nothing of it is left."""
        self.process.kill()
        self.process.communicate()


def environment() -> Path:
    """The Python of an environment that has the others, made where there is none."""
    python = ENVIRONMENT / "bin" / "python"
    mark = ENVIRONMENT / "installed"
    wanted = [f"{name}=={version}" for name, version in PEERS.items()]
    if not mark.exists() or mark.read_text().split() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        mark.write_text("\n".join(wanted))
    return python


def measure(row: Row, peers: Sequence[str] = (), python: Path = Path(sys.executable)) -> list[Given]:
    """What sam-cluster and the others gave, in this order."""
    with ExitStack() as stack:
        node = row.make()
        stack.callback(node.remove)
        visible = row.visible(node)
        started = [Peer(python, meter, row, node, visible) for meter in peers for _ in range(row.runs)]
        for peer in started:
            stack.callback(peer.close)
        for peer in started:
            assert peer.heard() == "ready"
        for meter in ORDER_OF_BEGINNING:
            mine = [peer for peer in started if peer.meter == meter]
            for peer in mine:
                peer.tell()
            for peer in mine:
                assert peer.heard() == "began"
        _run(row, node, visible, started)
        answers = [(peer.meter, json.loads(peer.heard())) for peer in started]
        ours = _ours(row, node)
        return [ours, *(_given(row, node, meter, answers) for meter in peers)]


def _run(row: Row, node: AgentNode, visible: str, peers: Sequence[Peer]) -> None:
    """The job's hooks, what befalls the GPUs, and the end of all."""
    began = time.monotonic()
    # Where the job has an index, it is Slurm's, which the site's map knows.
    named = {} if visible.isdigit() else {"CUDA_VISIBLE_DEVICES": visible}
    for job in range(1, row.runs + 1):
        node.prolog(job, visible if visible.isdigit() else str(row.gpu), **named)
    for at, change in row.changes:
        time.sleep(max(began + at - time.monotonic(), 0))
        change(node)
    time.sleep(max(began + row.seconds - time.monotonic(), 0))
    for job in range(1, row.runs + 1):
        node.epilog(job, visible if visible.isdigit() else str(row.gpu), **named)
    for peer in peers:
        peer.tell()


def _truth(row: Row, node: AgentNode, spans: Sequence[tuple[int, int]]) -> float:
    """What the GPU drew while one of the jobs held it, in joules, whoever counted it."""
    start, end = min(start for start, _ in spans), max(end for _, end in spans)
    return float(node.standin.truth_millijoules(row.gpu, start, end)) / 1000


def _ours(row: Row, node: AgentNode) -> Given:
    """From the tables, after aggregation."""
    shards = node.wait_shards(row.runs)
    offset = node.standin.epoch_us() - node.standin.now_us()
    spans = [(s.started_at_microseconds - offset, s.ended_at_microseconds - offset) for s in shards]
    paths = StorePaths(node.store)
    prepare(paths)
    aggregate(
        paths,
        load({}, node.config),
        accounting=None,
        now_microseconds=node.standin.epoch_us(),
        executor=LocalExecutor("synchronous"),
    )
    runs = to_rows(Tables(paths).snapshot().read("runs"))
    known = [run[row.column] for run in runs if run[row.column] is not None]
    words = {run["quality"] for run in runs} | {reason for run in runs for reason in run["reasons"]}
    joules = sum(known) / 1000 if len(known) == row.runs else None
    doubt = sum(run["boundary_uncertainty_millijoules"] or 0 for run in runs) / 1000
    said = ", ".join(sorted(words)) if joules is None else f"{', '.join(sorted(words))} ± {doubt:,.0f} J"
    return Given("sam-cluster", joules, _truth(row, node, spans), said)


def _given(row: Row, node: AgentNode, meter: str, answers: Sequence[tuple[str, dict[str, Any]]]) -> Given:
    mine = [answer for name, answer in answers if name == meter]
    truth = _truth(row, node, [(answer["began_us"], answer["ended_us"]) for answer in mine])
    failed = next((answer["failed"] for answer in mine if answer["failed"]), "")
    known = [answer["joules"] for answer in mine if answer["joules"] is not None]
    return Given(meter, sum(known) if len(known) == len(mine) else None, truth, failed)


def table() -> list[str]:
    """The matrix, as lines of Markdown."""
    python = environment()
    meters = ["sam-cluster", *(f"{name} {version}" for name, version in PEERS.items())]
    lines = [
        f"| row | waveform | interval s | true J | {' | '.join(meters)} |",
        f"|---|---|---:|---:|{'---|' * len(meters)}",
    ]
    for row in ROWS:
        given = measure(row, tuple(PEERS), python)
        cells = " | ".join(each.cell.replace("|", "/") for each in given)
        line = f"| {row.name} | {row.waveform} | {row.interval:g} | {given[0].truth:,.0f} | {cells} |"
        sys.stderr.write(f"{line}\n")
        lines.append(line)
    return lines
