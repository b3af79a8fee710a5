"""From sbatch to a score: accuracies handed in on the real Slurm, inside a job and outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.metered import MeteredCluster
from tests.bench.metered.node import EXECUTABLES

pytestmark = pytest.mark.timeout(300)

CONFIGURATION = """
[sam]
unit = "J"
[groups.seeing]
accounts = ["vision"]
[tasks.imagenet-1k]
metric = "top-1"
aliases = ["imagenet"]
"""


@dataclass
class HandedIn:
    """A job that handed in its own result, one that did not, and the commands to ask with."""

    metered: MeteredCluster
    config: Path
    inside: int
    outside: int

    def submit(self, user: str, *words: str) -> tuple[int, str]:
        """A submission from a login node: exit code and what was said."""
        argv = [EXECUTABLES / "sam-cluster", "submit", "--store", self.metered.store, *words]
        done = self.metered.slurm.run(*map(str, argv), user=user, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def handed_in(metered: MeteredCluster) -> Iterator[HandedIn]:
    metered.sam_cluster("aggregate", "--no-accounting")  # makes the drop box
    config = metered.root / "central.toml"
    config.write_text(CONFIGURATION)
    slurm = metered.slurm
    command = f"{EXECUTABLES}/sam-cluster submit --store {metered.store}"
    script = f"sleep 2; {command} --accuracy 76.3% --task imagenet --model 'res=net\n50'"
    inside = slurm.submit(script, user="alice", account="vision", gpus_per_node=2)
    outside = slurm.submit("sleep 1", user="alice", account="vision", gpus_per_node=1)
    slurm.wait([inside, outside])
    metered.wait_sealed()
    slurm.wait_accounted([inside, outside])
    yield HandedIn(metered, config, inside, outside)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--accuracy", "76.3"], "76.3%"),
        (["--accuracy", "nan"], "nan"),
        (["--accuracy", "0.5", "--jobs", "4999999"], "4999999"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_once(
    handed_in: HandedIn, words: list[str], complaint: str
) -> None:
    jobs = [] if "--jobs" in words else ["--jobs", str(handed_in.outside)]
    code, said = handed_in.submit("alice", "--task", "imagenet", *words, *jobs)
    assert code != 0 and complaint in said and "Traceback" not in said


def test_nobody_hands_in_for_another(handed_in: HandedIn) -> None:
    words = ("--accuracy", "0.99", "--task", "x", "--jobs", str(handed_in.outside))
    code, said = handed_in.submit("bob", *words)
    assert code != 0 and "alice" in said


def test_a_result_has_the_energy_of_its_jobs_and_a_score(handed_in: HandedIn) -> None:
    both = f"{handed_in.inside},{handed_in.outside}"
    code, said = handed_in.submit("alice", "--accuracy", "0.5", "--task", "imagenet-1k", "--jobs", both)
    assert code == 0, said
    metered = handed_in.metered
    metered.sam_cluster("aggregate")
    energy = {row["job_id"]: row["energy_millijoules"] for row in metered.jobs("-S", "now-1hour")}
    asked = metered.sam_cluster("results", "--config", str(handed_in.config), "--format", "json")
    results = {tuple(row["job_ids"]): row for row in json.loads(asked.stdout)}
    own = results[(str(handed_in.inside),)]
    assert (own["user"], own["group"], own["task"], own["accuracy"]) == (
        "alice", "seeing", "imagenet-1k", 0.763,
    )  # fmt: skip
    assert own["energy_kwh"] == pytest.approx(energy[str(handed_in.inside)] / 3.6e9)
    assert own["sam"] > 0 and own["unit"] == "J"
    together = results[(str(handed_in.inside), str(handed_in.outside))]
    total = energy[str(handed_in.inside)] + energy[str(handed_in.outside)]
    assert together["energy_kwh"] == pytest.approx(total / 3.6e9)


def test_the_labs_page_is_made_of_it(handed_in: HandedIn) -> None:
    metered = handed_in.metered
    metered.sam_cluster("aggregate")
    pages = metered.store / "pages"
    words = ("report", "--config", str(handed_in.config), "--group", "seeing", "-S", "now-1hour")
    made = metered.sam_cluster(*words, "-o", str(pages), expect=(0, 3))
    page = next(Path(line) for line in made.stdout.splitlines() if line.endswith(".html")).read_text()
    assert f">{handed_in.inside}<" in page and "imagenet-1k" in page and "alice" in page
