"""Checks of the machine that doctor runs on: NVML and munge, and the agent's directories on a GPU node."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from sam_cluster.cli.findings import Finding, Status, judged
from sam_cluster.cli.slurm_commands import Ask
from sam_cluster.core.config import Config
from sam_cluster.submissions.munge import Munge

#: In a process of its own: a driver that hangs, hangs whoever asks it.
PROBE = (sys.executable, "-m", "sam_cluster.cli.nvml_probe")
CONTROL_DEVICE = Path("/dev/nvidiactl")
#: Where the hooks, which read no configuration, leave events unless they are told otherwise.
HOOKS_EVENTS = Config().events


def check_node(config: Config, ask: Ask) -> Iterator[Finding]:
    """What a node needs; on a host without GPUs little of it can be seen."""
    has_gpus = False
    for finding in check_nvml(ask):
        has_gpus = has_gpus or (finding.check == "NVML" and finding.status is Status.OK)
        yield finding
    yield judged(
        "munge",
        Munge.installed() is not None,
        "installed" if Munge.installed() else "not installed",
        "install munge, so that the author of a result is certain; without it the owner of the file is taken",
        Status.ADVICE,
    )
    if not has_gpus:
        found = "this host has no GPU that can be read"
        yield Finding("spool and events", Status.SKIPPED, found, "run doctor on a GPU node too")
        return
    yield _private(config.spool, "spool", 0o711, f"install -d -m 711 -o root {config.spool}")
    yield _private(config.spool / "journal", "journal", 0o700, "the agent makes it; chmod 700 it")
    yield _private(config.events, "events", 0o700, "the hooks make it; chown root and chmod 700 it")
    if config.events != HOOKS_EVENTS:
        found = f"the agent looks for events in {config.events}"
        mend = (
            f"the hooks leave them in {HOOKS_EVENTS}, and sam-agent.path looks there: take events out of "
            "[paths], or let both hooks and the unit name the other directory (SAM_CLUSTER_EVENTS)"
        )
        yield Finding("events of the hooks", Status.ADVICE, found, mend)


def check_nvml(ask: Ask) -> Iterator[Finding]:
    """Whether the GPUs can be listed, and which of them have an energy counter."""
    answer = ask(PROBE)
    if answer.code != 0:
        reason = (answer.err.strip().splitlines() or ["no answer"])[-1]
        mend = "see what nvidia-smi says; load the driver, and reset a GPU that hangs"
        status = Status.WRONG if CONTROL_DEVICE.exists() else Status.SKIPPED
        yield Finding(
            "NVML", status, reason, mend if status is Status.WRONG else "run doctor on a GPU node too"
        )
        return
    probe = json.loads(answer.out)
    gpus = probe["gpus"]
    yield Finding("NVML", Status.OK, f"{len(gpus)} GPUs, driver {probe['driver_version']}")
    without = [gpu["uuid"] for gpu in gpus if not gpu["has_counter"]]
    yield judged(
        "energy counter",
        not without,
        f"{len(without)} of {len(gpus)} GPUs without one" if without else "on every GPU",
        "these are metered by the integral of their power, and their figures called estimated",
        Status.ADVICE,
    )


def _private(directory: Path, check: str, widest_mode: int, mend: str) -> Finding:
    try:
        status = directory.stat(follow_symlinks=False)
    except FileNotFoundError:
        return Finding(check, Status.OK, f"{directory} is not there yet; it is made when the first job comes")
    except OSError as error:
        return Finding(check, Status.SKIPPED, f"{directory}: {error.strerror}", "run doctor as root")
    mode = stat.S_IMODE(status.st_mode)
    is_right = stat.S_ISDIR(status.st_mode) and status.st_uid in (0, os.geteuid()) and not mode & ~widest_mode
    return judged(check, is_right, f"{directory}, UID {status.st_uid}, mode {mode:o}", mend)
