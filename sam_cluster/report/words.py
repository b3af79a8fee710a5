"""What each word of the closed lists means, for somebody who did not write the program."""

from __future__ import annotations

from enum import StrEnum

from ..core.model import Cause, Flag, Quality, Reason
from ..metrics import UndefinedReason

QUALITIES: dict[Quality, str] = {
    Quality.MEASURED: "Read from the GPUs' own energy counters, over the whole of the job.",
    Quality.ESTIMATED: "From sampled power, or with a boundary or a share that had to be inferred.",
    Quality.LOWER_BOUND: "At least this much: a part could not be measured.",
    Quality.UNKNOWN: "There is no figure.",
}

#: As the end of a sentence that says how many jobs.
COVERAGE: dict[Quality, str] = {
    Quality.MEASURED: "were measured whole",
    Quality.ESTIMATED: "are estimates",
    Quality.LOWER_BOUND: "are lower bounds",
    Quality.UNKNOWN: "are without a figure",
}

COVERAGE_OF_ONE: dict[Quality, str] = {
    Quality.MEASURED: "was measured whole",
    Quality.ESTIMATED: "is an estimate",
    Quality.LOWER_BOUND: "is a lower bound",
    Quality.UNKNOWN: "is without a figure",
}

FLAGS: dict[Flag, str] = {
    Flag.NO_START: "Its start was not seen on a node: the prolog did not run, or its event was lost.",
    Flag.NO_END: "Its end was not seen on a node; it was closed at its last reading.",
    Flag.OPEN: "It was still running when last heard of; the figure will grow.",
    Flag.INTERPOLATED: "It began or ended while nothing was read; the counter there is interpolated.",
    Flag.LATE_START: "The first reading came too late to say what was used before it.",
    Flag.EARLY_END: "The last reading came too early to say what was used after it.",
    Flag.COUNTER_RESET: "A GPU's energy counter restarted inside the job; what it did not count is missing.",
    Flag.BRIDGED: "A GPU's energy counter restarted inside the job; the power samples fill what it missed.",
    Flag.METERS_DISAGREE: "A GPU's energy counter and its power differ by more than sampling explains.",
    Flag.POWER_ONLY: "The GPU has no energy counter; the figure is the integral of its power.",
    Flag.MODULE_SCOPE: "A GPU's counter is of its whole module (GH200): the CPU's energy is in the figure.",
    Flag.ASSUMED_GPU: "Which GPU the job held is an assumption: Slurm gave only an index.",
    Flag.SHARED: "A GPU was held by several jobs at once, and its energy split between them.",
    Flag.SHARED_EQUALLY: "Nothing says how much of a shared GPU each job was given; it is split equally.",
    Flag.AFTER_END: "By accounting it was over while other jobs held the GPU; that time is theirs alone.",
    Flag.CLOCK_STEPPED: "The node's clock jumped inside the job; hours near the jump may be off.",
    Flag.GPU_MISSING: "A GPU of the job has no figure.",
    Flag.NODE_MISSING: "A node of the job has sent nothing (yet).",
    Flag.PART_MISSING: "The part of one day of a long job has not come (yet).",
    Flag.NO_SHARD: "GPUs were allocated, and no node has sent anything (yet).",
    Flag.NO_ACCOUNTING: "Slurm's accounting does not show the job; state and allocation are not known.",
    Flag.CONFLICT: "Two records of the same run disagree; the one that covers more counts.",
    Flag.SIMULATED: "It comes from a simulated cluster.",
}

REASONS: dict[Reason, str] = {
    Reason.NO_PROLOG: "The prolog did not run on a node, so there is no reading of the start.",
    Reason.NVML_ABSENT: "The NVIDIA driver's library was not found on a node.",
    Reason.NVML_FAILED: "The NVIDIA driver answered with an error.",
    Reason.NVML_HUNG: "The NVIDIA driver did not answer in time.",
    Reason.GPU_LOST: "A GPU fell off the bus while the job held it.",
    Reason.GPU_UNRESOLVED: "It could not be told which GPU the job held.",
    Reason.COUNTER_UNSUPPORTED: "The GPU has no energy counter, and its power could not be read either.",
    Reason.NO_READING: "No reading of the GPU falls into the job.",
    Reason.NO_SHARD: "No node has sent anything for the job.",
    Reason.HOST_ABSENT: "Beside its GPUs, a node has no counter of energy.",
    Reason.HOST_UNREADABLE: "A node's counter of energy beside its GPUs could not be read.",
    Reason.HOST_INTERRUPTED: "A node's energy beside its GPUs was not followed all along.",
    Reason.HOST_SHARE_UNKNOWN: "It is not known how many CPUs of a node the job held.",
    Reason.HOST_OFF: "Energy beside the GPUs is not metered here.",
}

