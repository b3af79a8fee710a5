"""Records what slurmd tells its hooks: `python -m tests.bench.slurm.record DIRECTORY`.

Unit tests read these files where no Slurm is. Each is the environment as the kernel has it, NUL-separated,
of one prolog or epilog: `22.05-prolog-array-2.environ` is of the second task of a job array.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from tests.bench.slurm import requirements
from tests.bench.slurm.cluster import SlurmCluster

COMMENT = "first line\nSLURM_JOB_USER=root\n=\tSLURM_JOB_ID=1 'quoted' \"twice\" \\ $HOME |;"
"""What a user may put into --comment to mislead a reader of lines."""

# The shell's own /proc/PID/environ is what slurmd gave it, before the shell's changes. The rename makes
# a record appear whole. Nothing of the environment but numbers and the node's name is in a path.
_HOOK = """\
#!/bin/sh
cat "/proc/$$/environ" >"{directory}/.$$" || exit 0
mv "{directory}/.$$" "{directory}/{hook}.$SLURM_JOB_ID.$SLURMD_NODENAME.$(date +%s%N)"
exit 0
"""

_HET_SCRIPT = """\
#!/bin/sh
#SBATCH --nodes=1 --gpus-per-node=1
#SBATCH hetjob
#SBATCH --nodes=1 --gpus-per-node=2
sleep 1
"""


@dataclass(frozen=True)
class Record:
    """One hook's environment."""

    hook: str
    """`prolog` or `epilog`."""
    job_id: int
    node: str
    nanoseconds: int
    """Wall clock when it was written."""
    uid: int
    """Unix user the hook ran as."""
    environ: bytes

    def variables(self) -> dict[str, str]:
        return parse_environ(self.environ)


def parse_environ(environ: bytes) -> dict[str, str]:
    """Name to value; bytes that are not UTF-8 become surrogates."""
    items = (item.partition(b"=") for item in environ.split(b"\0") if item)
    return {name.decode(): value.decode(errors="surrogateescape") for name, _, value in items}


class Recorder:
    """Hooks on a bench that keep their environment."""

    def __init__(self, cluster: SlurmCluster) -> None:
        self._directory = cluster.layout.root / "records"
        self._directory.mkdir(mode=0o700, exist_ok=True)
        hooks = {}
        for hook in ("prolog", "epilog"):
            hooks[hook] = self._directory / f".{hook}"
            hooks[hook].write_text(_HOOK.format(directory=self._directory, hook=hook))
            hooks[hook].chmod(0o755)
        cluster.set_hooks(**hooks)

    def records(self, job_id: int | None = None) -> list[Record]:
        """What was recorded up to now, of one raw job id or of all, in the order of time."""
        found = []
        for path in self._directory.glob("[!.]*"):
            hook, job, node, time = path.name.split(".")
            found.append(Record(hook, int(job), node, int(time), path.stat().st_uid, path.read_bytes()))
        found.sort(key=lambda record: record.nanoseconds)
        return [record for record in found if job_id in (None, record.job_id)]


def record_cases(cluster: SlurmCluster) -> dict[str, bytes]:
    """Runs a job of each kind and gives file name to environment, without the bench's own paths."""
    recorder = Recorder(cluster)
    odd_directory = cluster.work / "line\nSLURM_JOB_USER=root"
    odd_directory.mkdir(mode=0o755, exist_ok=True)
    jobs = {
        "gpu": cluster.submit(nodes=2, gpus_per_node=2, extra=["--exclude=n3"]),
        "array": cluster.submit(user="bob", extra=["--array=1-3"]),
        "het": cluster.submit(_HET_SCRIPT, gpus_per_node=0),
        "comment": cluster.submit(user="carol", account="vision", extra=[f"--comment={COMMENT}"]),
        "chdir": cluster.submit(extra=[f"--chdir={odd_directory}", "--output=/dev/null"]),
        "nogpu": cluster.submit(user="carol", gpus_per_node=0),
        "shard": cluster.submit(gpus_per_node=0, extra=["--gres=shard:2"]),
        "requeue": cluster.submit("sleep 2"),
    }
    cluster.wait_started(jobs["requeue"])
    cluster.requeue(jobs["requeue"])
    cluster.wait(jobs.values())
    cluster.wait_idle()
    cluster.wait_accounted(jobs.values())
    release = "{:02d}.{:02d}".format(*requirements.slurm_release())
    root = bytes(cluster.layout.root)
    files = {}
    for case, job in jobs.items():
        rows = cluster.sacct(f"--jobs={job}", fields="JobID,JobIDRaw")
        parts = {int(row["JobIDRaw"]): row["JobID"] for row in rows}
        records = [record for part in parts for record in recorder.records(part)]
        for hook in ("prolog", "epilog"):
            for position, record in enumerate(r for r in records if r.hook == hook):
                suffix = _suffix(case, record, parts[record.job_id], position)
                files[f"{release}-{hook}-{case}{suffix}.environ"] = record.environ.replace(root, b"/bench")
    return files


def _suffix(case: str, record: Record, name: str, attempt: int) -> str:
    match case:
        case "gpu":
            return f"-{record.node}"
        case "array":
            return f"-{name.partition('_')[2]}"
        case "het":
            return f"-{name.partition('+')[2]}"
        case "requeue":
            return f"-{attempt}"
        case _:
            return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="where to write, tests/data/environ")
    directory: Path = parser.parse_args().directory
    if reason := requirements.available():
        parser.exit(1, f"{reason}\n")
    directory.mkdir(parents=True, exist_ok=True)
    with SlurmCluster(gres=("gpu", "shard")) as cluster:
        for name, environ in record_cases(cluster).items():
            (directory / name).write_bytes(environ)
            print(directory / name)


if __name__ == "__main__":
    main()
