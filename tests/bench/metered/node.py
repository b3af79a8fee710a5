"""One node of the metered bench: its GPUs, its configuration, and the faults that can be put upon it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from sam_cluster.standin.standin import Standin
from tests.bench.mounts import mount_small, set_read_only, unmount
from tests.bench.slurm.accounts import SERVICE_USER
from tests.bench.slurm.conf import CLUSTER, GPUS_PER_NODE
from tests.bench.slurm.processes import BenchError

EXECUTABLES = Path(sys.executable).parent
"""Where sam-agent and sam-cluster are installed, beside the interpreter of the tests."""

# NVML index to physical GPU, and Slurm's GRES index to physical GPU. A map names GPUs in one of two ways;
# a node without a map has to assume that Slurm's index is NVML's.
_NVML_ORDER = {"n1": (2, 0, 3, 1), "n2": (1, 3, 0, 2), "n3": (0, 1, 2, 3)}
_GRES_ORDER = {"n1": (3, 2, 1, 0), "n2": (1, 2, 3, 0), "n3": (0, 1, 2, 3)}

# Levels in milliwatts and period in microseconds of the square wave that each physical GPU draws, of all
# GPUs another, so that the energy of a wrong one shows. A counter that moves in steps of 0.1 s is wrong by
# up to 0.1 s of the power at an instant: to compare that with a run's mean power, the two must be alike.
_COUNTER_STEP_US = 100_000
_WAVES = (
    (100_000, 140_000, 700_000),
    (190_000, 260_000, 1_100_000),
    (320_000, 440_000, 1_700_000),
    (480_000, 660_000, 2_300_000),
)

_AGENT = """\
#!/bin/sh
export LD_LIBRARY_PATH={node}/driver SAM_STANDIN_STATE={node}/nvml
exec {executable} "$@" 2>>{node}/agent.err
"""


class MeteredNode:
    """A node of the bench with a stand-in NVML, a spool, and hooks that find an agent."""

    def __init__(self, root: Path, name: str, store: Path, library: Path) -> None:
        self.name = name
        self.root = root / name
        self.spool = self.root / "spool"
        self.config = self.root / "config.toml"
        self.errors = self.root / "agent.err"
        self._agent = self.root / "sam-agent"
        self._driver = self.root / "driver"
        self._library = library
        self.root.mkdir(mode=0o755)
        self.spool.mkdir(mode=0o755)
        self.standin = self._create_gpus()
        self._driver.symlink_to(library.parent)
        self._agent.write_text(_AGENT.format(node=self.root, executable=EXECUTABLES / "sam-agent"))
        self._agent.chmod(0o755)
        self.config.write_text(self._configuration(store))

    def _create_gpus(self) -> Standin:
        number = int(self.name[1:])
        standin = Standin.create(self.root / "nvml", gpus=GPUS_PER_NODE, library=self._library)
        standin.set_order(_NVML_ORDER[self.name])
        for gpu, (low_mw, high_mw, period_us) in enumerate(_WAVES):
            less = 6_000 * number
            standin.square(gpu, low_mw - less, high_mw - less, period_us + 130_000 * number)
            standin.set_counter(gpu, step_us=_COUNTER_STEP_US, phase_us=17_000 * gpu)
        return standin

    def _configuration(self, store: Path) -> str:
        names = {
            "n1": [f'"{self.standin.uuid(gpu)}"' for gpu in _GRES_ORDER["n1"]],
            "n2": [f'"/dev/nvidia{gpu}"' for gpu in _GRES_ORDER["n2"]],
        }.get(self.name, [])
        gpus = "".join(f"{index} = {name}\n" for index, name in enumerate(names))
        return (
            f'[cluster]\nname = "{CLUSTER}"\n'
            f'[paths]\nspool = "{self.spool}"\nevents = "{self.root}/run/events"\nstore = "{store}"\n'
            f'[agent]\npublish_as = "{SERVICE_USER}"\n[gpus]\n{gpus}'
        )

    def uuid(self, gres_index: int) -> str:
        """UUID of the GPU that Slurm gives under an index."""
        return self.standin.uuid(self.physical(gres_index))

    def physical(self, gres_index: int) -> int:
        """Physical number of the GPU that Slurm gives under an index."""
        return _GRES_ORDER[self.name][gres_index]

    # ---- the agent ----

    def agent_pids(self) -> list[int]:
        """Process ids of this node's agents, without their children."""
        mark = f"SAM_CLUSTER_CONFIG={self.config}".encode()
        return [
            pid
            for pid in _pids()
            if _read(pid, "comm") == b"sam-agent\n" and mark in _read(pid, "environ").split(b"\0")
        ]

    def agent_born_us(self, pid: int) -> int | None:
        """CLOCK_BOOTTIME at which an agent's process began, to 10 ms; None where it has ended."""
        fields = _read(pid, "stat").rpartition(b")")[2].split()
        return int(fields[19]) * 1_000_000 // os.sysconf("SC_CLK_TCK") if fields else None

    def child_pids(self, module: str) -> list[int]:
        """Process ids of the children of this node's agents that run a module of them."""
        name = f"sam_cluster.agent.{module}".encode()
        lines = {pid: _read(pid, "cmdline") for pid in _pids()}
        return [pid for pid, line in lines.items() if name in line and bytes(self.spool) in line]

    def agent(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs an agent's command, as root, and gives what it said."""
        argv = [str(self._agent), *words]
        environ = {
            "PATH": "/usr/bin:/bin", "SLURMD_NODENAME": self.name, "SAM_CLUSTER_CONFIG": str(self.config),
            "SAM_CLUSTER_EVENTS": f"{self.root}/run/events",
        }  # fmt: skip
        return subprocess.run(argv, env=environ, capture_output=True, text=True, cwd="/")

    # ---- faults ----

    def silence(self, hook: str, job: int) -> None:
        """Keeps the project's hook from running here for a job; slurmd's call of it is recorded."""
        (self.root / f"no-{hook}-{job}").touch()

    def unsilence(self, hook: str, job: int) -> None:
        (self.root / f"no-{hook}-{job}").unlink()

    def remove_driver(self) -> None:
        """Lets a process that starts find no libnvidia-ml."""
        self._driver.unlink()

    def restore_driver(self) -> None:
        self._driver.symlink_to(self._library.parent)

    def remove_agent(self) -> None:
        """Lets the hooks find no agent to start, as where python is missing."""
        self._agent.rename(self._agent.with_suffix(".away"))

    def restore_agent(self) -> None:
        self._agent.with_suffix(".away").rename(self._agent)

    def mount_spool(self, kibibytes: int) -> None:
        """Puts the spool on an empty file system of its own."""
        mount_small(self.spool, kibibytes)

    def set_spool_read_only(self, read_only: bool) -> None:
        set_read_only(self.spool, read_only)

    def unmount_spool(self) -> None:
        unmount(self.spool)

    def fill_spool(self) -> None:
        """Leaves no byte free on the spool's own file system."""
        with (self.spool / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while ballast.write(bytes(4096)):
                pass

    def empty_spool(self) -> None:
        (self.spool / "ballast").unlink()

    def remove_spool(self) -> None:
        shutil.rmtree(self.spool)

    def has_outgoing(self) -> bool:
        """Whether a shard is sealed and not in the store."""
        return any(self.spool.glob("outbox/*/[!.]*.parquet"))

    def stop_publisher(self) -> int:
        """Waits for the child that brings shards to the store, and stops it as a hanging store would."""
        deadline = time.monotonic() + 20
        while not (pids := self.child_pids("publish")):
            if time.monotonic() > deadline:
                raise BenchError(f"nothing was published on {self.name}")
        os.kill(pids[0], signal.SIGSTOP)
        return pids[0]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    """A file of a process; nothing where that has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
