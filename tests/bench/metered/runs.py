"""What truly ran on a node, as its hooks and its GPUs have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.bench.metered.hooks import HookRecord
from tests.bench.metered.node import MeteredNode

RunKey = tuple[int, int]
"""Raw job id, and the restart count that the prolog saw."""


@dataclass(frozen=True)
class NodeRun:
    """One attempt of a job on one node, between its hooks as slurmd called them."""

    node: MeteredNode
    prolog: HookRecord
    epilog: HookRecord | None
    """None while it runs, and where none came."""

    @property
    def run(self) -> RunKey:
        return self.prolog.job_id, self.prolog.restart

    @property
    def key(self) -> tuple[int, int, str]:
        return (*self.run, self.node.name)

    @property
    def seconds(self) -> float:
        return (self._ended_us - self.prolog.began_us) / 1e6

    @property
    def hook_seconds(self) -> float:
        """What both of its hooks took together."""
        assert self.epilog is not None, f"{self.key} has not ended"
        return self.prolog.seconds + self.epilog.seconds

    @property
    def truth_millijoules(self) -> Fraction:
        """What its GPUs truly drew between its hooks."""
        return self.drawn_millijoules(self.prolog.began_us, self._ended_us)

    def drawn_millijoules(self, from_us: int, to_us: int) -> Fraction:
        """What its GPUs truly drew between two instants."""
        physical = [self.node.physical(index) for index in self.prolog.gpus]
        drawn = [self.node.standin.truth_millijoules(gpu, from_us, to_us) for gpu in physical]
        return sum(drawn, Fraction(0))

    @property
    def mean_milliwatts(self) -> float:
        return float(self.truth_millijoules) / self.seconds

    @property
    def _ended_us(self) -> int:
        assert self.epilog is not None, f"{self.key} has not ended"
        return self.epilog.began_us


def pair(records: Iterable[HookRecord], nodes: Mapping[str, MeteredNode]) -> list[NodeRun]:
    """Prologs of jobs with GPUs and the epilogs that came for them, by job, node and time."""
    runs: list[NodeRun] = []
    open_runs: dict[tuple[int, str], int] = {}
    for record in records:
        if record.exit_code is None:
            continue
        place = record.job_id, record.node
        if record.hook == "prolog" and record.gpus:
            open_runs[place] = len(runs)
            runs.append(NodeRun(nodes[record.node], record, None))
        elif record.hook == "epilog" and place in open_runs:
            index = open_runs.pop(place)
            runs[index] = NodeRun(runs[index].node, runs[index].prolog, record)
    return runs
