"""One node without Slurm: the real hooks, agent, children and store, and a stand-in for NVML."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sam_cluster.agent.lock import began, holder
from sam_cluster.core.model import NO_JOB, Shard
from sam_cluster.resources import directory
from sam_cluster.standin.standin import Standin
from sam_cluster.store.shards import read_summary
from tests.agent.slurmd import HookRun, run_command
from tests.bench.mounts import unmount_below
from tests.bench.slurm.processes import kill_marked

SERVICE_USER = "nobody"
LIMIT_SECONDS = 40.0
"""How long is waited for anything at most, on however busy a machine."""

_AGENT = """\
#!/bin/sh
export LD_LIBRARY_PATH={library} SAM_STANDIN_STATE={state}
exec {executable} "$@" 2>>{root}/agent.err
"""


class AgentNode:
    """A node in a directory of its own. Nothing of it is left after `remove`."""

    def __init__(self, *, gpus: int = 4, order: Iterable[int] | None = None, **properties: str | int) -> None:
        """`order`: NVML index to physical GPU; `properties` as of `Standin.create`."""
        self.root = Path(tempfile.mkdtemp(prefix="sa-"))
        self.root.chmod(0o755)
        self.standin = Standin.create(self.root / "state", gpus=gpus, **properties)
        if order is not None:
            self.standin.set_order(list(order))
        self.spool = self.root / "spool"
        self.store = self.root / "store"
        self.inbox = self.store / "inbox"
        self.run = self.root / "run"
        self.events = self.run / "events"
        self.errors = self.root / "agent.err"
        self.config = self.root / "config.toml"
        self.agent_file = self.root / "sam-agent"
        self.inbox.mkdir(parents=True)
        shutil.chown(self.inbox, SERVICE_USER)
        self.configure()
        library = self.standin.library.parent
        executable = Path(sys.executable).parent / "sam-agent"
        self.agent_file.write_text(
            _AGENT.format(library=library, state=self.standin.path, executable=executable, root=self.root)
        )
        self.agent_file.chmod(0o755)

    def configure(
        self,
        gpus: dict[int, str] | None = None,
        interval_seconds: float = 10,
        powercap: Path | None = None,
    ) -> None:
        """Write the configuration; `gpus` maps GRES indices to UUIDs or device files; with `powercap` the
        energy beside the GPUs is metered, from there."""
        named = "".join(f'{index} = "{name}"\n' for index, name in (gpus or {}).items())
        self.config.write_text(
            f'[paths]\nspool = "{self.spool}"\nevents = "{self.events}"\nstore = "{self.store}"\n'
            f'powercap = "{powercap or self.root}"\n'
            f"[agent]\nhost_energy = {str(powercap is not None).lower()}\n"
            f'publish_as = "{SERVICE_USER}"\ninterval_seconds = {interval_seconds}\n[gpus]\n{named}'
        )

    def remove(self) -> None:
        kill_marked(self.root)
        unmount_below(self.root)
        shutil.rmtree(self.root)

    # ---- hooks ----

    def environ(self, job: int, devices: str = "0", *, restart: int = 0, **more: str) -> dict[str, str]:
        """As slurmd gives it to a hook; PATH is not set."""
        environ = {
            "CUDA_VISIBLE_DEVICES": devices,
            "SLURM_JOB_GPUS": devices,
            "SLURMD_NODENAME": "n1",
            "SLURM_CLUSTER_NAME": "bench",
            "SLURM_JOB_ID": str(job),
            "SLURM_JOB_USER": "alice",
            "SLURM_JOB_RESTART_COUNT": str(restart),
            "SAM_AGENT": str(self.agent_file),
            "SAM_CLUSTER_CONFIG": str(self.config),
            "SAM_CLUSTER_EVENTS": str(self.events),
            **more,
        }
        return {name: value for name, value in environ.items() if value}

    def hook(self, kind: str, environ: dict[str, str], *, descriptors: tuple[int, ...] = ()) -> HookRun:
        """Run a hook as slurmd does. Whatever is broken, it says nothing, and all is well."""
        done = run_command(directory("slurm") / f"{kind}.sh", environ, descriptors=descriptors)
        assert (done.exit_code, done.output) == (0, b"")
        return done

    def prolog(self, job: int, devices: str = "0", *, restart: int = 0, **more: str) -> HookRun:
        return self.hook("prolog", self.environ(job, devices, restart=restart, **more))

    def epilog(self, job: int, devices: str = "0", *, restart: int = 0, **more: str) -> HookRun:
        return self.hook("epilog", self.environ(job, devices, restart=restart, **more))

    # ---- the agent ----

    def agent(self) -> int | None:
        """Its process id, by its own word; None where none runs."""
        return holder(str(self.events))

    def wait_agent(self) -> int:
        """The process id of an agent that has taken all events."""
        self.wait(lambda: self.agent() and not self.waiting_events(), "an agent")
        pid = self.agent()
        assert pid
        return pid

    def wait_ended(self) -> None:
        """Until the agent has nothing left to do."""
        self.wait(lambda: not self.agent() and not self.processes(), "the end of the agent")

    def start_agent(self, umask: int = 0o077) -> subprocess.Popen[bytes]:
        """As systemd does: no hook is behind it."""
        environ = {name: value for name, value in self.environ(0).items() if name.startswith("SAM_")}
        return subprocess.Popen([self.agent_file, "run"], env=environ, umask=umask, cwd="/")

    def kill_agent(self) -> None:
        """kill -9, and no more than that process, as soon as there is one."""
        self.wait(self.agent, "an agent to kill")
        pid = self.agent()
        assert pid
        self.kill(pid)

    def kill(self, pid: int) -> None:
        """kill -9, and wait: until it is dead a hook takes it for alive."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.wait(lambda: began(pid) is None, f"the death of process {pid}")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of the agent's commands, as an administrator calls it."""
        environ = {name: value for name, value in self.environ(0).items() if name.startswith("SAM_")}
        return subprocess.run(
            [self.agent_file, *words],
            env={"PATH": "/usr/bin:/bin", **environ},
            capture_output=True,
            text=True,
        )

    def processes(self, word: str = "") -> list[int]:
        """Process ids of agents and children of this node that live, with a word in their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (pid := int(entry.name)) != os.getpid() and began(pid) is not None:
                try:
                    line, environ = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                except OSError:
                    continue
                if word.encode() in line and os.fsencode(self.root) in line + environ:
                    found.append(pid)
        return found

    def waiting_events(self) -> list[str]:
        return [path.name for path in self.events.glob("*.event")] if self.events.is_dir() else []

    # ---- what came of it ----

    def shards(self) -> list[Shard]:
        """What lies in the store of runs, by job, restart count and part."""
        found = [shard for shard in self._in_store() if shard.key.job_id != NO_JOB]
        return sorted(found, key=lambda shard: (shard.key.job_id, shard.key.restart, shard.part))

    def idle_shards(self) -> list[Shard]:
        """What lies in the store of GPUs that no run held."""
        return [shard for shard in self._in_store() if shard.key.job_id == NO_JOB]

    def _in_store(self) -> list[Shard]:
        return [read_summary(path)[0] for path in self.inbox.glob("*/[!.]*.parquet")]

    def wait_shards(self, count: int) -> list[Shard]:
        """So many, and no more."""
        self.wait(lambda: len(self.shards()) >= count, f"{count} shards")
        assert len(self.shards()) == count
        return self.shards()

    def wait_shard(self) -> Shard:
        return self.wait_shards(1)[0]

    def wait(self, is_so: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come\n{self.complaints()}")
            time.sleep(0.02)

    def complaints(self) -> str:
        errors = self.errors.read_text() if self.errors.exists() else ""
        return f"{errors}\n{self.command('status').stdout}"


def bounds_millijoules(
    node: AgentNode, gpus: Iterable[int], prolog: HookRun, epilog: HookRun
) -> tuple[float, float]:
    """Between what the energy of a run may lie: what its GPUs truly drew between its hooks, which took
    some time themselves, with an error of 0.5 % and of its power for 0.2 s."""
    least, most = 0.0, 0.0
    for gpu in gpus:
        least += float(node.standin.truth_millijoules(gpu, prolog.ended_us, epilog.began_us))
        most += float(node.standin.truth_millijoules(gpu, prolog.began_us, epilog.ended_us))
    power = least / max(epilog.began_us - prolog.ended_us, 1)  # mJ per microsecond
    error = 0.005 * least + 200_000 * power
    return least - error, most + error
