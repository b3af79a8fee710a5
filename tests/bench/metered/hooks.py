"""The hooks of the bench: the project's own, unchanged, between two looks at the clock of their events."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from sam_cluster.resources import directory
from tests.bench.slurm.record import parse_environ

HOOKS = ("prolog", "epilog")

# The environment is kept as slurmd gave it, before the wrapper's own exports. The rename makes a record
# appear whole. Nothing of the environment but numbers and the node's name is in a path.
_WRAPPER = """\
#!/bin/sh
node="{root}/$SLURMD_NODENAME"
cat "/proc/$$/environ" >"{records}/.$$"
export SAM_AGENT="$node/sam-agent" SAM_CLUSTER_CONFIG="$node/config.toml"
export SAM_CLUSTER_EVENTS="$node/run/events"
read -r began rest </proc/uptime
status=skipped
[ -e "$node/no-{hook}-$SLURM_JOB_ID" ] || {{ "{script}"; status=$?; }}
read -r ended rest </proc/uptime
mv "{records}/.$$" "{records}/{hook}-$SLURM_JOB_ID-$SLURMD_NODENAME-$began-$ended-$status"
[ "$status" = skipped ] || exit "$status"
"""


@dataclass(frozen=True)
class HookRecord:
    """One call of a hook by slurmd, or its replay."""

    hook: str
    """`prolog` or `epilog`."""
    job_id: int
    node: str
    began_us: int
    """CLOCK_BOOTTIME just before the project's hook, to 10 ms."""
    ended_us: int
    exit_code: int | None
    """None where the bench kept the project's hook from running."""
    environ: bytes

    @property
    def variables(self) -> dict[str, str]:
        return parse_environ(self.environ)

    @property
    def seconds(self) -> float:
        return (self.ended_us - self.began_us) / 1e6

    @property
    def gpus(self) -> tuple[int, ...]:
        """GRES indices of the job's GPUs on this node."""
        return tuple(int(word) for word in self.variables.get("SLURM_JOB_GPUS", "").split(",") if word)

    @property
    def restart(self) -> int:
        return int(self.variables["SLURM_JOB_RESTART_COUNT"])


class Hooks:
    """The two wrappers below a directory, and what they recorded."""

    def __init__(self, root: Path) -> None:
        """`root` has a directory for each node."""
        self._records = root / "hooks"
        self._records.mkdir(mode=0o700)
        self.scripts = {hook: self._write(root, hook) for hook in HOOKS}

    def _write(self, root: Path, hook: str) -> Path:
        script = self._records / f".{hook}"
        project = directory("slurm") / f"{hook}.sh"
        script.write_text(_WRAPPER.format(root=root, records=self._records, hook=hook, script=project))
        script.chmod(0o755)
        return script

    def records(self) -> list[HookRecord]:
        """What was recorded up to now, in the order of time."""
        found = []
        for path in self._records.glob("[!.]*"):
            hook, job, node, began, ended, code = path.name.split("-")
            found.append(
                HookRecord(
                    hook, int(job), node, _microseconds(began), _microseconds(ended),
                    None if code == "skipped" else int(code), path.read_bytes(),
                )
            )  # fmt: skip
        return sorted(found, key=lambda record: record.began_us)

    def replay(self, record: HookRecord) -> None:
        """Calls a hook once more with the environment that slurmd gave it."""
        environ = dict(item.split(b"=", 1) for item in record.environ.split(b"\0") if item)
        subprocess.run([self.scripts[record.hook]], env=environ, check=True, cwd="/")


def _microseconds(uptime: str) -> int:
    seconds, hundredths = uptime.split(".")
    return int(seconds) * 1_000_000 + int(hundredths) * 10_000
