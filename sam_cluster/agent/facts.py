"""What a hook's environment says of a run. A fixed list of variables is read; never COMMENT, WORK_DIR,
STD* or EXTRA, which hold users' own text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sam_cluster.core.errors import EventError
from sam_cluster.core.model import SLUID, RunKey

VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_JOB_RESTART_COUNT",
    "SLURM_JOB_SLUID",
    "SLURM_CLUSTER_NAME",
    "SLURMD_NODENAME",
    "SLURM_JOB_UID",
    "SLURM_JOB_USER",
    "SLURM_JOB_ACCOUNT",
    "SLURM_JOB_PARTITION",
    "SLURM_JOB_NUM_NODES",
    "SLURM_JOB_START_TIME",
    "SLURM_JOB_END_TIME",
    "SLURM_HET_JOB_ID",
    "SLURM_JOB_CPUS_PER_NODE",
    "SLURM_JOB_OVERSUBSCRIBE",
    "SLURM_JOB_GPUS",
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
)
#: What may be a part of a path, and of a table's key.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
WORD = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
NUMBER = re.compile(r"[0-9]{1,18}")
INDEX_RANGE = re.compile(r"([0-9]{1,4})-([0-9]{1,4})")
#: CPUs of a job on each of its nodes, where they are alike: 64, 64(x4).
CPUS_PER_NODE = re.compile(r"([0-9]{1,6})(\(x[0-9]{1,6}\))?")
#: What SLURM_JOB_OVERSUBSCRIBE is where no other job may use a node (squeue(1), OVER_SUBSCRIBE).
EXCLUSIVE = "NO"
MOST_GPUS = 64
NO_DEVICES = "NoDevFiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run as the hook saw it. `devices` are the words that name its GPUs, as given."""

    key: RunKey
    node: str | None
    devices: tuple[str, ...]
    uid: int | None = None
    user: str | None = None
    account: str | None = None
    partition: str | None = None
    nodes_expected: int | None = None
    het_job_id: int | None = None
    start_time_seconds: int | None = None
    end_time_seconds: int | None = None
    cpus: int | None = None  # on this node, where the job has as many on all of its nodes
    is_exclusive: bool = False


def run_facts(environ: Mapping[str, str], cluster: str | None = None) -> RunFacts:
    """Read a hook's environment; `cluster` stands before what Slurm calls the cluster.

    Raises EventError where there is no job id.
    """
    job_id = _number(environ, "SLURM_JOB_ID")
    if not job_id:
        raise EventError(f"no job id: SLURM_JOB_ID is {environ.get('SLURM_JOB_ID', 'not set')!r}")
    sluid = environ.get("SLURM_JOB_SLUID", "")
    cpus = CPUS_PER_NODE.fullmatch(environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    key = RunKey(
        cluster=cluster or _text(environ, "SLURM_CLUSTER_NAME", NAME) or "cluster",
        job_id=job_id,
        restart=_number(environ, "SLURM_JOB_RESTART_COUNT") or 0,
        sluid=sluid if SLUID.fullmatch(sluid) else None,
    )
    return RunFacts(
        key=key,
        node=_text(environ, "SLURMD_NODENAME", NAME),
        devices=_devices(environ),
        uid=_number(environ, "SLURM_JOB_UID"),
        user=_text(environ, "SLURM_JOB_USER", WORD),
        account=_text(environ, "SLURM_JOB_ACCOUNT", WORD),
        partition=_text(environ, "SLURM_JOB_PARTITION", WORD),
        nodes_expected=_number(environ, "SLURM_JOB_NUM_NODES"),
        het_job_id=_number(environ, "SLURM_HET_JOB_ID"),
        start_time_seconds=_number(environ, "SLURM_JOB_START_TIME"),
        end_time_seconds=_number(environ, "SLURM_JOB_END_TIME"),
        cpus=int(cpus[1]) if cpus else None,
        is_exclusive=environ.get("SLURM_JOB_OVERSUBSCRIBE") == EXCLUSIVE,
    )


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = _text(environ, name, NUMBER)
    return int(text) if text else None


def _text(environ: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str | None:
    text = environ.get(name, "")
    return text if pattern.fullmatch(text) else None


def _devices(environ: Mapping[str, str]) -> tuple[str, ...]:
    """UUIDs where CUDA_VISIBLE_DEVICES holds them (Slurm from 25.11 on, and MIG always), else indices.

    An index in SLURM_JOB_GPUS is Slurm's GRES index; ranges such as 0-3 are taken apart. A word that is
    none of these is kept: it names a GPU that cannot be found.
    """
    visible = _split(environ.get("CUDA_VISIBLE_DEVICES", ""))
    named = _split(environ.get("SLURM_JOB_GPUS") or environ.get("GPU_DEVICE_ORDINAL") or "")
    if not named or any(word.startswith(("GPU-", "MIG-")) for word in visible):
        named = visible
    devices: list[str] = []
    for word in named:
        if match := INDEX_RANGE.fullmatch(word):
            devices += [str(index) for index in range(int(match[1]), int(match[2]) + 1)[:MOST_GPUS]]
        elif word != NO_DEVICES:
            devices.append(word)
    return tuple(dict.fromkeys(devices))[:MOST_GPUS]


def _split(text: str) -> list[str]:
    words = (word.strip() for word in text.split(","))
    return [word for word in words if WORD.fullmatch(word)]
