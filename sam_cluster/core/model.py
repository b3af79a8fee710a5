"""The domain's values, as they walk from an event on a node to a row in a table.

Instants come in pairs: `at_microseconds`, UTC since 1970, to join with the rest of the world, and
`uptime_microseconds`, CLOCK_BOOTTIME of one boot (what /proc/uptime shows), to measure durations:
a wall clock may jump, the other does not. Energy is integer millijoules; None is unknown, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

#: Slurm's own id of a run, `s` and 13 digits as it makes them. It has no dot: no JOBID.RESTART is one.
SLUID = re.compile(r"[A-Za-z0-9]{4,32}")
#: Under this number, which Slurm gives to no job, nodes send their readings of GPUs that no run holds.
NO_JOB = 0


class Quality(StrEnum):
    """How good an energy figure is, best first."""

    MEASURED = "measured"  # from the hardware counter, over the whole of the run
    ESTIMATED = "estimated"  # from power, or with a boundary or a share that had to be inferred
    LOWER_BOUND = "lower_bound"  # a part of it could not be measured
    UNKNOWN = "unknown"  # there is no figure


def quality_of_sum(parts: Iterable[Quality]) -> Quality:
    """The quality of a total: that of its worst part, where an unknown part leaves a lower bound.

    A total of nothing, or of unknown parts only, is unknown.
    """
    seen = set(parts)
    if not seen - {Quality.UNKNOWN}:
        return Quality.UNKNOWN
    if seen & {Quality.UNKNOWN, Quality.LOWER_BOUND}:
        return Quality.LOWER_BOUND
    return Quality.ESTIMATED if Quality.ESTIMATED in seen else Quality.MEASURED


class Flag(StrEnum):
    """What a reader of a figure should know of it. The list is closed."""

    NO_START = "no_start"  # an epilog came, but no prolog had
    NO_END = "no_end"  # no epilog came; closed at its last reading
    OPEN = "open"  # still running when last heard of
    INTERPOLATED = "interpolated"  # a boundary fell where nothing was read
    LATE_START = "late_start"  # the first reading came too late to say what was before it
    EARLY_END = "early_end"  # the last reading came too early to say what was after it
    COUNTER_RESET = "counter_reset"  # the counter restarted inside the run; what it did not count is missing
    BRIDGED = "bridged"  # the counter restarted inside the run; what it did not count is taken from power
    METERS_DISAGREE = "meters_disagree"  # counter and power differ by more than sampling explains
    POWER_ONLY = "power_only"  # no counter; the integral of power
    MODULE_SCOPE = "module_scope"  # a counter is of a whole module, CPU and memory included
    ASSUMED_GPU = "assumed_gpu"  # which GPU it was is an assumption
    SHARED = "shared"  # a GPU was held by several runs at once, and split
    SHARED_EQUALLY = "shared_equally"  # and nothing says how much of it each was given
    AFTER_END = "after_end"  # over by accounting while others held the GPU: that time is theirs
    CLOCK_STEPPED = "clock_stepped"  # the node's wall clock jumped inside the run
    GPU_MISSING = "gpu_missing"  # a GPU of the run has no figure
    NODE_MISSING = "node_missing"  # a node of the run has sent nothing
    PART_MISSING = "part_missing"  # a day's part of a long run has not come
    NO_SHARD = "no_shard"  # GPUs were allocated, and no node has sent anything
    NO_ACCOUNTING = "no_accounting"  # Slurm's accounting does not show this job
    CONFLICT = "conflict"  # another shard of the same name said something else
    SIMULATED = "simulated"  # from a simulated cluster


class Reason(StrEnum):
    """Why a figure is missing. The list is closed."""

    NO_PROLOG = "no_prolog"
    NVML_ABSENT = "nvml_absent"
    NVML_FAILED = "nvml_failed"
    NVML_HUNG = "nvml_hung"
    GPU_LOST = "gpu_lost"
    GPU_UNRESOLVED = "gpu_unresolved"
    COUNTER_UNSUPPORTED = "counter_unsupported"
    NO_READING = "no_reading"
    NO_SHARD = "no_shard"
    HOST_ABSENT = "host_absent"  # from here on: of the energy beside the GPUs
    HOST_UNREADABLE = "host_unreadable"
    HOST_INTERRUPTED = "host_interrupted"
    HOST_SHARE_UNKNOWN = "host_share_unknown"
    HOST_OFF = "host_off"


class GapKind(StrEnum):
    """What the energy of a GPU is that no run held."""

    IDLE = "idle"  # the chain of readings is unbroken: nobody held the GPU
    UNATTRIBUTED = "unattributed"


class ShareRule(StrEnum):
    """By what the energy of a GPU is split between those who hold it, the surest first."""

    WHOLE = "whole"  # one run held it: the device's energy, its idle floor too, is that run's
    MIG_SLICES = "mig_slices"  # compute slices of the MIG devices that each holds
    SHARDS = "shards"  # Slurm's shards that each was given, by accounting
    MPS = "mps"  # percentages of MPS that each was given, by accounting
    EQUAL = "equal"  # nothing of that is known of all of them


class Cause(StrEnum):
    """Why energy between runs is unattributed. The list is closed."""

    SHARD_MISSING = "shard_missing"  # a boundary is spoken of whose shard has not come
    COUNTER_RESET = "counter_reset"  # the counter restarted in between
    NOT_METERED = "not_metered"  # the node did not follow the GPU in between


class Rung(StrEnum):
    """How a GPU of a run was identified, best first."""

    UUID = "uuid"
    MIG_UUID = "mig_uuid"
    SITE_MAP = "site_map"
    DEVICE_MINOR = "device_minor"
    ASSUMED_INDEX = "assumed_index"
    UNRESOLVED = "unresolved"


class Kind(StrEnum):
    """What a boundary is a boundary of."""

    START = "start"
    HOUR = "hour"
    SEGMENT = "segment"  # the counter restarted: energy is counted anew from here
    END = "end"
    IDLE = "idle"  # of a GPU that no run held


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """One attempt of a job: cluster and SLUID where there is one, else job id and restart count."""

    cluster: str
    job_id: int
    restart: int
    sluid: str | None = None

    @property
    def run_id(self) -> str:
        """A text that is one run's in a cluster: a SLUID, or `123.0`."""
        return self.sluid if self.sluid else f"{self.job_id}.{self.restart}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuHeld:
    """A GPU that a run was given, and how it is known which one it was."""

    uuid: str | None  # the device's; of a MIG slice the parent's
    requested: str  # the word in the hook's environment that named it
    rung: Rung
    name: str | None = None
    mig_uuid: str | None = None
    mig_slices: int | None = None  # compute slices of it
    power_limit_milliwatts: int | None = None
    is_module: bool = False  # its counter is of a module with a CPU in it
    reason: Reason | None = None  # why it has no figure, where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The counter of a GPU at an instant that divides energy between holders.

    `energy_millijoules` is the counter brought to the instant; `counter_millijoules` is what was
    read, `lag_microseconds` later (earlier where negative). `segment` names a stretch over which
    the counter only grew: two values may be subtracted within one segment only. `since_*` is the
    same run's boundary before it on this GPU (none at its start), `previous_*` the last boundary
    of that GPU before a start, whoever held it: what lies between is idle. Where the instant of one
    of them is not given by the wall clock, it is counted back on the other clock.

    `since_power_millijoules` is what the second meter, the integral of power, has for the stretch since
    that boundary of the run; None where the power series does not cover all of it. Between its samples
    power is not known: the integral is within `since_power_uncertainty_millijoules` of what samples without
    end would give. For `since_idle_microseconds` of it the GPU did nothing, by the driver's samples of its
    utilisation, and drew `since_idle_millijoules` of the stretch's energy meanwhile; None where the samples
    do not cover all of it. A boundary that opens a segment under a run stands where the last reading of the
    segment before it was taken: within `gap_microseconds` from there the counter restarted. What was drawn in
    them and not counted is `bridged_millijoules`, by the power series; None where that does not cover it all.
    """

    gpu_uuid: str
    kind: Kind
    at_microseconds: int
    uptime_microseconds: int
    segment: str
    energy_millijoules: int | None
    counter_millijoules: int | None = None
    lag_microseconds: int = 0
    uncertainty_millijoules: int = 0
    since_at_microseconds: int | None = None
    since_uptime_microseconds: int | None = None
    since_energy_millijoules: int | None = None
    previous_segment: str | None = None
    previous_at_microseconds: int | None = None
    previous_uptime_microseconds: int | None = None
    previous_energy_millijoules: int | None = None
    since_power_millijoules: int | None = None
    since_power_uncertainty_millijoules: int | None = None
    since_covered_microseconds: int | None = None
    since_idle_microseconds: int | None = None
    since_idle_millijoules: int | None = None
    gap_microseconds: int | None = None
    bridged_millijoules: int | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def opens_segment(self) -> bool:
        """Whether the counter restarted before it, under a run."""
        return self.kind is Kind.SEGMENT and self.since_uptime_microseconds is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One tick of a GPU: the counter, and the energy of the tick by the power series."""

    gpu_uuid: str
    at_microseconds: int
    uptime_microseconds: int
    counter_millijoules: int | None
    power_energy_millijoules: int | None  # integral of power since the tick before
    power_milliwatts: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCost:
    """What the agent of a node cost while a part of a run was open: all of it, whatever else it metered."""

    cpu_microseconds: int  # with its children
    resident_bytes: int  # at the part's end
    nvml_calls: int
    nvml_microseconds: int  # that they took, all together
    nvml_longest_microseconds: int
    missed_ticks: int  # readings of a GPU that were due, and did not come


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDomain:
    """A counter of a node's energy beside its GPUs: `package-0`, `package-0.dram`."""

    name: str
    energy_millijoules: int | None = None
    reason: Reason | None = None  # why it is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnergy:
    """Energy of a whole node beside its GPUs, while a part of a run was open. Never a part of theirs."""

    cpus: int  # of the node
    domains: tuple[HostDomain, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What one node knows of one run, or of one day of a long one. Sealed, it never changes."""

    key: RunKey
    node: str
    part: int  # 0, 1, … of a run that is sealed each day
    final: bool  # the run is over; no part comes after this one
    boot_id: str
    started_at_microseconds: int  # of the run on this node (the same in each part)
    ended_at_microseconds: int  # of this part: its last boundary
    gpus: tuple[GpuHeld, ...]
    boundaries: tuple[Boundary, ...]
    samples: tuple[Sample, ...] = field(default=(), repr=False)
    uid: int | None = None
    user: str | None = None
    account: str | None = None
    partition: str | None = None
    nodes_expected: int | None = None
    het_job_id: int | None = None
    flags: tuple[Flag, ...] = ()
    reason: Reason | None = None  # why there is no figure at all, where there is none
    agent_version: str = ""
    driver_version: str | None = None
    cpus: int | None = None  # that the run held here, where the prolog says it
    is_exclusive: bool = False  # no other job was let onto the node
    agent_cost: AgentCost | None = None
    host: HostEnergy | None = None
