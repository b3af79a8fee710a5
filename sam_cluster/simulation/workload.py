"""A month of four labs: who wants which GPUs for how long, and what comes of it. The same at each call.

The story: `vision` is large and burns a sweep, `nlp` trains across nodes, `bio` holds GPUs idle over
days, and `robotics`, three people, gets nearly the accuracy of the large for a fraction of the energy.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

HOUR = 3_600_000_000
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab of the simulated cluster."""

    name: str
    members: tuple[str, ...]
    share: float


LABS = (
    Lab("vision", ("ada", "bela", "chen", "dora", "emil", "fay", "gus", "hana", "ivo"), 0.40),
    Lab("nlp", ("jun", "kira", "liam", "mona", "nils", "olga"), 0.30),
    Lab("bio", ("pia", "quin", "rosa", "sven"), 0.20),
    Lab("robotics", ("tara", "udo", "vera"), 0.10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job as it is submitted, and how it will end. Times in microseconds from the month's start."""

    job_id: int
    lab: str
    user: str
    name: str
    submit: int
    duration: int
    nodes: int
    gpus_per_node: int
    power_milliwatts: int
    state: str = "COMPLETED"
    array_task: int | None = None  # of the array whose first job is `array_of`
    array_of: int | None = None
    requeued_after: int | None = None  # preempted then, and run again from the beginning
    accuracy: float | None = None
    task: str | None = None
    model: str | None = None
    spent: tuple[int, ...] = field(default=())  # other jobs that this result cost

    @property
    def shown_id(self) -> str:
        """As users name it."""
        return f"{self.array_of}_{self.array_task}" if self.array_of is not None else str(self.job_id)


#: lab, model, task, nodes, GPUs a node, hours, watts, accuracy, how often a month
RECIPES = (
    ("vision", "vit-huge", "imagenet-1k", 2, 4, 30, 385, 0.884, 4),
    ("vision", "vit-base", "imagenet-1k", 1, 4, 16, 370, 0.842, 8),
    ("vision", "resnet-50", "imagenet-1k", 1, 2, 10, 330, 0.781, 12),
    ("nlp", "deberta-large", "mnli", 3, 2, 20, 360, 0.913, 5),
    ("nlp", "roberta-base", "mnli", 1, 2, 8, 310, 0.876, 12),
    ("nlp", "tiny-bert", "mnli", 1, 1, 6, 240, 0.825, 8),
    ("bio", "fold-net", "contact-map", 1, 4, 18, 350, 0.71, 7),
    ("bio", "fold-lite", "contact-map", 1, 2, 9, 280, 0.68, 8),
    ("robotics", "efficientnet-b4", "imagenet-1k", 1, 1, 11, 250, 0.829, 10),
    ("robotics", "mobilenet-v3", "imagenet-1k", 1, 1, 7, 190, 0.752, 8),
    ("robotics", "distil-roberta", "mnli", 1, 1, 7, 210, 0.861, 6),
)


def month(days: int, seed: int = 20) -> list[Plan]:
    """The jobs of a month, in the order of submission."""
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    members = {lab.name: lab.members for lab in LABS}
    plans: list[Plan] = []
    job_id = 4_000
    for lab, model, task, nodes, gpus, hours, watts, accuracy, times in RECIPES:
        for _ in range(round(times * days / 30)):
            job_id += 1
            plans.append(
                Plan(
                    job_id=job_id,
                    lab=lab,
                    user=rng.choice(members[lab]),
                    name=f"train-{model}",
                    submit=rng.randrange(days * DAY - 2 * DAY),
                    duration=round(hours * HOUR * rng.uniform(0.85, 1.15)),
                    nodes=nodes,
                    gpus_per_node=gpus,
                    power_milliwatts=round(watts * 1000 * rng.uniform(0.96, 1.04)),
                    accuracy=round(accuracy + rng.uniform(-0.012, 0.008), 4),
                    task=task,
                    model=model,
                    requeued_after=3 * HOUR if rng.random() < 0.05 else None,
                )
            )
    plans += _sweep(rng, job_id + 100, days)
    plans += _idle_hog(job_id + 200, days)
    plans += _mishaps(rng, job_id + 300, days)
    return sorted(plans, key=lambda plan: (plan.submit, plan.job_id))


def _sweep(rng: random.Random, first: int, days: int) -> list[Plan]:
    """An array of 24 trainings of which one is kept: all of them were spent on it."""
    jobs = tuple(range(first, first + 24))
    return [
        Plan(
            job_id=job,
            lab="vision",
            user="chen",
            name="sweep-lr",
            submit=days * DAY // 3,
            duration=round(6 * HOUR * rng.uniform(0.7, 1.3)),
            nodes=1,
            gpus_per_node=1,
            power_milliwatts=345_000,
            array_of=first,
            array_task=task,
            accuracy=0.846 if task == 17 else None,
            task="imagenet-1k",
            model="vit-base, tuned",
            spent=jobs,
        )
        for task, job in enumerate(jobs)
    ]


def _idle_hog(first: int, days: int) -> list[Plan]:
    """Four GPUs held over days at the power of doing nothing."""
    return [
        Plan(
            job_id=first,
            lab="bio",
            user="quin",
            name="jupyter",
            submit=days * DAY // 2,
            duration=min(4 * DAY, days * DAY // 3),
            nodes=1,
            gpus_per_node=4,
            power_milliwatts=62_000,
            state="TIMEOUT",
        )
    ]


def _mishaps(rng: random.Random, first: int, days: int) -> list[Plan]:
    """Jobs that failed, were cancelled, or ran into their limit."""
    return [
        Plan(
            job_id=first + number,
            lab=lab.name,
            user=rng.choice(lab.members),
            name=rng.choice(("debug", "train", "eval")),
            submit=rng.randrange(days * DAY - DAY),
            duration=round(HOUR * rng.uniform(0.1, 5)),
            nodes=1,
            gpus_per_node=rng.choice((1, 1, 2)),
            power_milliwatts=rng.randrange(90_000, 320_000),
            state=rng.choice(("FAILED", "CANCELLED", "FAILED", "TIMEOUT")),
        )
        for number, lab in enumerate(lab for lab in LABS for _ in range(max(1, days // 4)))
    ]
