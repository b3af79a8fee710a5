"""The simulated researchers, and a munge that vouches for the one at the keyboard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sam_cluster.core.times import from_utc_microseconds
from sam_cluster.submissions.drop import compose, drop
from sam_cluster.submissions.munge import Munge

from .workload import HOUR, LABS, Plan

FIRST_UID = 10_000
NAMES = {FIRST_UID + n: name for n, name in enumerate(name for lab in LABS for name in lab.members)}
UIDS = {name: uid for uid, name in NAMES.items()}


@dataclass(frozen=True, slots=True)
class SimulatedMunge(Munge):
    """Gives credentials to one person, and believes what another of its kind gave."""

    directory: Path = Path("/")
    uid: int = 0

    def vouch(self, content: bytes) -> str:
        """A credential that names this person."""
        return f"MUNGE:{self.uid}:"

    def author(self, credential: str, content: bytes) -> int:
        """The person whom a credential names."""
        return int(credential.removeprefix("MUNGE:").removesuffix(":"))


def hand_in(plans: Iterable[Plan], cluster: str, box: Path, end_of: dict[int, int]) -> int:
    """Each of these jobs' researchers hands in the accuracy, an hour after the job's end; how many did."""
    handed_in = 0
    for plan in plans:
        assert plan.accuracy is not None and plan.task is not None
        submission = compose(
            now=from_utc_microseconds(end_of[plan.job_id] + HOUR),
            cluster=cluster,
            jobs=_spent(plan),
            accuracy=plan.accuracy,
            task=plan.task,
            texts={"model": plan.model},
        )
        drop(submission, box, SimulatedMunge(uid=UIDS[plan.user]))
        handed_in += 1
    return handed_in


def _spent(plan: Plan) -> list[str]:
    """The jobs that a result cost, as users name them."""
    if plan.array_of is None:
        return [plan.shown_id]
    return [f"{plan.array_of}_{task}" for task in range(len(plan.spent))]
