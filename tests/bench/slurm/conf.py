"""Text of the bench's configuration files, and where everything lies under its one directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CLUSTER = "bench"
NODES = ("n1", "n2", "n3")
GPUS_PER_NODE = 4
SHARDS_PER_GPU = 4
CPUS_PER_NODE = 64

CREDENTIAL_SECONDS = 5
"""Life of a job credential, the shortest that Slurm takes instead of its 120 s: a requeued job waits for
the old one to expire. Prologs may take longer."""


@dataclass(frozen=True)
class Layout:
    """Every path of one bench. The root is short: a socket's path may have 107 bytes, no more."""

    root: Path

    @property
    def slurm_conf(self) -> Path:
        return self.root / "etc" / "slurm.conf"

    @property
    def slurmdbd_conf(self) -> Path:
        return self.root / "etc" / "slurmdbd.conf"

    @property
    def gres_conf(self) -> Path:
        return self.root / "etc" / "gres.conf"

    @property
    def cgroup_conf(self) -> Path:
        return self.root / "etc" / "cgroup.conf"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def work(self) -> Path:
        """Where jobs are submitted and write; anybody may write here."""
        return self.root / "work"

    @property
    def munge(self) -> Path:
        return self.root / "munge"

    @property
    def munge_socket(self) -> Path:
        return self.munge / "socket"

    @property
    def database(self) -> Path:
        return self.root / "db"

    @property
    def database_socket(self) -> Path:
        return self.root / "db.socket"

    def hook(self, name: str) -> Path:
        """The fixed path that slurm.conf names; a link to the script that is in force."""
        return self.root / "hooks" / name

    def gpu(self, node: str, index: int) -> Path:
        return self.root / "nodes" / node / f"nvidia{index}"

    def log(self, daemon: str) -> Path:
        return self.logs / f"{daemon}.log"


@dataclass(frozen=True)
class Ports:
    """TCP ports, one for each daemon that listens.

    Slurm binds to all addresses or to that which the host's name resolves to, in a container none or another
    than 127.0.0.1; so it is all, and only who has the bench's munge key is heard."""

    slurmctld: int
    slurmdbd: int
    slurmd: tuple[int, ...]


def slurm_conf(layout: Layout, ports: Ports, *, host: str, gres: tuple[str, ...], extra: str) -> str:
    root = layout.root
    counts = {"gpu": GPUS_PER_NODE, "shard": GPUS_PER_NODE * SHARDS_PER_GPU}
    node_gres = ",".join(f"{name}:{counts[name]}" for name in gres)
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS_PER_NODE}"
        f" RealMemory=64000 Gres={node_gres}"
        for node, port in zip(NODES, ports.slurmd, strict=True)
    )
    return f"""\
ClusterName={CLUSTER}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports.slurmctld}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={layout.munge_socket},cred_expire={CREDENTIAL_SECONDS}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={layout.log("slurmctld")}
SlurmdLogFile={layout.logs}/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
PropagateResourceLimits=NONE
MailProg=/bin/true

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports.slurmdbd}
AccountingStoragePass={layout.munge_socket}
AccountingStorageTRES={",".join(f"gres/{name}" for name in gres)}
AccountingStorageEnforce=associations
JobAcctGatherType=jobacct_gather/none

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes={",".join(gres)}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
PrologFlags=Alloc,Contain
Prolog={layout.hook("prolog")}
Epilog={layout.hook("epilog")}
SlurmdParameters=config_overrides

SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
JobRequeue=1
ReturnToService=2
SlurmdTimeout=15
KillWait=2
MinJobAge=7200
{extra}
{nodes}
PartitionName=gpu Nodes={",".join(NODES)} Default=YES MaxTime=INFINITE State=UP
"""


def slurmdbd_conf(layout: Layout, ports: Ports, *, host: str) -> str:
    return f"""\
AuthType=auth/munge
AuthInfo=socket={layout.munge_socket}
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports.slurmdbd}
SlurmUser=root
DebugLevel=info
LogFile={layout.log("slurmdbd")}
PidFile={layout.root}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct
"""


def gres_conf(layout: Layout, *, gres: tuple[str, ...]) -> str:
    lines = []
    for node in NODES:
        files = layout.gpu(node, 0).with_name(f"nvidia[0-{GPUS_PER_NODE - 1}]")
        lines.append(f"NodeName={node} Name=gpu File={files}")
        if "shard" in gres:
            lines.append(f"NodeName={node} Name=shard Count={GPUS_PER_NODE * SHARDS_PER_GPU}")
    return "\n".join(lines) + "\n"


def cgroup_conf(release: tuple[int, int]) -> str:
    """Keeps slurmd off the machine's cgroups; releases before 24.05 cannot say it, and need not."""
    return "CgroupPlugin=disabled\n" if release >= (24, 5) else ""
