"""A node in a directory: the real hooks, agent, sealing child and store, and the stand-in below them."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_cluster.agent.lock import holder
from sam_cluster.core.config import Config, parse
from sam_cluster.core.errors import SamClusterError
from sam_cluster.core.model import Shard
from sam_cluster.resources import directory as resource
from sam_cluster.standin.standin import Standin
from sam_cluster.store.shards import read_summary

NODE = "selftest"
#: How long is waited for anything at most.
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.05
#: Who a shard is sealed as where the configured service user does not exist here.
NOBODY = "nobody"

_AGENT = """\
#!/bin/sh
export {environ}
exec {agent} "$@" 2>>{errors}
"""


class SelftestError(SamClusterError):
    """Raised when the selftest cannot be carried through."""


@dataclass(frozen=True, slots=True)
class Hook:
    """When a hook began and had ended (CLOCK_BOOTTIME, microseconds)."""

    began: int
    ended: int


class TestedNode:
    """Hooks in, shards out. `agent` is the command that stands for `sam-agent`."""

    def __init__(self, root: Path, standin: Standin, site: Config, agent: Sequence[str]) -> None:
        self.root = root
        self.store = root / "store"
        self._standin = standin
        self._errors = root / "agent.err"
        self._hooks = resource("slurm")
        user = _service_user(site.publish_as)
        inbox = self.store / "inbox"
        inbox.mkdir(parents=True)
        spool, events, store = (json.dumps(str(root / name)) for name in ("spool", "run/events", "store"))
        text = (
            f'[cluster]\nname = "{NODE}"\n'
            f"[paths]\nspool = {spool}\nevents = {events}\nstore = {store}\n"
            f'[agent]\npublish_as = "{user}"\ninterval_seconds = {site.interval_seconds}\n'
        )
        (root / "config.toml").write_text(text, encoding="utf-8")
        self.config = parse(text, root / "config.toml")
        if os.geteuid() == 0:
            shutil.chown(inbox, user)
        environ = " ".join(f"{name}={shlex.quote(value)}" for name, value in standin.environment().items())
        self._agent = root / "sam-agent"
        self._agent.write_text(
            _AGENT.format(environ=environ, agent=shlex.join(agent), errors=shlex.quote(str(self._errors))),
            encoding="utf-8",
        )
        self._agent.chmod(0o755)

    def hook(self, kind: str, job: int, gpu_uuid: str) -> Hook:
        """Run a hook as slurmd does, and see to it that an agent runs: where a unit of systemd is to start
        the site's own, the hook leaves it to that. A second agent finds the lock taken, and ends."""
        environ = self._environ | {
            "SLURM_JOB_ID": str(job),
            "SLURM_CLUSTER_NAME": NODE,
            "SLURM_JOB_NUM_NODES": "1",
            "CUDA_VISIBLE_DEVICES": gpu_uuid,
        }
        began = self._standin.now_us()
        self._call([str(self._hooks / f"{kind}.sh")], environ)
        ended = self._standin.now_us()
        if self._holder() is None:
            self._call(["/usr/bin/env", "setsid", "-f", str(self._agent), "run"], self._environ)
        return Hook(began, ended)

    def shards(self) -> list[Shard]:
        """What is in the store."""
        return [read_summary(path)[0] for path in (self.store / "inbox").glob("*/[!.]*.parquet")]

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Raises SelftestError where it does not come."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            if time.monotonic() > until:
                complaint = self._errors.read_text("utf-8").strip() if self._errors.exists() else ""
                last = complaint.splitlines()[-1:] or ["the agent said nothing"]
                raise SelftestError(
                    f"{what} did not come in {PATIENCE_SECONDS:g} s: {last[0]}; name a directory with --out, "
                    "and look at its spool and agent.err"
                )
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Until the agent has ended by itself, as it does when nothing is left to do; else it is killed."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (process := self._holder()) is not None:
            if time.monotonic() > until:
                os.kill(process, signal.SIGKILL)
                return
            time.sleep(LOOK_SECONDS)

    def _holder(self) -> int | None:
        return holder(str(self.config.events))

    @property
    def _environ(self) -> dict[str, str]:
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SLURMD_NODENAME": NODE,
            "SAM_AGENT": str(self._agent),
            "SAM_CLUSTER_CONFIG": str(self.root / "config.toml"),
            "SAM_CLUSTER_EVENTS": str(self.config.events),
        }

    def _call(self, words: list[str], environ: Mapping[str, str]) -> None:
        nothing = subprocess.DEVNULL
        try:
            subprocess.run(
                words, env=environ, stdin=nothing, stdout=nothing, stderr=nothing, timeout=PATIENCE_SECONDS,
                check=True, cwd="/",
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise SelftestError(f"{words[0]} cannot be run: {error}") from None


def _service_user(configured: str) -> str:
    for name in (configured, NOBODY):
        try:
            if pwd.getpwnam(name).pw_uid:
                return name
        except KeyError:
            continue
    return configured
