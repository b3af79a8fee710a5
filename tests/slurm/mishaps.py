"""Jobs to which things happen: requeues, a lost node, hooks that come twice, late or never, evil texts."""

from __future__ import annotations

from dataclasses import dataclass, field

from sam_cluster.core.model import Shard
from tests.bench.metered import HookRecord, MeteredCluster, NodeRun
from tests.bench.slurm.processes import wait_until

LIMIT = "--time=10"
LOST = "n2"
# Line breaks, `=`, other control characters and bytes that are not UTF-8.
EVIL = "x\nSLURM_JOB_USER=root\nSLURM_JOB_GPUS=0,1,2,3\t=|;$(id)\x01\x1b[31m\x7f\udcff\udcfe"
EVIL_IN_ACCOUNTING = EVIL.replace("\udcff\udcfe", "??")
# As long as need be the first time, so many seconds when it runs again.
_AGAIN = '[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || exec sleep %d\nsleep 300'


@dataclass
class Mishaps:
    """The jobs by what happened to them, and what the nodes told of them."""

    jobs: dict[str, int] = field(default_factory=dict)
    shards: dict[tuple[int, int, str], list[Shard]] = field(default_factory=dict)
    node_runs: list[NodeRun] = field(default_factory=list)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of the nodes, when the lost one was lost and when all was over."""

    def runs_of(self, name: str) -> list[NodeRun]:
        return [run for run in self.node_runs if run.prolog.job_id == self.jobs[name]]

    def shards_of(self, name: str) -> dict[tuple[int, str], list[Shard]]:
        """By restart count and node."""
        job = self.jobs[name]
        return {(key[1], key[2]): shards for key, shards in self.shards.items() if key[0] == job}


def play(metered: MeteredCluster) -> Mishaps:
    """All of it, side by side: what happens on the sound nodes passes while the third is lost."""
    story, slurm = Mishaps(), metered.slurm
    lose_node(metered, story)
    submit = {"requeued": "n1", "twice": "n3", "late": "n3", "never": "n1"}
    for name, node in submit.items():
        script = _AGAIN % 2 if name in ("requeued", "never") else "sleep 2"
        story.jobs[name] = slurm.submit(script, user="bob", extra=[LIMIT, f"--nodelist={node}"])
    metered.nodes["n3"].silence("epilog", story.jobs["late"])
    metered.nodes["n1"].silence("epilog", story.jobs["never"])
    start_without_prolog(metered, story)
    for name in ("requeued", "never"):
        slurm.wait_started(story.jobs[name])
        slurm.requeue(story.jobs[name])
    end_twice(metered, story.jobs["twice"])
    end_late(metered, story.jobs["late"])
    submit_evil(metered, story)
    never = hook_of(metered, story.jobs["never"], "epilog")
    wait_second_run(metered, never.job_id)
    metered.nodes["n1"].unsilence("epilog", never.job_id)
    metered.wait_over(story.jobs["requeued"], story.jobs["never"])
    wait_shards(metered, story.jobs["never"], 2)
    metered.hooks.replay(never)  # long after its run was closed, and its job over
    find_node(metered, story)
    metered.slurm.wait_idle(timeout_seconds=60)
    story.states["over"] = slurm.node_states()
    metered.wait_sealed()
    story.node_runs, story.shards = metered.node_runs(), metered.shards()
    return story


def lose_node(metered: MeteredCluster, story: Mishaps) -> None:
    """A job is on a node whose slurmd dies, after a filler has kept it from the first one."""
    slurm = metered.slurm
    filler = slurm.submit("sleep 3", gpus_per_node=4, extra=[LIMIT, "--nodelist=n1"])
    slurm.wait_started(filler)
    story.jobs["lost"] = slurm.submit(_AGAIN % 9, gpus_per_node=4, extra=[LIMIT, "--exclude=n3"])
    slurm.wait_started(story.jobs["lost"])
    slurm.kill_slurmd(LOST)


def find_node(metered: MeteredCluster, story: Mishaps) -> None:
    """The node comes back while its job runs again elsewhere."""
    slurm = metered.slurm
    slurm.wait_nodes({LOST: ("down*", "down")}, timeout_seconds=60)
    story.states["lost"] = slurm.node_states()
    wait_second_run(metered, story.jobs["lost"])
    slurm.start_slurmd(LOST)
    metered.wait_over(story.jobs["lost"])


def start_without_prolog(metered: MeteredCluster, story: Mishaps) -> None:
    """One job's prolog never came; of another, that of one node."""
    for name, nodes in (("no prolog", 1), ("half a prolog", 2)):
        extra = ["--hold", LIMIT, f"--nodelist={'n3' if nodes == 1 else 'n1,n3'}"]
        job = metered.slurm.submit("sleep 1", user="carol", nodes=nodes, extra=extra)
        metered.nodes["n3"].silence("prolog", job)
        metered.slurm.run("scontrol", "release", str(job))
        story.jobs[name] = job


def submit_evil(metered: MeteredCluster, story: Mishaps) -> None:
    """Jobs whose owner writes wherever a user may write."""
    odd = metered.slurm.work / EVIL
    odd.mkdir(mode=0o755)
    for option in (f"--comment={EVIL}", f"--chdir={odd}", f"--job-name={EVIL}"):
        story.jobs[option.partition("=")[0]] = metered.slurm.submit(
            user="carol", account="vision", extra=[LIMIT, "--output=/dev/null", option]
        )


def end_twice(metered: MeteredCluster, job: int) -> None:
    """The epilog comes again at once, and once more when all is sealed."""
    epilog = hook_of(metered, job, "epilog")
    metered.hooks.replay(epilog)
    metered.wait_sealed(metered.node_runs(job))
    metered.hooks.replay(epilog)


def end_late(metered: MeteredCluster, job: int) -> None:
    """The epilog comes only now."""
    epilog = hook_of(metered, job, "epilog")
    metered.nodes[epilog.node].unsilence("epilog", job)
    metered.hooks.replay(epilog)


def hook_of(metered: MeteredCluster, job: int, hook: str) -> HookRecord:
    """The first of a job's hooks of a kind that slurmd called; waits for it."""
    found: list[HookRecord] = []

    def there() -> bool:
        found[:] = [record for record in metered.records(job) if record.hook == hook]
        return bool(found)

    wait_until(there, 60, lambda: f"slurmd has not called the {hook} of {job}")
    return found[0]


def wait_second_run(metered: MeteredCluster, job: int) -> None:
    """Waits until a requeued job runs again."""

    def runs() -> bool:
        return any(run.prolog.restart == 1 for run in metered.node_runs(job))

    wait_until(runs, 60, lambda: f"{job} does not run again")


def wait_shards(metered: MeteredCluster, job: int, count: int) -> None:
    """Waits for so many final shards of a job."""

    def there() -> bool:
        shards = [shard for key, part in metered.shards().items() if key[0] == job for shard in part]
        return sum(shard.final for shard in shards) >= count

    wait_until(there, 30, lambda: f"no {count} shards of {job}\n{metered.complaints()}")