UNDEFINED: dict[UndefinedReason, str] = {
    UndefinedReason.ACCURACY_UNKNOWN: "no accuracy",
    UndefinedReason.ENERGY_UNKNOWN: "its electricity is not known",
    UndefinedReason.ENERGY_AT_OR_BELOW_ONE_UNIT: (
        "too little electricity for SAM, which is defined above one unit only: not a bad result"
    ),
    UndefinedReason.NEAR_POLE: (
        "its electricity is too near one unit, where SAM takes any value: not a bad result"
    ),
    UndefinedReason.LOWER_BOUND: "a part of its electricity is missing; a score would reward what is missing",
    UndefinedReason.ENERGY_ZERO: "it used no electricity, of which the variant too has no logarithm",
    UndefinedReason.NO_VALUES: "there is nothing to compare",
    UndefinedReason.ONE_VALUE: "one alone is neither equal nor unequal",
    UndefinedReason.ALL_ZERO: "shares of nothing",
    UndefinedReason.ALL_TIED: "all share one rank, so there is no order to agree with",
    UndefinedReason.NOTHING_USED: "nothing was used of what was granted",
    UndefinedReason.NOT_REACHED: "no result reached it",
    UndefinedReason.NOT_ACCEPTED: "it is not accepted, so that it is not scored",
}


class NotCompared(StrEnum):
    """Why a figure is not compared with the one before. The list is closed."""

    NO_PERIOD_BEFORE = "no_period_before"  # the tables do not reach back to its beginning
    PRELIMINARY = "preliminary"  # the period is still open
    LOWER_BOUND = "lower_bound"  # a part of one of the two is missing
    UNKNOWN = "unknown"  # there is no figure of one of the two


NOT_COMPARED: dict[NotCompared, str] = {
    NotCompared.NO_PERIOD_BEFORE: "no period before: the data do not reach back that far",
    NotCompared.PRELIMINARY: "not compared: the period is still open",
    NotCompared.LOWER_BOUND: "not compared: a part is missing",
    NotCompared.UNKNOWN: "not compared: not known",
}

#: Of a flag or reason that a newer release wrote.
NOT_KNOWN_HERE = "This release does not know the word; a newer one wrote it."

LEFT_OUT: dict[str, str] = {
    "superseded": "Results that their author corrected; the correction counts.",
    "pending": "Results that wait for a job to appear in accounting, or for a job's owner to confirm.",
    "rejected": "Results that were not accepted; the command sam-cluster results gives each its reason.",
}

#: Slurm's states, gathered into what a reader asks: did the energy lead to something?
ENDINGS: dict[str, str] = {
    "COMPLETED": "completed",
    "FAILED": "failed",
    "NODE_FAIL": "failed",
    "BOOT_FAIL": "failed",
    "OUT_OF_MEMORY": "failed",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "PREEMPTED": "requeued",
    "REQUEUED": "requeued",
    "RUNNING": "running",
    "SUSPENDED": "running",
    "COMPLETING": "running",
    "PENDING": "running",
}

ENDING_WORDS: dict[str, str] = {
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "timeout": "Ran into the time limit",
    "requeued": "Requeued attempts",
    "held_idle": "Held but idle",
    "running": "Still running",
    "unknown": "Ending not known",
}


def ending(state: str | None) -> str:
    """What a state of Slurm's amounts to; `unknown` where there is none or it is new."""
    return ENDINGS.get(state or "", "unknown")


#: Why energy between runs is unattributed, for a reader of the cluster's page.
CAUSES: dict[str, str] = {
    Cause.SHARD_MISSING: "What a node measured of a run has not come (yet).",
    Cause.COUNTER_RESET: "A GPU's energy counter restarted in between (a driver reload or a reset).",
    Cause.NOT_METERED: "The node did not follow the GPU in between.",
}
