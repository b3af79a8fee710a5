"""Starts and ends a whole Slurm under one temporary directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from tests.bench.mounts import unmount_below
from tests.bench.slurm import accounts, conf, requirements, services
from tests.bench.slurm.commands import SlurmCommands
from tests.bench.slurm.processes import Daemon, kill_marked

_PREFIX = "sb-"
_NO_HOOK = Path("/bin/true")


class SlurmCluster(SlurmCommands):
    """Three nodes of four GPUs with slurmctld, slurmdbd, munge and a database, as a context manager.

    Everything lies under `layout.root` and has keys and ports of its own, so that several can run at once;
    only the Unix users of `accounts` are the machine's and stay. Needs root.

    `prolog` and `epilog` are executables that slurmd runs as root around each job on each node. `gres` is
    ("gpu",) or ("gpu", "shard"). `extra_conf` is put into slurm.conf.
    """

    def __init__(
        self,
        *,
        prolog: Path | None = None,
        epilog: Path | None = None,
        gres: tuple[str, ...] = ("gpu",),
        extra_conf: str = "",
    ) -> None:
        _sweep()
        root, self._lock = _make_root()
        self.layout = conf.Layout(root)
        environment = requirements.client_environment() | {"SLURM_CONF": str(self.layout.slurm_conf)}
        super().__init__(environment, self.layout.work)
        self._hooks = (prolog, epilog)
        self._gres = gres
        self._extra_conf = extra_conf
        self._daemons: dict[str, Daemon] = {}

    def __enter__(self) -> Self:
        # What is made here is for the jobs' users to read, and not for them to write.
        umask = os.umask(0o022)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        finally:
            os.umask(umask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends all processes of the bench and of its jobs, and removes its directory."""
        for daemon in self._daemons.values():
            daemon.kill()
        try:
            _remove(self.layout.root)
        finally:
            os.close(self._lock)

    def set_hooks(self, *, prolog: Path | None = None, epilog: Path | None = None) -> None:
        """Puts other executables in force from the next job on; None is one that does nothing."""
        for name, script in (("prolog", prolog), ("epilog", epilog)):
            link = self.layout.hook(name)
            new = link.with_suffix(".new")
            new.symlink_to(script or _NO_HOOK)
            new.replace(link)

    def kill_slurmd(self, node: str) -> None:
        """Ends a node's slurmd without warning; its jobs' steps go on, as after a crash of the daemon."""
        self._daemons[f"slurmd.{node}"].kill()

    def start_slurmd(self, node: str) -> None:
        """Starts a node's slurmd (again)."""
        self._launch(f"slurmd.{node}", "slurmd", "-D", "-N", node)

    def revive(self) -> None:
        """Starts slurmd on the nodes where it does not run."""
        for node in conf.NODES:
            if not self._daemons[f"slurmd.{node}"].runs():
                self.start_slurmd(node)

    def slurmd_pid(self, node: str) -> int:
        """Process id; BenchError where it does not run."""
        return self._daemons[f"slurmd.{node}"].pid

    def wait_idle(self, *, timeout_seconds: float = 90.0) -> None:
        """Waits until all nodes are idle, which is after their jobs' epilogs."""
        self.wait_nodes(dict.fromkeys(conf.NODES, ("idle",)), timeout_seconds=timeout_seconds)

    def _start(self) -> None:
        layout, host = self.layout, socket.gethostname().partition(".")[0]
        slurmctld, slurmdbd, *slurmd = _free_ports(2 + len(conf.NODES))
        ports = conf.Ports(slurmctld, slurmdbd, tuple(slurmd))
        self._make_directories()
        self._write_configuration(ports, host)
        self.set_hooks(prolog=self._hooks[0], epilog=self._hooks[1])
        accounts.create_unix_users()
        munge = self._daemons["munged"] = services.start_munge(layout)
        database = self._daemons["mariadbd"] = services.start_database(layout)
        munge.wait_until(lambda: services.answers(layout.munge_socket), timeout_seconds=20)
        database.wait_until(lambda: services.answers(layout.database_socket), timeout_seconds=30)
        self._launch("slurmdbd", "slurmdbd", "-D", extra={"MYSQL_UNIX_PORT": str(layout.database_socket)})
        self._await_listener("slurmdbd", ports.slurmdbd)
        accounts.register(self.run)
        self._launch("slurmctld", "slurmctld", "-D")
        self._await_listener("slurmctld", ports.slurmctld)
        for node in conf.NODES:
            self.start_slurmd(node)
        for node in conf.NODES:
            idle = partial(self._is_idle, node)
            self._daemons[f"slurmd.{node}"].wait_until(idle, timeout_seconds=30)

    def _is_idle(self, node: str) -> bool:
        return self.node_states().get(node) == "idle"

    def _make_directories(self) -> None:
        root = self.layout.root
        root.chmod(0o755)
        for name in ("etc", "logs", "run", "hooks", "state", "spool"):
            (root / name).mkdir(mode=0o755)
        self.layout.work.mkdir()
        self.layout.work.chmod(0o1777)
        for node in conf.NODES:
            self.layout.gpu(node, 0).parent.mkdir(mode=0o755, parents=True)
            for index in range(conf.GPUS_PER_NODE):
                os.mknod(self.layout.gpu(node, index), stat.S_IFCHR | 0o666, os.makedev(1, 3))

    def _write_configuration(self, ports: conf.Ports, host: str) -> None:
        layout = self.layout
        layout.slurm_conf.write_text(
            conf.slurm_conf(layout, ports, host=host, gres=self._gres, extra=self._extra_conf)
        )
        layout.gres_conf.write_text(conf.gres_conf(layout, gres=self._gres))
        layout.cgroup_conf.write_text(conf.cgroup_conf(requirements.slurm_release()))
        layout.slurmdbd_conf.touch(mode=0o600)
        layout.slurmdbd_conf.write_text(conf.slurmdbd_conf(layout, ports, host=host))

    def _launch(self, name: str, *argv: str, extra: Mapping[str, str] = MappingProxyType({})) -> None:
        daemon = Daemon(name, argv, log=self.layout.log(name), environment={**self.environment, **extra})
        self._daemons[name] = daemon
        daemon.start()

    def _await_listener(self, name: str, port: int) -> None:
        self._daemons[name].wait_until(lambda: _listens(port), timeout_seconds=30)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _make_root() -> tuple[Path, int]:
    """A new directory and its lock, held for a bench's life: the kernel lets go of it however that ends.

    The directory gets the name by which the sweep finds it only when it is locked.
    """
    hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir="/tmp"))
    lock = os.open(hidden / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return hidden.rename(hidden.with_name(hidden.name[1:])), lock


def _sweep() -> None:
    """Removes what a bench has left behind whose process was killed."""
    for lock in Path("/tmp").glob(f"{_PREFIX}*/lock"):
        if lock.parent.lstat().st_uid != 0:
            continue  # Anybody can make a directory of this name, and what is in it is not for root to open.
        with lock.open() as held, contextlib.suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock.parent)


def _remove(root: Path) -> None:
    kill_marked(root)
    unmount_below(root)
    shutil.rmtree(root)
