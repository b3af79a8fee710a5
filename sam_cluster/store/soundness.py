"""Whether a shard that can be read can also be believed.

The checks are those without which one bad shard could cost more than itself: a name that is no part of
a path, an instant outside any table's days, a number that no column or sum of a table holds, a counter
that runs backwards inside a segment. `plainness.py` has the same limits for many shards at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple

from sam_cluster.core.model import SLUID, Boundary, Kind, Shard
from sam_cluster.core.units import MICROSECONDS_PER_DAY

from .paths import is_safe_name, parse_shard_name, shard_name

#: 1970 to 2100, in days: a clock that was never set is borne, one that overflows a date is not.
LAST_INSTANT = 47_482 * MICROSECONDS_PER_DAY
#: What a table's 32-bit columns hold.
LARGEST_COUNT = 2**31 - 1
INT64 = 2**63 - 1
#: A GPU of 1 kW comes to it in 30 years; thousands of them add up within 64 bits.
LARGEST_MILLIJOULES = 10**15
#: What is added up in a shard, each for itself, comes to no more, lest the sums over thousands do not fit.
ADDED_UP = ("uncertainty_millijoules", "since_power_millijoules", "since_power_uncertainty_millijoules",
            "since_idle_millijoules", "bridged_millijoules")  # fmt: skip
#: No run goes on for so long between two of its boundaries, and each hour of one is a row.
LONGEST_INTERVAL = 366 * MICROSECONDS_PER_DAY
#: What all GPUs of a node have come to in such an interval, at 64 of them.
LONGEST_TOGETHER = 64 * LONGEST_INTERVAL
#: A GPU has seven compute slices; more than this no weight is made of.
MOST_SLICES = 1024
#: A GPU's name has 96 bytes at most (NVML_DEVICE_NAME_V2_BUFFER_SIZE), and each of its boundaries has it.
LONGEST_GPU_NAME = 128
RUN_ID = re.compile(r"[A-Za-z0-9.]{1,128}")
DEVICE = re.compile(r"[A-Za-z0-9./_-]{1,128}")
#: What of a boundary is an instant, a time of the boot clock, and an energy.
INSTANTS = ("at_microseconds", "since_at_microseconds", "previous_at_microseconds")
UPTIMES = ("uptime_microseconds", "since_uptime_microseconds", "previous_uptime_microseconds",
           "since_covered_microseconds", "since_idle_microseconds")  # fmt: skip
ENERGIES = ("energy_millijoules", "counter_millijoules", "since_energy_millijoules",
            "previous_energy_millijoules", "uncertainty_millijoules", "since_power_millijoules",
            "since_power_uncertainty_millijoules", "since_idle_millijoules",
            "bridged_millijoules")  # fmt: skip
#: What no two boundaries of a shard have in common.
BOUNDARY_KEY = ("gpu_uuid", "kind", "at_microseconds", "uptime_microseconds", "segment")


def complaint(shard: Shard, node: str, file_name: str) -> str | None:
    """Why a shard that lies in the inbox of `node` under this name cannot be folded; None where it can."""
    return next(_complaints(shard, node, file_name), None)


def _complaints(shard: Shard, node: str, file_name: str) -> Iterator[str]:
    run_id, start = shard.key.run_id, shard.started_at_microseconds
    if shard.node != node:
        yield f"it is of node {shard.node!a:.80}, but lies in the directory of {node!a:.80}"
    if not is_safe_name(shard.node) or not is_safe_name(shard.key.cluster):
        yield f"its node {shard.node!a:.80} or cluster {shard.key.cluster!a:.80} is no name"
    if shard.key.sluid is not None and not SLUID.fullmatch(shard.key.sluid):
        yield f"its SLUID {shard.key.sluid!a:.80} is none"
    if not RUN_ID.fullmatch(run_id):
        yield f"its run {run_id!a:.80} is no run's name"
    if parse_shard_name(file_name) != parse_shard_name(shard_name(run_id, start, shard.part)):
        yield f"it holds {shard_name(run_id, start, shard.part)}, and its name says otherwise"
    if not (0 <= start <= LAST_INSTANT and 0 <= shard.ended_at_microseconds <= LAST_INSTANT):
        yield "it begins or ends outside the years 1970 to 2099"
    for name, number in (
        ("part", shard.part),
        ("restart count", shard.key.restart),
        ("number of nodes", shard.nodes_expected),
        ("number of CPUs", shard.cpus),
        ("node's number of CPUs", shard.host.cpus if shard.host else None),
    ):
        if not _within(LARGEST_COUNT, number):
            yield f"its {name} is {number}"
    for domain in shard.host.domains if shard.host else ():
        if not _within(LARGEST_MILLIJOULES, domain.energy_millijoules):
            yield f"its {domain.name!a:.80} has an energy that no counter shows"
    if shard.agent_cost and not _within(INT64, *astuple(shard.agent_cost)):
        yield "what its agent cost is below zero"
    if any(gpu.mig_slices is not None and not 0 < gpu.mig_slices <= MOST_SLICES for gpu in shard.gpus):
        yield "it holds more slices of a GPU than there are, or none"
    if any(gpu.name is not None and len(gpu.name) > LONGEST_GPU_NAME for gpu in shard.gpus):
        yield "it holds a GPU with a name that is longer than any"
    seen: dict[tuple[object, ...], Boundary] = {}
    for boundary in shard.boundaries:
        yield from _boundary_complaints(boundary)
        if seen.setdefault(key_of(boundary), boundary) != boundary:
            yield f"it says two things of its {boundary.kind} at uptime {boundary.uptime_microseconds}"
    if _spanned(shard) > LONGEST_TOGETHER:
        yield "its boundaries span more time than all GPUs of a node have in a year"
    if _largest_sum(shard) > LARGEST_MILLIJOULES:
        yield "its energies add up to more than any node draws"


def _spanned(shard: Shard) -> int:
    """The time between each boundary and the one before it, in all, in microseconds."""
    return sum(
        each.uptime_microseconds - each.since_uptime_microseconds
        for each in shard.boundaries
        if each.since_uptime_microseconds is not None
    )


def _largest_sum(shard: Shard) -> int:
    """The greatest of the energies that a shard adds up to, in millijoules."""
    spent = [
        (each.energy_millijoules or 0) - each.since_energy_millijoules
        for each in shard.boundaries
        if each.since_energy_millijoules is not None
    ]
    columns = [[getattr(each, name) or 0 for each in shard.boundaries] for name in ADDED_UP]
    drawn = [each.energy_millijoules or 0 for each in shard.host.domains] if shard.host else []
    return max(sum(each) for each in [spent, drawn, *columns])


def key_of(boundary: Boundary) -> tuple[object, ...]:
    """What no two boundaries of a shard have in common."""
    return tuple(getattr(boundary, name) for name in BOUNDARY_KEY)


def _boundary_complaints(boundary: Boundary) -> Iterator[str]:
    for wrong in _wrongs(boundary):
        kind, uptime = boundary.kind, boundary.uptime_microseconds
        yield f"its {kind} at uptime {uptime} of {boundary.gpu_uuid!a:.80} {wrong}"


def _wrongs(boundary: Boundary) -> Iterator[str]:
    """What cannot be believed of a boundary."""
    if not DEVICE.fullmatch(boundary.gpu_uuid) or not DEVICE.fullmatch(boundary.segment):
        yield "has no GPU's or segment's name"
    if not _within(LAST_INSTANT, *(getattr(boundary, name) for name in INSTANTS)):
        yield "is outside the years 1970 to 2099"
    since, energy = boundary.since_uptime_microseconds, boundary.energy_millijoules
    uptimes = (getattr(boundary, name) for name in UPTIMES)
    if not _within(LAST_INSTANT, *uptimes, abs(boundary.lag_microseconds)):
        yield "has an uptime or a lag that no clock shows"
    if not _within(LARGEST_MILLIJOULES, *(getattr(boundary, name) for name in ENERGIES)):
        yield "has an energy that no counter shows"
    if since is not None and since > boundary.uptime_microseconds:
        yield "comes before the run's boundary before it"
    if since is not None and boundary.uptime_microseconds - since > LONGEST_INTERVAL:
        yield "comes more than a year after the run's boundary before it"
    if since is not None and boundary.kind is Kind.START:
        yield "has a boundary of the run before it"
    if not _within(LONGEST_INTERVAL, boundary.gap_microseconds):
        yield "follows a gap of more than a year"
    if boundary.bridged_millijoules is not None and not (
        boundary.opens_segment and boundary.gap_microseconds
    ):
        yield "bridges a gap that is not there"
    before = boundary.since_energy_millijoules
    if energy is not None and before is not None and energy < before:
        yield "has less energy than the run's boundary before it"


def _within(largest: int, *numbers: int | None) -> bool:
    """Whether the numbers that are known are from 0 to the largest."""
    known = [number for number in numbers if number is not None]
    return not known or (min(known) >= 0 and max(known) <= largest)
