"""The rows of the accuracy matrix: each a node, what its GPUs draw, and what befalls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pynvml

from tests.agent.node import AgentNode

WATT = 1_000
LOAD, IDLE = 300 * WATT, 50 * WATT
#: What a GPU counted before the run: it has been at work since its driver was loaded.
COUNTED_MILLIJOULES = 1_000_000_000
#: A GPU from before the counter was there.
P100: Mapping[str, str | int] = {
    "name": "Tesla P100-PCIE-16GB", "architecture": 4, "supports_energy": 0, "power_limit_mw": 600_000,
}  # fmt: skip

Change = Callable[[AgentNode], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """`visible` gives CUDA_VISIBLE_DEVICES of the job, which holds physical GPU `gpu`; `changes` come so many
    seconds after all meters have begun. `runs` hold that GPU at the same time. `column` of the table of runs
    is what is compared: of a slice of a GPU the whole device."""

    name: str
    waveform: str
    load: Change
    seconds: float = 20.0
    interval: float = 10.0
    gpus: int = 1
    gpu: int = 0
    runs: int = 1
    column: str = "energy_millijoules"
    order: tuple[int, ...] | None = None
    visible: Callable[[AgentNode], str] = lambda node: "0"
    changes: tuple[tuple[float, Change], ...] = ()
    properties: Mapping[str, str | int] = field(default_factory=dict)

    def make(self) -> AgentNode:
        """The node, at work."""
        node = AgentNode(gpus=self.gpus, order=self.order, averages_power=0, **self.properties)
        names = {index: node.standin.uuid(index) for index in range(self.gpus)}
        node.configure(names, self.interval)
        for gpu in range(self.gpus):
            node.standin.reset(gpu, COUNTED_MILLIJOULES)
        self.load(node)
        return node


def steady(node: AgentNode) -> None:
    node.standin.constant(0, LOAD)


def one_of_four(node: AgentNode) -> None:
    for gpu in range(4):
        node.standin.constant(gpu, LOAD if gpu == 1 else 690 * WATT)


def steps(node: AgentNode) -> None:
    node.standin.square(0, 100 * WATT, 500 * WATT, 3_400_000)


def restart(node: AgentNode) -> None:
    node.standin.reset(0)


def stop_and_restart(node: AgentNode) -> None:
    node.standin.constant(0, IDLE)
    node.standin.reset(0)


def lose(node: AgentNode) -> None:
    node.standin.set_error(0, "any", pynvml.NVML_ERROR_GPU_IS_LOST)


def slice_uuid(node: AgentNode) -> str:
    return node.standin.set_mig(1, [3])[0]


OTHERS = "300 W beside three GPUs at 690 W, 20 s"

ROWS = (
    Row(name="steady", waveform="300 W, 30 s", load=steady, seconds=30.0),
    Row(
        name="reset under load",
        waveform="300 W, 20 s; the counter restarts at 10 s",
        load=steady,
        changes=((10.0, restart),),
    ),
    Row(
        name="reset, idle end",
        waveform="300 W, 6.9 s, then the counter restarts and 50 W, 1.7 s",
        load=steady,
        seconds=8.6,
        changes=((6.9, stop_and_restart),),
    ),
    Row(
        name="GPU lost",
        waveform="300 W, 20 s; off the bus at 10 s, after 3,000 J",
        load=steady,
        changes=((10.0, lose),),
    ),
    Row(name="no counter", waveform="300 W, 20 s, on a P100", load=steady, properties=P100),
    Row(
        name="UUID",
        waveform=OTHERS,
        load=one_of_four,
        gpus=4,
        gpu=1,
        visible=lambda node: node.standin.uuid(1),
    ),
    Row(
        name="MIG UUID",
        waveform=f"{OTHERS}; one slice, of the whole device",
        load=one_of_four,
        gpus=4,
        gpu=1,
        visible=slice_uuid,
        column="device_energy_millijoules",
    ),
    Row(
        name="index order reversed",
        waveform=f"{OTHERS}; Slurm's index 1 is NVML's 2",
        load=one_of_four,
        gpus=4,
        gpu=1,
        order=(3, 2, 1, 0),
        visible=lambda node: "1",
    ),
    Row(
        name="20-second job",
        waveform="247 W, 20 s",
        load=lambda node: node.standin.constant(0, 247 * WATT),
    ),
    Row(
        name="shared GPU",
        waveform="300 W, 20 s, two jobs at once; the sum of both",
        load=steady,
        runs=2,
    ),
    Row(
        name="load steps, no counter",
        waveform="1.7 s at 100 W, 1.7 s at 500 W, 20 s, on a P100",
        load=steps,
        interval=1.0,
        properties=P100,
    ),
    Row(
        name="load steps, no counter",
        waveform="1.7 s at 100 W, 1.7 s at 500 W, 20 s, on a P100",
        load=steps,
        properties=P100,
    ),
    Row(
        name="load steps, neither counter nor samples",
        waveform="the same, and the driver keeps no samples of power",
        load=steps,
        properties={**P100, "supports_samples": 0},
    ),
)
